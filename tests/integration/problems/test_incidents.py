"""Network incidents: many problems join, wait and leave, in small transactions."""

from collections import Counter
from datetime import timedelta

import pytest
from sqlalchemy import func, select, update

from supplier_api.contract import Invalid
from supplier_api.db import tables
from supplier_api.outbox.repository import LaneRepository
from supplier_api.problems import incidents
from supplier_api.problems.incidents import InventoryIncidents
from supplier_api.problems.services import GATEWAY
from supplier_api.rules.facts import InventoryUnavailable, Service
from supplier_api.rules.inventory import TimedInventory
from tests.integration.problems.conftest import MakeRig
from tests.integration.problems.rig import LEASE, Rig

JOINED = "1 DELAY/NETWORK_INCIDENT + NETWORK_ISSUE"


def raised(rig: Rig, count: int) -> list[str]:
    """Raise `count` problems, each on its own service; return the services."""
    for gateway_id in range(1, count + 1):
        assert rig.create(id=gateway_id).status == 201
    return [rig.problem(gateway_id).service_id for gateway_id in range(1, count + 1)]


def statuses(rig: Rig) -> Counter[str]:
    """Return how many problems there are of each status."""
    problem = tables.service_problem.c
    query = select(func.coalesce(problem.waiting, problem.base))
    return Counter(rig.store.read(lambda uow: uow.connection.execute(query).scalars().all()))


def test_an_incident_over_many_problems_is_declared_and_ended_in_batches(on_sqlite: Rig) -> None:
    rig = on_sqlite
    services = raised(rig, 250)
    rig.say("resolve", rig.problem(7).reference, resolution={"resolutionCode": "OTHER"})

    assert rig.incidents.declare("INC1", services, "A cable was cut.")
    assert statuses(rig) == {"ACKNOWLEDGED": 249, "RESOLVED": 1}
    for joined in (100, 200, 249):
        assert rig.timers.run_due() == 1
        assert statuses(rig)["NETWORK_INCIDENT"] == joined

    assert rig.kci_lines(1) == [JOINED]
    assert len(rig.kcis(7)) == 1
    assert rig.incidents.end("INC1")
    rig.run_timers()
    assert statuses(rig) == {"ACKNOWLEDGED": 249, "RESOLVED": 1}
    assert rig.kci_lines(250) == [JOINED, "2 RESUMED/ACKNOWLEDGED"]


