"""A pause made by the command reaches workers that run, and outlives them."""

import pytest

from tests.system.callers import GatewayCaller
from tests.system.conftest import Install
from tests.system.gateway import Gateway
from tests.system.installation import Installation
from tests.system.promises import COURSE
from tests.system.records import gateway_lanes, kci_states
from tests.waiting import eventually

pytestmark = pytest.mark.slow


def test_a_pause_stops_workers_that_run_and_outlives_them(
    install: Install, gateway: Gateway, database_url: str
) -> None:
    installation = install(DATABASE__URL=database_url, **gateway.settings, BACKOFFICE__PACE=0.01)
    installation.start("serve", "worker", "worker-2")
    caller = GatewayCaller(installation)
    caller.raise_problem(1)
    gateway.wait_for(lambda all_: len(all_) == len(COURSE), "the KCIs of a problem")

    installation.told("delivery", "pause", "--destination", "gateway", "--reason", "their release")
    for worker in ("worker", "worker-2"):
        _wait_until_told(installation, worker, "delivery.paused")
    caller.raise_problem(2)
    # Timers and work orders go on: all of the course is stored, and waits.
    eventually(
        lambda: kci_states(installation, 2) == ["queued"] * len(COURSE), "the course to wait"
    )
    assert installation.stop("worker", "worker-2") == [0, 0]
    installation.start("worker")
    _wait_until_told(installation, "worker", "delivery.paused")
    assert len(gateway.arrivals()) == len(COURSE)
    (lane,) = (lane for lane in gateway_lanes(installation) if lane.gateway_id == 2)
    assert (lane.lease_owner, lane.attempts) == (None, 0)

    installation.told("delivery", "resume", "--destination", "gateway", "--reason", "done")
    gateway.wait_for(lambda all_: len(all_) == 2 * len(COURSE), "what waited")
    assert [each.reason for each in gateway.arrivals(2)] == COURSE
    assert installation.told("delivery", "list") == ""


def _wait_until_told(installation: Installation, worker: str, event: str) -> None:
    eventually(lambda: event in installation.part(worker).text(), f"{worker} to know: {event}")
