"""Running processes use files that change, read them again on SIGHUP, and are not ended by it."""

import signal
from functools import partial
from pathlib import Path

import pytest

from supplier_api.rules.inventory import COLUMNS
from tests.system.callers import GatewayCaller, problem_on_own_service
from tests.system.conftest import Install
from tests.system.gateway import Gateway
from tests.waiting import eventually

pytestmark = pytest.mark.slow

PARTS = ("serve", "worker")
LOADED, NOT_LOADED = '"event": "inventory.loaded"', '"event": "inventory.not-loaded"'


@pytest.fixture
def services(tmp_path: Path) -> Path:
    """Return an inventory file of our own, without a row."""
    path = tmp_path / "services.csv"
    path.write_text(",".join(COLUMNS[:8]) + "\n", encoding="utf-8")
    return path


def ceased(services: Path, problem: int, state: str = "ceased") -> None:
    """Put a file into the place of the old one in which this problem's service is ceased."""
    service = problem_on_own_service(problem)["serviceId"]
    new = services.with_suffix(".new")
    new.write_text(",".join(COLUMNS[:8]) + f"\n{service},,,{state},,,,\n", encoding="utf-8")
    new.replace(services)


def test_files_are_used_as_they_change_and_no_hang_up_ends_a_process(
    install: Install, gateway: Gateway, services: Path
) -> None:
    installation = install(
        **gateway.settings, BACKOFFICE__PACE="manual", INVENTORY__FILE=str(services)
    )
    installation.start(*PARTS)
    caller = GatewayCaller(installation)

    def create(problem: int) -> int:
        body = problem_on_own_service(problem)
        return caller.call("POST", "/service-problems", body).status_code

    def said(name: str, text: str, times: int) -> bool:
        return installation.logs(name).count(text) == times

    def wait_for(text: str, times: int) -> None:
        for name in PARTS:
            eventually(partial(said, name, text, times), f"{name} to say {text}")

    ceased(services, 1)
    wait_for(LOADED, 1)
    assert create(1) == 422
    ceased(services, 2, state="Ceased")
    wait_for(NOT_LOADED, 1)
    assert (create(1), create(2)) == (422, 201)

    def is_in_the_status() -> bool:
        status = installation.run("status")
        return (
            status.returncode == 1
            and "services.csv:2:19: state: Ceased is not known" in status.stdout
        )

    # With the next heartbeat.
    eventually(is_in_the_status, "status to tell the line of the file")

    ceased(services, 3)
    wait_for(LOADED, 2)
    for name in PARTS:
        installation.part(name).process.send_signal(signal.SIGHUP)
    wait_for(LOADED, 3)
    assert (create(3), create(4)) == (422, 201)
    assert installation.stop(*PARTS) == [0, 0]