@pytest.fixture
def in_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let only two problems join or leave in one transaction."""
    monkeypatch.setattr(incidents, "BATCH", 2)


@pytest.mark.usefixtures("in_pairs")
def test_the_batches_are_the_same_on_both_engines(rig: Rig) -> None:
    services = raised(rig, 5)
    rig.incidents.declare("INC1", services)
    joined = []
    while rig.timers.run_due():
        joined.append(statuses(rig)["NETWORK_INCIDENT"])
    rig.incidents.end("INC1")
    left = []
    while rig.timers.run_due():
        left.append(statuses(rig)["ACKNOWLEDGED"])

    assert joined == [2, 4, 5]
    assert left == [2, 4, 5]
    for gateway_id in range(1, 6):
        assert rig.kci_lines(gateway_id) == [JOINED, "2 RESUMED/ACKNOWLEDGED"]


@pytest.mark.usefixtures("in_pairs")
def test_joining_stops_when_the_incident_has_ended(rig: Rig) -> None:
    rig.incidents.declare("INC1", raised(rig, 5))
    rig.timers.run_due()
    rig.incidents.end("INC1")

    rig.run_timers()

    assert statuses(rig) == {"ACKNOWLEDGED": 5}
    assert rig.kci_lines(5) == []


def test_a_problem_that_was_not_seen_at_first_joins_at_a_second_look(rig: Rig) -> None:
    services = raised(rig, 2)
    rig.incidents.declare("INC1", services[:1])
    rig.run_timers()
    # As if its create had been committed just now, without having seen the declaration.
    problem = tables.service_problem
    moved = update(problem).where(problem.c.gateway_id == 2).values(service_id=services[0])
    rig.store.write(lambda uow: uow.connection.execute(moved))

    rig.pass_days(10.1 / 86400)

    assert rig.kci_lines(1) == [JOINED]
    assert rig.kci_lines(2) == [JOINED]
    assert rig.timers.next_due() is None


@pytest.mark.usefixtures("in_pairs")
def test_who_cannot_join_is_passed_over(rig: Rig) -> None:
    services = raised(rig, 3)
    rig.incidents.declare("INC1", services[:2])
    rig.run_timers()
    rig.incidents.declare("INC2", services)
    rig.run_timers()

    assert rig.kci_lines(1) == [JOINED]
    assert rig.kci_lines(3) == [JOINED]
    assert [rig.problem(gateway_id).state.incident for gateway_id in (1, 2, 3)] == [
        "INC1",
        "INC1",
        "INC2",
    ]


def test_only_the_services_of_the_incident_are_touched(rig: Rig) -> None:
    services = raised(rig, 2)
    rig.incidents.declare("INC1", services[1:])
    rig.run_timers()

    assert rig.kci_lines(1) == []
    assert rig.kci_lines(2) == [JOINED]


def test_an_undecided_problem_joins_without_a_kci_and_leaves_without_one(rig: Rig) -> None:
    rig.create("defer")
    rig.incidents.declare("INC1", [rig.problem().service_id])
    rig.run_timers()
    assert rig.problem().state.incident == "INC1"
    rig.incidents.end("INC1")
    rig.run_timers()

    rig.say("accept")

    assert rig.kci_lines() == ["1 ACKNOWLEDGED/ACKNOWLEDGED"]


def test_an_incident_is_declared_once_and_ended_once(rig: Rig) -> None:
    assert rig.incidents.declare("INC1", ["SI0000000000100"])
    assert not rig.incidents.declare("INC1", ["SI0000000000100"])
    with pytest.raises(Invalid, match=r"id: INC1 was declared on .*; expected a new id"):
        rig.incidents.declare("INC1", ["SI0000000000200"])
    assert rig.incidents.end("INC1")
    with pytest.raises(Invalid, match=r"id: INC1 was declared on .*; expected a new id"):
        rig.incidents.declare("INC1", ["SI0000000000100"])
    assert not rig.incidents.end("INC1")
    assert not rig.incidents.end("INC2")


def test_an_incident_that_has_ended_is_over_whatever_the_inventory_says(supplied: Rig) -> None:
    supplied.create(serviceId="SI0000000000005")
    supplied.incidents.end("INC0000001")
    supplied.run_timers()
    supplied.cancel(supplierServiceProblemReference=supplied.problem().reference)

    supplied.create(id=2, serviceId="SI0000000000005")

    assert supplied.kci_lines(2) == []


class Named:
    """An inventory in which every service is live and may be in an incident."""

    def __init__(self) -> None:
        self.incidents: dict[str, str] = {}
        self.away = False

    def find(self, _tenant: str, service_id: str) -> Service:
        if self.away:
            raise InventoryUnavailable
        return Service(service_id, "ftthl2r", "FTTH", incident=self.incidents.get(service_id))


@pytest.fixture
def named() -> Named:
    """Return the inventory."""
    return Named()


@pytest.fixture
def asking(upgraded_url: str, make_rig: MakeRig, named: Named) -> Rig:
    """Return a rig with this inventory."""
    return make_rig(upgraded_url, inventory=TimedInventory(named, immediate=True))


SERVICE = "SI0000000000005"


def looks(rig: Rig) -> InventoryIncidents:
    """Return the worker's chore that asks the inventory."""
    looking = InventoryIncidents(rig.services, rig.rule_evaluator)
    rig.machine.advance(60)
    return looking


