"""Problems through a ticket system that loses webhooks, while it and the supplier are killed.

The adapter `http` cannot look at tickets: what its lost webhooks left out is found by `reconcile`
with the adapter `sample-desk`, which can. In pull mode a fetcher (desk_fetcher.py) looks at them.
TEST_CHAOS_PROBLEMS sets the size.
"""

import json
import os
import random
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

import supplier_api.sandbox.sample_desk
from tests.system.conftest import Install
from tests.system.gateway import Gateway
from tests.system.installation import COMMAND, Installation, free_port
from tests.system.records import stored_problems
from tests.system.ticket_course import TOKEN, Course, Desk, Fetcher, broken_promises
from tests.waiting import PATIENCE, eventually

pytestmark = pytest.mark.slow

PROBLEMS = int(os.environ.get("TEST_CHAOS_PROBLEMS", "12"))
# Kills of each part: the web server, the worker, the desk, and in pull mode the fetcher.
ROUNDS = max(2, PROBLEMS // 30)
QUIET = 3.0  # seconds without a KCI, after which one looks for what was lost
MAPPING = Path(supplier_api.sandbox.sample_desk.__file__).parent / "mapping.yaml"
SECTION = "SUPPLIER_API__BACKOFFICE__"
SETTINGS: dict[str, object] = {
    "DELIVERY__BREAKER__PROBE_AFTER": 0.5,
    "DELIVERY__BREAKER__PROBE_AFTER_MAX": 2,
    "DELIVERY__SPREAD": 1,
    "DELIVERY__LEASE": 8,
    "DELIVERY__RETRY_WAITS": "[0.3]",
    "DELIVERY__SWEEP": 2,
    "DELIVERY__THREADS": 8,
    "GATEWAY__DEADLINE": 2,
    "POLLING__EVERY": 1,
}


@pytest.mark.parametrize("adapter", ["http", "sample-desk", "pull"])
def test_all_are_completed_whatever_is_killed(
    install: Install, gateway: Gateway, tmp_path: Path, adapter: str
) -> None:
    port, fetcher_port = free_port(), free_port()
    hook = f"http://127.0.0.1:{port}/back-office/v1/hooks/{adapter}"
    desk = Desk(tmp_path, f"http://127.0.0.1:{fetcher_port}/" if adapter == "pull" else hook)
    installation = install(
        **gateway.settings,
        **SETTINGS,
        **_options(adapter, desk),
        BACKOFFICE__ADAPTER=adapter,
        BACKOFFICE__HOOK_TOKEN=TOKEN,
        SERVER__PORT=port,
    )
    others: dict[str, Desk | Fetcher] = {"desk": desk}
    if adapter == "pull":
        others["fetcher"] = Fetcher(tmp_path, installation.supplier, desk.url, fetcher_port)
    with _reported(gateway, desk):
        _run(installation, gateway, desk, others)


def _options(adapter: str, desk: Desk) -> dict[str, object]:
    if adapter == "http":
        return {
            "BACKOFFICE__OPTIONS__URL": f"{desk.url}/work-orders",
            "BACKOFFICE__OPTIONS__MAPPING_FILE": MAPPING,
            "BACKOFFICE__OPTIONS__TIMEOUT": 2,
        }
    return {"BACKOFFICE__OPTIONS__URL": desk.url} if adapter == "sample-desk" else {}


@contextmanager
def _reported(gateway: Gateway, desk: Desk) -> Iterator[None]:
    """Say what a run was, also where it fails; seen with -s."""
    began = time.monotonic()
    try:
        yield
    finally:
        arrivals = gateway.arrivals()
        kcis = len({each.id for each in arrivals})
        figures = {
            "seconds": round(time.monotonic() - began),
            "problems": PROBLEMS,
            "kills of each part": ROUNDS,
            "KCIs": kcis,
            "attempts beyond the first": len(arrivals) - kcis,
            **{f"webhooks {state}": count for state, count in desk.webhooks().items()},
        }
        sys.stdout.write("".join(f"\n{count:7} {what}" for what, count in figures.items()) + "\n")


def _run(
    installation: Installation, gateway: Gateway, desk: Desk, others: Mapping[str, Desk | Fetcher]
) -> None:
    course = Course(installation, gateway, desk)
    with ExitStack() as stack:
        for other in others.values():
            other.start()
            stack.callback(other.kill)
        installation.start("serve", "worker")
        with course.running(PROBLEMS):
            _kill_all(installation, course, others)
            _wait_for_the_end(installation, gateway, course, desk)
        _assert_settled(installation, desk)
    assert broken_promises(gateway.arrivals(), PROBLEMS) == []
    assert {each.base for each in stored_problems(installation)} == {"COMPLETED"}
    _assert_tickets(desk)


def _kill_all(
    installation: Installation, course: Course, others: Mapping[str, Desk | Fetcher]
) -> None:
    """Kill each part so many times, spread over the course."""
    parts = ["serve", "worker", *others] * ROUNDS
    random.shuffle(parts)
    for number, part in enumerate(parts, start=1):
        until, wanted = time.monotonic() + QUIET, number * PROBLEMS / (len(parts) + 1)

        def is_time(until: float = until, wanted: float = wanted) -> bool:
            return course.completed() >= wanted or time.monotonic() > until

        eventually(is_time, "the moment to kill")
        if other := others.get(part):
            other.kill()
            other.start()
        else:
            installation.kill(part)
            installation.start(part)


def _wait_for_the_end(
    installation: Installation, gateway: Gateway, course: Course, desk: Desk
) -> None:
    """Wait until all are completed, and look for what was lost where nothing happens."""
    by_webhooks_only = installation.environ[f"{SECTION}ADAPTER"] == "http"
    until = time.monotonic() + 2 * PATIENCE + PROBLEMS
    while not (course.completed() == PROBLEMS and _is_settled(desk)):
        course.check()
        assert time.monotonic() < until, _left(installation, desk)
        came, quiet = len(gateway.arrivals()), time.monotonic() + QUIET
        while len(gateway.arrivals()) == came and time.monotonic() < quiet:
            time.sleep(0.1)
        if len(gateway.arrivals()) == came and by_webhooks_only:
            _reconcile(installation, desk)


def _reconcile(installation: Installation, desk: Desk) -> None:
    """Compare with the tickets as an operator does, by the adapter that can look at them."""
    others = {name: value for name, value in installation.environ.items() if SECTION not in name}
    by_api = {f"{SECTION}ADAPTER": "sample-desk", f"{SECTION}OPTIONS__URL": desk.url}
    done = subprocess.run(
        [*COMMAND, "reconcile", "--fix"],
        env=others | by_api,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.stdout, done.stderr
    sys.stdout.write(done.stdout)


def _is_settled(desk: Desk) -> bool:
    tickets = desk.tickets()
    return tickets is not None and {each["status"] for each in tickets} == {"Closed"}


def _left(installation: Installation, desk: Desk) -> str:
    open_problems = [
        (each.gateway_id, each.reference, each.base)
        for each in stored_problems(installation)
        if each.base != "COMPLETED"
    ]
    tickets = desk.tickets() or []
    open_tickets = [
        (each["reference"], each["status"], each["revision"])
        for each in tickets
        if each["status"] != "Closed"
    ]
    return f"nothing happens any more: {open_problems}, {open_tickets}"


def _assert_settled(installation: Installation, desk: Desk) -> None:
    """Find no order, no KCI and no webhook left, and no ticket apart."""

    def nothing_waits() -> bool:
        inbox = _lines(installation)["inbox"]
        listed = installation.told("work-order", "list", "--state", "queued").strip()
        return not listed and inbox["waiting"] == 0 and _is_settled(desk)

    eventually(nothing_waits, "all orders and webhooks to be settled")
    lines = _lines(installation)
    assert lines["tickets apart"]["number"] == 0, lines["tickets apart"]
    assert lines["inbox"]["failed"] == 0


def _lines(installation: Installation) -> dict[str, dict[str, Any]]:
    """Return what `status` says, line by line."""
    told = json.loads(installation.run("status", "--json").stdout)
    return {each["name"]: each["values"] for each in told["lines"]}


def _assert_tickets(desk: Desk) -> None:
    """Find one ticket of each problem, and each order in it once."""
    tickets = desk.stored()
    assert len(tickets) == len({each["reference"] for each in tickets}) == PROBLEMS
    for ticket in tickets:
        assert ticket["status"] == "Closed"
        orders = re.findall(r"\[([0-9a-f-]{36})\]", " ".join(ticket["comments"]))
        assert len(orders) == len(set(orders)), ticket
