"""Callers who hold up nobody: thousands of connections, and one honest client among them.

An answer that had to wait for one of the others would come after the answer budget: as a 503.
"""

import sys
import time
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest

from tests.system.callers import BackOffice, GatewayCaller, Tenant, problem_on_own_service
from tests.system.conftest import Install
from tests.system.hostile_callers import HostileCallers, threads_and_sockets
from tests.system.installation import Installation
from tests.waiting import eventually

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc"),
]

CALLS = 60
EVENTS = "/back-office/v1/problems/SP_0/events"


def test_nobody_holds_up_the_gateway_or_the_back_office(install: Install) -> None:
    installation = install(BACKOFFICE__PACE="manual")
    installation.start("serve")
    gateway, back_office = GatewayCaller(installation), BackOffice(installation)
    references = [gateway.raise_problem(number) for number in range(1, 4)]

    def raise_problem(number: int) -> int:
        document = problem_on_own_service(1000 + number)
        return gateway.call("POST", "/service-problems", document).status_code

    def tell(number: int) -> int:
        event = {"id": f"EV-{number}", "event": "note", "text": "The line is measured."}
        path = EVENTS.replace("SP_0", references[number % 3])
        return back_office.call("POST", path, event).status_code

    polls = "/admin/journal?tenant=NOBODY&count=5&wait=60s"
    before = _at_rest(installation, "serve")
    with HostileCallers(_port(installation.supplier), "/service-problems", polls=polls):
        _all_are_served(raise_problem, 201)
        _all_are_served(tell, 200)
    _all_are_back(installation, "serve", before)


def test_nobody_holds_up_the_sandbox_gateway(install: Install) -> None:
    installation = install()
    installation.start("sandbox")
    tenant = Tenant(installation)
    before = _at_rest(installation, "sandbox")
    with HostileCallers(_port(installation.sandbox), "/service-problems"):
        _all_are_served(
            lambda number: tenant.call("GET", f"/service-problems/{number + 1}").status_code, 404
        )
    _all_are_back(installation, "sandbox", before)


def _port(url: str) -> int:
    return urlsplit(url).port or 0


def _all_are_served(call: Callable[[int], int], status: int) -> None:
    """Make the calls one after the other, as the honest client that waits for each answer."""
    taken = []
    for number in range(CALLS):
        began = time.monotonic()
        assert call(number) == status
        taken.append(time.monotonic() - began)
    taken.sort()
    p99 = taken[CALLS * 99 // 100]
    print(f"median {taken[CALLS // 2] * 1000:.0f} ms, p99 {p99 * 1000:.0f} ms")  # noqa: T201 - for who measures


def _at_rest(installation: Installation, name: str) -> tuple[int, int]:
    return threads_and_sockets(installation.part(name).process.pid)


def _all_are_back(installation: Installation, name: str, before: tuple[int, int]) -> None:
    threads, sockets = before

    def is_back() -> bool:
        now_threads, now_sockets = _at_rest(installation, name)
        return now_threads <= threads and now_sockets <= sockets

    eventually(is_back, f"threads and sockets of {name} to be back at {before}")
    assert installation.stop(name) == [0]