def test_an_incident_lasts_as_long_as_the_inventory_names_it(asking: Rig, named: Named) -> None:
    named.incidents = {SERVICE: "INC0000005", "SI0000000000006": "INC0000005"}
    asking.create(serviceId=SERVICE)
    asking.create(id=2, serviceId="SI0000000000006")
    asking.create(id=3, tenant="TENANT2", serviceId=SERVICE)
    assert asking.kci_lines(1) == asking.kci_lines(2) == [JOINED]
    del named.incidents[SERVICE]

    asking.create(id=4, tenant="TENANT3", serviceId=SERVICE)
    asking.run_timers()

    # A new problem uses the current answer of the inventory, and so do linked problems.
    assert asking.kcis(4, "TENANT3") == []
    assert asking.kci_lines(1) == [JOINED, "2 RESUMED/ACKNOWLEDGED"]
    assert len(asking.kcis(3, "TENANT2")) == 2
    assert asking.kci_lines(2) == [JOINED]


def test_a_worker_asks_again_for_those_that_are_linked(asking: Rig, named: Named) -> None:
    named.incidents = {SERVICE: "INC0000005", "SI0000000000006": "INC0000005"}
    asking.create(serviceId=SERVICE)
    asking.create(id=2, serviceId="SI0000000000006")
    looking = looks(asking)
    assert looking.turn() == 60.0
    del named.incidents[SERVICE]
    named.away = True
    asking.machine.advance(60)
    assert looking.turn() == 60.0
    asking.run_timers()
    # The incident that it named lasts while it gives no answer.
    assert asking.kci_lines(1) == [JOINED]
    named.away = False
    asking.machine.advance(60)
    assert looking.turn() == 60.0
    asking.run_timers()

    assert asking.kci_lines(1) == [JOINED, "2 RESUMED/ACKNOWLEDGED"]
    assert asking.kci_lines(2) == [JOINED]


def test_an_incident_that_the_inventory_calls_otherwise_goes_on(asking: Rig, named: Named) -> None:
    named.incidents[SERVICE] = "INC0000005"
    asking.create(serviceId=SERVICE)
    named.incidents[SERVICE] = "INC0000006"
    looks(asking).turn()
    asking.run_timers()

    assert asking.kci_lines() == [JOINED]
    assert asking.problem().state.incident == "INC0000006"


def test_what_the_inventory_lifts_is_left_with_the_last_incident(asking: Rig, named: Named) -> None:
    named.incidents[SERVICE] = "INC0000005"
    asking.create(serviceId=SERVICE)
    asking.incidents.declare("INC1", [SERVICE])
    asking.run_timers()
    named.incidents.clear()
    looks(asking).turn()
    asking.run_timers()
    assert asking.kci_lines() == [JOINED]
    assert asking.problem().state.incident == "INC1"
    asking.incidents.end("INC1")
    asking.run_timers()

    assert asking.kci_lines() == [JOINED, "2 RESUMED/ACKNOWLEDGED"]


def test_an_incident_that_is_named_again_begins_again(asking: Rig, named: Named) -> None:
    named.incidents[SERVICE] = "INC0000005"
    asking.create(serviceId=SERVICE)
    named.incidents.clear()
    looks(asking).turn()
    named.incidents[SERVICE] = "INC0000005"
    asking.create(id=2, tenant="TENANT2", serviceId=SERVICE)
    asking.run_timers()

    # It was named again before a problem had left.
    assert asking.kci_lines() == [JOINED]
    assert len(asking.kcis(2, "TENANT2")) == 1


def test_many_services_are_asked_for_a_few_at_a_time(
    monkeypatch: pytest.MonkeyPatch, asking: Rig, named: Named
) -> None:
    monkeypatch.setattr(incidents, "SERVICES", 2)
    for gateway_id in range(1, 6):
        service_id = f"SI{gateway_id + 1000:013d}"
        named.incidents[service_id] = "INC0000005"
        asking.create(id=gateway_id)
    named.incidents.clear()
    looking = looks(asking)

    assert [looking.turn() for _ in range(3)] == [0.0, 0.0, 60.0]
    asking.run_timers()
    assert statuses(asking) == {"ACKNOWLEDGED": 5}


def test_an_undecided_problem_of_a_lifted_incident_is_in_none(asking: Rig, named: Named) -> None:
    named.incidents[SERVICE] = "INC0000005"
    asking.create("defer", serviceId=SERVICE)
    named.incidents.clear()
    looks(asking).turn()
    asking.run_timers()
    asking.say("accept")

    assert asking.kci_lines() == ["1 ACKNOWLEDGED/ACKNOWLEDGED"]


