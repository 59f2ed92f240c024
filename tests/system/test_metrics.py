"""What real processes answer and deliver ends up in the samples of metrics."""

from datetime import timedelta

import pytest

from tests.system.callers import GatewayCaller
from tests.system.conftest import Install
from tests.system.gateway import Gateway
from tests.system.records import add_metrics, kci_states, metric_points
from tests.waiting import eventually

pytestmark = pytest.mark.slow


def test_requests_and_deliveries_are_stored_as_samples(
    install: Install, gateway: Gateway, database_url: str
) -> None:
    installation = install(**gateway.settings, DATABASE__URL=database_url)
    installation.start("serve", "worker")
    caller = GatewayCaller(installation)
    caller.raise_problem(1)
    caller.raise_problem(2)
    caller.done(400, "POST", "/service-problems", {"id": 3})
    eventually(lambda: "delivered" in kci_states(installation, 1), "a KCI to be delivered")
    assert installation.stop("serve", "worker") == [0, 0]

    points = metric_points(installation, timedelta(hours=1))

    assert sum(each.requests for each in points) == 3
    assert sum(each.codes.get(201, 0) for each in points) == 2
    assert all(each.p99 is not None for each in points if each.requests)
    states = [state for problem in (1, 2) for state in kci_states(installation, problem)]
    assert sum(each.kcis.delivered for each in points) == states.count("delivered") > 0
    assert sum(each.orders.delivered for each in points) > 0


def test_a_worker_removes_the_samples_of_the_day_before(
    install: Install, gateway: Gateway, database_url: str
) -> None:
    installation = install(**gateway.settings, DATABASE__URL=database_url)
    add_metrics(installation, timedelta(hours=26), unread=1)
    add_metrics(installation, timedelta(hours=2), unread=1)

    def unread() -> int:
        return sum(each.unread for each in metric_points(installation, timedelta(hours=27)))

    assert unread() == 2
    installation.start("worker")
    eventually(lambda: unread() == 1, "the older sample to be removed")
