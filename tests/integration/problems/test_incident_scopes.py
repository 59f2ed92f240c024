"""Incidents over a part of the network, and children that go where their parent is."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any

import pytest
from sqlalchemy import select

from supplier_api.contract import Invalid
from supplier_api.db import tables
from supplier_api.problems import incidents, view
from supplier_api.problems.incident_coverage import IncidentScope, ScopeKind
from supplier_api.problems.incidents import InventoryIncidents
from supplier_api.rules.facts import Service
from supplier_api.rules.inventory import TimedInventory
from tests.integration.problems.conftest import MakeRig
from tests.integration.problems.interruption import Interrupted
from tests.integration.problems.rig import Rig
from tests.integration.problems.test_incidents import JOINED
from tests.waiting import PATIENCE

LEFT = "2 RESUMED/ACKNOWLEDGED"
LEEDS = IncidentScope(ScopeKind.EXCHANGE, "LEEDS")
NORTH = IncidentScope(ScopeKind.AREA, "NORTH")
FTTC = IncidentScope(ScopeKind.SPECIFICATION, "fttcl2r")


class Map:
    """An inventory in which every service is live; `put` says where one is."""

    def __init__(self) -> None:
        self._places: dict[str, dict[str, Any]] = {}

    def find(self, _tenant: str, service_id: str) -> Service:
        return Service(service_id, **self._places.get(service_id, {}))

    def put(self, gateway_id: int, **place: str) -> None:
        """Say where the service of the problem with that id is."""
        self._places[f"SI{gateway_id + 1000:013d}"] = place


@pytest.fixture
def network() -> Map:
    """Return an inventory with three services in Leeds, two of them in the north."""
    network = Map()
    network.put(1, exchange="LEEDS", area="NORTH")
    network.put(2, exchange="LEEDS", area="NORTH")
    network.put(3, exchange="LEEDS")
    return network


@pytest.fixture
def rig(upgraded_url: str, make_rig: MakeRig, network: Map) -> Rig:
    """Return a rig with this inventory."""
    return make_rig(upgraded_url, inventory=TimedInventory(network, immediate=True))


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    """Yield threads; they end with the test."""
    with ThreadPoolExecutor(1) as pool:
        yield pool


def declare(rig: Rig, *scopes: IncidentScope, code: str = "INC1") -> None:
    """Declare an incident, and let the workers link what is open."""
    assert rig.incidents.declare(code, [], scopes=scopes)
    rig.run_timers()


def end(rig: Rig, code: str = "INC1") -> None:
    """End an incident, and let the workers free its problems."""
    assert rig.incidents.end(code)
    rig.run_timers()


def shown(rig: Rig, gateway_id: int = 1, tenant: str = "TENANT1") -> dict[str, Any]:
    """Return the problem as people see it."""
    problem = rig.problem(gateway_id, tenant)
    return rig.store.read(lambda uow: view.show(uow, problem))


# -- scopes


@pytest.mark.parametrize(
    ("scopes", "joined"),
    [([LEEDS], [1, 2, 3]), ([NORTH], [1, 2]), ([FTTC], [3, 4]), ([NORTH, FTTC], [1, 2, 3, 4])],
)
def test_what_is_open_in_a_scope_joins_and_leaves(
    rig: Rig, scopes: list[IncidentScope], joined: list[int]
) -> None:
    for gateway_id, specification in enumerate(("ftthl2r", "ftthl2r", "fttcl2r", "fttcl2r"), 1):
        rig.create(id=gateway_id, serviceSpecification={"id": specification})
    rig.create(id=5)
    declare(rig, *scopes)

    assert [each for each in range(1, 6) if rig.kci_lines(each)] == joined
    assert rig.kci_lines(joined[0]) == [JOINED]
    (listed,) = rig.incidents.listed()
    assert listed["scopes"] == [{"kind": kind, "value": value} for kind, value in sorted(scopes)]
    assert (listed["services"], listed["linked"], listed["notLinked"]) == (0, len(joined), [])
    end(rig)
    assert [rig.kci_lines(each) for each in joined] == [[JOINED, LEFT]] * len(joined)


def test_one_over_nothing_yet_waits_for_problems_until_it_ends(rig: Rig) -> None:
    declare(rig, LEEDS)
    rig.pass_days(1)
    rig.create(id=1)
    rig.create(id=9)
    assert (rig.kci_lines(1), rig.kci_lines(9)) == ([JOINED], [])
    end(rig)
    rig.create(id=2)

    assert rig.kci_lines(1) == [JOINED, LEFT]
    assert rig.kci_lines(2) == []


def test_a_repeat_of_a_create_joins_no_second_time(rig: Rig) -> None:
    declare(rig, LEEDS)
    first = rig.create(id=1)
    assert rig.create(id=1) == first
    end(rig)
    assert rig.create(id=1) == first
    rig.run_timers()

    assert rig.kci_lines(1) == [JOINED, LEFT]


def test_a_resolved_problem_stays_outside(rig: Rig) -> None:
    rig.create(id=1)
    rig.resolve()
    declare(rig, LEEDS)
    assert len(rig.kcis(1)) == 1


def test_an_undecided_problem_joins_when_it_is_accepted(rig: Rig) -> None:
    rig.create("defer", id=1)
    declare(rig, LEEDS)
    rig.create("defer", id=2)
    for gateway_id in (1, 2):
        rig.say("accept", rig.problem(gateway_id).reference)
        assert rig.kci_lines(gateway_id)[1] == "2 DELAY/NETWORK_INCIDENT + NETWORK_ISSUE"


def test_one_whose_decision_was_postponed_joins_when_it_is_made(rig: Rig) -> None:
    declare(rig, LEEDS)
    rig.rule_evaluator.maintenance.begin("jo", "a new rule book")
    rig.machine.advance(1)
    rig.create(id=1)
    assert rig.problem(1).exchange is None
    rig.rule_evaluator.maintenance.end("jo", "a new rule book")
    rig.run_timers()

    assert (rig.problem(1).area, rig.problem(1).exchange) == ("NORTH", "LEEDS")
    assert rig.kci_lines(1)[1] == "2 DELAY/NETWORK_INCIDENT + NETWORK_ISSUE"


def test_one_that_people_accepted_before_joins_when_it_is_known_where_it_is(rig: Rig) -> None:
    declare(rig, LEEDS)
    rig.rule_evaluator.maintenance.begin("jo", "a new rule book")
    rig.machine.advance(1)
    rig.create(id=1)
    rig.say("accept", rig.problem(1).reference)
    assert rig.problem(1).state.incident is None
    rig.rule_evaluator.maintenance.end("jo", "a new rule book")
    rig.run_timers()

    assert (rig.problem(1).area, rig.problem(1).exchange) == ("NORTH", "LEEDS")
    assert rig.kci_lines(1)[1] == "2 DELAY/NETWORK_INCIDENT + NETWORK_ISSUE"
    end(rig)
    assert rig.problem(1).state.incident is None


def test_a_problem_in_two_scopes_leaves_with_the_last(rig: Rig) -> None:
    rig.create(id=1)
    declare(rig, LEEDS)
    declare(rig, NORTH, code="INC2")
    end(rig)
    assert rig.kci_lines(1) == [JOINED]
    assert rig.problem(1).state.incident == "INC2"
    end(rig, "INC2")
    assert rig.kci_lines(1) == [JOINED, LEFT]


def test_where_a_problem_was_raised_counts_and_is_shown(rig: Rig, network: Map) -> None:
    rig.create(id=1)
    network.put(1, exchange="YORK")
    declare(rig, LEEDS)
    assert rig.kci_lines(1) == [JOINED]
    assert (shown(rig)["area"], shown(rig)["exchange"]) == ("NORTH", "LEEDS")


def test_the_rules_on_a_change_know_the_incident(rig: Rig) -> None:
    declare(rig, LEEDS)
    rig.create(id=1)
    rig.amend()
    row = tables.decision.c
    query = select(row.facts).where(row.operation == "amendment")
    facts = rig.store.read(lambda uow: uow.connection.execute(query).scalar_one())
    assert facts["incidents"] == ["INC1"]


def test_an_id_stands_for_the_same_scopes(rig: Rig) -> None:
    declare(rig, LEEDS, NORTH)
    assert not rig.incidents.declare("INC1", [], scopes=[NORTH, LEEDS, NORTH])
    with pytest.raises(Invalid, match=r"id: INC1 was declared on .*; expected a new id"):
        rig.incidents.declare("INC1", [], scopes=[LEEDS])


# -- at the same moment


@pytest.fixture
def creating(upgraded_url: str, make_rig: MakeRig, network: Map) -> tuple[Rig, Interrupted]:
    """Return another process, whose creates can be interrupted after they read the incidents."""
    id_source = Interrupted()
    inventory = TimedInventory(network, immediate=True)
    return make_rig(upgraded_url, inventory=inventory, id_source=id_source), id_source


class Meanwhile:
    """Something that another thread does, and that has to wait for the create under way."""

    def __init__(self, pool: ThreadPoolExecutor, work: Callable[[], None]) -> None:
        self._pool = pool
        self._work = work
        self._done: Future[None] | None = None

    def begin(self) -> None:
        """Begin, and give it the time that it would need if it did not wait."""
        self._done = self._pool.submit(self._work)
        assert not wait([self._done], timeout=0.5).done

    def finish(self) -> None:
        """Wait until it is done."""
        assert self._done is not None
        self._done.result(PATIENCE)


def test_a_problem_that_is_raised_while_one_is_declared_joins_it(
    rig: Rig, creating: tuple[Rig, Interrupted], pool: ThreadPoolExecutor
) -> None:
    other, id_source = creating
    meanwhile = Meanwhile(pool, lambda: declare(rig, LEEDS))
    id_source.interrupt(meanwhile.begin)
    assert other.create(id=1).status == 201
    meanwhile.finish()

    assert rig.kci_lines(1) == [JOINED]


def test_a_problem_that_is_raised_while_one_is_ended_is_not_caught_in_it(
    rig: Rig, creating: tuple[Rig, Interrupted], pool: ThreadPoolExecutor
) -> None:
    other, id_source = creating
    declare(rig, LEEDS)
    meanwhile = Meanwhile(pool, lambda: end(rig))
    id_source.interrupt(meanwhile.begin)
    assert other.create(id=1).status == 201
    meanwhile.finish()

    assert rig.kci_lines(1) == [JOINED, LEFT]
    assert rig.problem(1).state.incident is None


# -- children


def child(rig: Rig, gateway_id: int, **parent: Any) -> None:
    """Raise a problem that names its parent."""
    assert rig.create(id=gateway_id, **parent).status == 201


def test_a_child_joins_the_incident_of_its_parent(rig: Rig) -> None:
    rig.create(id=10)
    parent = rig.problem(10).reference
    child(rig, 11, parentServiceProblemId=10)
    rig.incidents.declare("INC1", [], problems=[parent])
    rig.run_timers()
    rig.pass_days(11 / 86400)
    child(rig, 12, parentServiceProblemId=10)
    child(rig, 13, parentServiceProblemReference=parent)
    child(rig, 14, parentServiceProblemId=99, parentServiceProblemReference=parent)
    child(rig, 15, parentServiceProblemId=12)

    assert [rig.kci_lines(each) for each in range(10, 16)] == [[JOINED]] * 6
    assert [rig.problem(each).parent for each in (11, 13, 14)] == [parent] * 3
    assert (shown(rig, 12)["parent"], shown(rig, 12)["parentUnknown"]) == (parent, None)
    end(rig)
    child(rig, 16, parentServiceProblemId=10)

    assert [rig.kci_lines(each) for each in range(10, 16)] == [[JOINED, LEFT]] * 6
    assert rig.kci_lines(16) == []


def test_those_raised_before_join_with_their_parents(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(incidents, "BATCH", 2)
    rig.create(id=10)
    for gateway_id in (11, 12, 13):
        child(rig, gateway_id, parentServiceProblemId=gateway_id - 1)
    rig.create(id=1)
    rig.incidents.declare("INC1", [], problems=[rig.problem(10).reference], scopes=[LEEDS])
    rig.run_timers()
    rig.pass_days(11 / 86400)

    assert [rig.kci_lines(each) for each in (1, 10, 11, 12, 13)] == [[JOINED]] * 5
    assert rig.timers.next_due() is None


def test_an_unknown_parent_is_recorded(rig: Rig) -> None:
    rig.create(id=10, tenant="TENANT2")
    declare(rig, LEEDS)
    child(rig, 11, parentServiceProblemId=10, parentServiceProblemReference="SP_UNKNOWN01")

    seen = shown(rig, 11)
    assert (seen["parent"], seen["parentUnknown"]) == (
        None,
        "10, SP_UNKNOWN01: the tenant had no such problem when this one was raised",
    )
    assert rig.kci_lines(11) == []
    assert (shown(rig, 10, "TENANT2")["parentUnknown"], rig.problem(11).parent) == (None, None)


def test_a_child_stays_in_an_incident_of_the_inventory_as_long_as_its_parent(
    rig: Rig, network: Map
) -> None:
    network.put(10, incident="INC0000005")
    rig.create(id=10)
    child(rig, 11, parentServiceProblemId=10)
    assert rig.kci_lines(11) == [JOINED]
    looking = InventoryIncidents(rig.services, rig.rule_evaluator)

    def look() -> None:
        rig.machine.advance(60)
        looking.turn()
        rig.run_timers()

    look()
    assert (rig.kci_lines(10), rig.kci_lines(11)) == ([JOINED], [JOINED])
    network.put(10)
    look()
    look()
    assert (rig.kci_lines(10), rig.kci_lines(11)) == ([JOINED, LEFT], [JOINED, LEFT])