def test_a_wait_that_ends_while_the_incident_lasts_leads_back_to_it(rig: Rig) -> None:
    rig.create()
    rig.incidents.declare("INC1", [rig.problem().service_id])
    rig.run_timers()
    rig.say("ask-information", problem_code="OTHER", text="Which lights are on?")
    rig.take()

    assert rig.amend().status == 201

    assert rig.kci_lines()[1:] == [
        "2 INFORMATION_REQUIRED/PENDING + OTHER + text",
        "3 DELAY/NETWORK_INCIDENT + NETWORK_ISSUE",
    ]


def numbered(rig: Rig, seconds: float) -> list[int]:
    """Return whose KCIs a worker would claim within `seconds` from now, in its order."""
    now = rig.machine.now() + timedelta(seconds=seconds)
    claims = rig.store.write(
        lambda uow: LaneRepository(uow).claim(
            GATEWAY, "test", now, now + LEASE, limit=500, failed=1
        )
    )
    return [claim.problem_id for claim in claims]


@pytest.mark.parametrize("ends", [False, True])
def test_a_fresh_kci_does_not_wait_behind_those_of_an_incident(on_sqlite: Rig, ends: bool) -> None:
    rig = on_sqlite
    services = raised(rig, 60)
    rig.incidents.declare("INC1", services)
    rig.run_timers()
    if ends:
        rig.machine.advance(60)
        assert len(rig.take()) == 60
        rig.incidents.end("INC1")
        rig.run_timers()
    rig.create(id=200)
    rig.say("start", rig.problem(200).reference)

    # Twenty a second leave beside it, and in three seconds the last.
    early = numbered(rig, 0.25)
    assert rig.problem(200).id in early
    assert len(early) == 6 + 1
    assert len(numbered(rig, 4)) == 60 - 6


def test_a_spread_kci_stays_behind_the_one_before_it_and_before_the_one_after_it(rig: Rig) -> None:
    services = raised(rig, 12)
    last = rig.problem(12).reference
    rig.say("note", last, text="Somebody is on the way.")
    rig.incidents.declare("INC1", services)
    rig.run_timers()
    rig.say("note", last, text="A cable was cut.")

    def taken() -> list[int]:
        return [each["sequenceNumber"] for each in rig.take() if each["serviceProblem"]["id"] == 12]

    # To take lets a second pass; here a third of one, and the last of twelve has to wait for more.
    rig.machine.advance(-0.7)
    assert taken() == [1]
    assert taken() == [2, 3]


@pytest.mark.parametrize(("first", "last"), [("INC1", "INC2"), ("INC2", "INC1")])
def test_a_problem_in_two_incidents_leaves_with_the_last_of_them(
    rig: Rig, first: str, last: str
) -> None:
    services = raised(rig, 2)
    rig.incidents.declare("INC1", services)
    rig.incidents.declare("INC2", services[:1])
    rig.run_timers()

    rig.incidents.end(first)
    rig.run_timers()
    assert rig.kci_lines(1) == [JOINED]
    assert (rig.problem(1).state.status, rig.problem(1).state.incident) == (
        "NETWORK_INCIDENT",
        last,
    )
    rig.incidents.end(last)
    rig.run_timers()

    assert rig.kci_lines(1) == rig.kci_lines(2) == [JOINED, "2 RESUMED/ACKNOWLEDGED"]


def test_an_undecided_problem_in_two_incidents_joins_the_one_that_lasts(on_sqlite: Rig) -> None:
    rig = on_sqlite
    rig.create("defer")
    for code in ("INC1", "INC2"):
        rig.incidents.declare(code, [rig.problem().service_id])
    rig.run_timers()
    rig.incidents.end("INC2")
    rig.run_timers()

    rig.say("accept")

    assert rig.kci_lines() == [
        "1 ACKNOWLEDGED/ACKNOWLEDGED",
        "2 DELAY/NETWORK_INCIDENT + NETWORK_ISSUE",
    ]
