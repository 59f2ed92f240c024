"""Maintenance: requests are stored and decided by the rule book when it ends."""

from typing import Any

import pytest
from sqlalchemy import select

from supplier_api.db import tables
from supplier_api.problems.services import BACK_OFFICE, RequestAnswer
from supplier_api.problems.timer_repository import Timer, TimerRepository
from supplier_api.problems.timer_repository import TimerRepository as StoredTimers
from supplier_api.rules.facts import InventoryUnavailable, Service
from supplier_api.rules.inventory import TimedInventory
from tests.integration.problems.conftest import MakeRig
from tests.integration.problems.rig import TENANT, Rig

TAKEN = RequestAnswer(202, None)
WHO = ("jo", "a new rule book")


@pytest.fixture
def closed(rig: Rig) -> Rig:
    """Return a rig in maintenance."""
    begin(rig)
    return rig


@pytest.fixture
def closed_on_sqlite(on_sqlite: Rig) -> Rig:
    """Return a rig in maintenance, on SQLite only."""
    begin(on_sqlite)
    return on_sqlite


def begin(rig: Rig) -> None:
    assert rig.rule_evaluator.maintenance.begin(*WHO)
    rig.machine.advance(1)


def end(rig: Rig) -> None:
    assert rig.rule_evaluator.maintenance.end(*WHO)
    rig.run_timers()
    rig.machine.advance(1)


def orders(rig: Rig, gateway_id: int = 1) -> list[tuple[str, bool]]:
    """Return the work orders about a problem: the kind, and whether the back office decides."""
    bodies = [row["body"] for row in rig.messages(BACK_OFFICE, gateway_id)]
    return [(body.split('"kind":"')[1].split('"')[0], '"decide":true' in body) for body in bodies]


def record(rig: Rig, operation: str = "problem", key: str = "1") -> dict[str, Any]:
    """Return the record of a decision."""
    of = tables.decision.c
    query = select(tables.decision).where(of.operation == operation, of.key == key)
    return rig.store.read(lambda uow: uow.connection.execute(query).one()._asdict())


def test_what_is_raised_is_kept_undecided_and_nobody_is_told(closed: Rig) -> None:
    assert closed.create() == TAKEN
    closed.run_timers()

    assert closed.problem().state.base == "UNDECIDED"
    assert closed.kci_lines() == []
    assert orders(closed) == []
    kept = record(closed)
    assert (kept["status"], kept["outcome"], kept["rule"]) == (202, "defer", "maintenance")


@pytest.mark.parametrize(
    ("notes", "told", "ordered"),
    [
        ("none", ["1 ACKNOWLEDGED/ACKNOWLEDGED"], [("problem", False)]),
        (
            "commit",
            ["1 ACKNOWLEDGED/ACKNOWLEDGED", "2 COMMITTED/IN_PROGRESS"],
            [("problem", False)],
        ),
        ("reject", ["1 REJECTED/REJECTED + OTHER + text + no reference"], []),
        ("defer", [], [("problem", True)]),
    ],
)
def test_when_it_ends_the_book_decides(
    closed: Rig, notes: str, told: list[str], ordered: list[tuple[str, bool]]
) -> None:
    assert closed.create(notes) == TAKEN
    end(closed)

    assert closed.kci_lines() == told
    assert orders(closed) == ordered
    assert closed.timers.next_due() is None
    # A repeat of the request gets the same answer, whatever was decided later.
    assert closed.create(notes) == TAKEN


def test_the_record_keeps_the_answer_and_tells_the_later_decision(closed_on_sqlite: Rig) -> None:
    closed_on_sqlite.create("reject")
    # Nothing was decided yet, so there is nothing that it was decided on.
    assert record(closed_on_sqlite)["facts"] is None
    end(closed_on_sqlite)

    kept = record(closed_on_sqlite)
    assert kept["facts"]["open_problems"] == []
    assert (kept["status"], kept["body"]) == (202, None)
    assert (kept["outcome"], kept["rule"]) == ("reject", "refused")
    assert [reason["rule"] for reason in kept["reasons"]] == ["refused"]
    assert kept["trace"][0] == {
        "rule": "put-off",
        "verdict": "matched",
        "values": {"decided": "2026-01-05T12:00:01.000Z"},
    }
    assert kept["trace"][1]["rule"] == "refused"


def test_of_two_on_one_service_the_first_is_taken(closed: Rig) -> None:
    for gateway_id in (1, 2):
        assert closed.create(id=gateway_id, serviceId="SI0000000001001") == TAKEN
    end(closed)

    assert closed.kci_lines(1) == ["1 ACKNOWLEDGED/ACKNOWLEDGED"]
    assert closed.kci_lines(2) == ["1 REJECTED/REJECTED + REJECTION + text + no reference"]


@pytest.mark.parametrize(
    ("notes", "told", "ordered"),
    [
        ("The gate is open.", "1 AMENDED/ACKNOWLEDGED + A COMPLETED", [("amendment", False)]),
        ("reject", "1 AMENDMENT_REJECTED/ACKNOWLEDGED + OTHER + text + A REJECTED", []),
        ("defer", None, [("amendment", True)]),
    ],
)
def test_an_amendment_waits_and_is_told(
    rig: Rig, notes: str, told: str | None, ordered: list[tuple[str, bool]]
) -> None:
    rig.create()
    begin(rig)
    assert rig.amend(notes=notes).status == 202
    rig.run_timers()
    assert (rig.problem().state.status, rig.kci_lines()) == ("PENDING_AMENDMENT", [])
    assert orders(rig) == [("problem", False)]
    end(rig)

    assert rig.kci_lines() == ([told] if told else [])
    assert orders(rig)[1:] == ordered
    assert record(rig, "amendment", "101")["status"] == 202
    assert rig.amend(notes=notes).status == 202


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("It works.", "1 CANCELLED/CANCELLED + NO_LONGER_REQUIRED + C COMPLETED"),
        ("reject", "1 CANCELLATION_REJECTED/ACKNOWLEDGED + OTHER + text + C REJECTED"),
    ],
)
def test_a_cancellation_waits_and_is_told(rig: Rig, text: str, told: str) -> None:
    rig.create()
    begin(rig)
    assert rig.cancel(text=text).status == 202
    end(rig)

    assert rig.kci_lines() == [told]


def test_what_is_undecided_is_amended_and_cancelled_at_once(closed_on_sqlite: Rig) -> None:
    """Nothing is decided by that, and the back office has no work order yet."""
    closed_on_sqlite.create()
    closed_on_sqlite.create(id=2)
    assert closed_on_sqlite.amend(notes="commit").status == 201
    assert (
        closed_on_sqlite.cancel(
            serviceProblemId=2, supplierServiceProblemReference="UNKNOWN"
        ).status
        == 201
    )
    assert orders(closed_on_sqlite) == orders(closed_on_sqlite, 2) == []
    end(closed_on_sqlite)

    # The rules saw the amended request.
    assert closed_on_sqlite.kci_lines() == [
        "1 ACKNOWLEDGED/ACKNOWLEDGED",
        "2 COMMITTED/IN_PROGRESS",
    ]
    assert closed_on_sqlite.kci_lines(2) == []
    assert closed_on_sqlite.problem(2).state.base == "CANCELLED"
    assert orders(closed_on_sqlite, 2) == []


def test_a_change_whose_problem_is_resolved_meanwhile_is_not_decided_again(on_sqlite: Rig) -> None:
    rig = on_sqlite
    rig.create()
    begin(rig)
    rig.cancel()
    rig.resolve()
    told = rig.kci_lines()
    end(rig)

    assert rig.kci_lines() == told
    assert rig.timers.next_due() is not None  # the closure


def test_a_resolution_is_answered_as_usual(on_sqlite: Rig) -> None:
    rig = on_sqlite
    rig.create()
    rig.resolve()
    rig.take()
    begin(rig)

    assert rig.settle("ACCEPTED").status == 200


def test_what_people_decide_meanwhile_stands_and_the_back_office_hears_of_it(closed: Rig) -> None:
    closed.create("reject")
    assert closed.say("accept").status == 200
    end(closed)

    assert closed.kci_lines() == ["1 ACKNOWLEDGED/ACKNOWLEDGED"]
    assert orders(closed) == [("problem", False)]
    assert record(closed)["rule"] == "maintenance"


def test_other_timers_run_on(rig: Rig) -> None:
    rig.create()
    rig.resolve()
    rig.take()
    begin(rig)
    rig.create(id=2)
    rig.pass_days(6)

    assert rig.problem().state.base == "COMPLETED"
    assert rig.problem(2).state.base == "UNDECIDED"
    # Nothing is due for the worker until maintenance ends.
    assert rig.timers.next_due() is None


def test_what_was_asked_at_the_moment_it_ended_is_decided_too(closed_on_sqlite: Rig) -> None:
    assert closed_on_sqlite.rule_evaluator.maintenance.lasts()
    closed_on_sqlite.rule_evaluator.maintenance.end(*WHO)
    # This process reads the switch again in a second.
    assert closed_on_sqlite.create() == TAKEN
    closed_on_sqlite.run_timers()

    assert closed_on_sqlite.kci_lines() == ["1 ACKNOWLEDGED/ACKNOWLEDGED"]


def test_who_did_it_and_why_is_recorded(closed_on_sqlite: Rig) -> None:
    assert not closed_on_sqlite.rule_evaluator.maintenance.begin("al", "once more")
    closed_on_sqlite.rule_evaluator.maintenance.end("al", "done")
    assert not closed_on_sqlite.rule_evaluator.maintenance.end("al", "done")

    of = tables.operator_action.c
    query = select(of.who, of.action, of.reason).order_by(of.id)
    rows = closed_on_sqlite.store.read(lambda uow: uow.connection.execute(query).all())
    assert list(map(tuple, rows)) == [
        ("jo", "maintenance-on", "a new rule book"),
        ("al", "maintenance-off", "done"),
    ]


# -- a source of facts that is down


class Fickle:
    """An inventory that can be up or down."""

    def __init__(self) -> None:
        self.there = True
        self.asked = 0
        self.broken: set[str] = set()

    def find(self, tenant: str, service_id: str) -> Service | None:  # noqa: ARG002 - the port's
        self.asked += 1
        if not self.there or service_id in self.broken:
            raise InventoryUnavailable
        return Service(service_id, "ftthl2r", "FTTH")


@pytest.fixture
def fickle() -> Fickle:
    return Fickle()


@pytest.fixture
def leaning(sqlite_file: str, make_rig: MakeRig, fickle: Fickle) -> Rig:
    """Return a rig with the fickle inventory."""
    return make_rig(sqlite_file, inventory=TimedInventory(fickle, immediate=True))


def fall(rig: Rig, fickle: Fickle) -> None:
    """Let the inventory fail until it counts as down: five times, over ten seconds."""
    fickle.there = False
    for gateway_id in range(1, 6):
        assert rig.create(id=gateway_id) == TAKEN
        rig.machine.advance(2.5)


def test_what_meets_an_inventory_that_is_down_is_decided_when_it_is_back(
    leaning: Rig, fickle: Fickle
) -> None:
    fall(leaning, fickle)
    # The first few were deferred to the back office; the one that met the limit is postponed.
    assert [orders(leaning, each) for each in (1, 4, 5)] == [[("problem", True)]] * 2 + [[]]
    assert record(leaning, key="5")["rule"] == "inventory-down"
    asked = fickle.asked
    assert leaning.create(id=6) == TAKEN
    assert fickle.asked == asked  # it is not asked any more
    leaning.run_timers()
    assert leaning.kci_lines(5) == []

    fickle.there = True
    leaning.machine.advance(5)
    leaning.run_timers()

    assert leaning.kci_lines(5) == leaning.kci_lines(6) == ["1 ACKNOWLEDGED/ACKNOWLEDGED"]
    assert not leaning.rule_evaluator.watch.down
    assert leaning.create(id=7).status == 201


def test_the_next_request_finds_out_that_it_is_back(leaning: Rig, fickle: Fickle) -> None:
    fall(leaning, fickle)
    fickle.there = True
    assert leaning.create(id=6) == TAKEN
    leaning.machine.advance(5)

    assert leaning.create(id=7).status == 201
    leaning.run_timers()
    assert leaning.kci_lines(6) == ["1 ACKNOWLEDGED/ACKNOWLEDGED"]


def test_the_worker_looks_again_when_it_may_be_tried(leaning: Rig, fickle: Fickle) -> None:
    fall(leaning, fickle)
    leaning.machine.advance(5)
    assert leaning.timers.run_due() == 0  # tried, and still down

    due = leaning.timers.next_due()
    assert due is not None
    assert (due - leaning.machine.now()).total_seconds() == 5


def test_some_failures_in_a_row_do_not_yet_mean_that_it_is_down(
    leaning: Rig, fickle: Fickle
) -> None:
    fickle.there = False
    for gateway_id in range(1, 8):
        leaning.create(id=gateway_id)  # many, but all at once
    fickle.there = True
    leaning.machine.advance(60)
    assert leaning.create(id=8).status == 201
    fickle.there = False
    leaning.create(id=9)  # long after, but the first

    assert not leaning.rule_evaluator.watch.down
    assert record(leaning, key="9")["rule"] == "fallback"


def test_one_service_that_the_inventory_chokes_on_is_left_to_the_back_office(
    leaning: Rig, fickle: Fickle
) -> None:
    begin(leaning)
    leaning.create()
    fickle.broken.add(leaning.problem().service_id)
    leaning.rule_evaluator.maintenance.end(*WHO)
    for _ in range(6):
        leaning.run_timers()
        leaning.machine.advance(5)
        leaning.rule_evaluator.watch.answered()  # others succeed

    assert orders(leaning) == [("problem", True)]
    assert record(leaning)["rule"] == "fallback"


def test_a_decision_that_breaks_off_leaves_nothing_and_is_made_later(
    closed_on_sqlite: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = closed_on_sqlite
    rig.create()

    def break_off(*_: object) -> None:
        raise RuntimeError

    with monkeypatch.context() as patch:
        # The last statement of the transaction.
        patch.setattr(StoredTimers, "delete", break_off)
        end(rig)
    assert (rig.problem().state.base, rig.kci_lines(), orders(rig)) == ("UNDECIDED", [], [])
    assert record(rig)["outcome"] == "defer"

    rig.business.advance(60)
    rig.run_timers()
    assert rig.kci_lines() == ["1 ACKNOWLEDGED/ACKNOWLEDGED"]
    assert record(rig)["outcome"] == "acknowledge"


def test_a_timer_of_a_later_version_is_left_to_that(rig: Rig) -> None:
    rig.create()
    now = rig.business.now(TENANT)
    theirs = Timer(rig.problem().id, TENANT, "unheard-of", now, "X")
    rig.store.write(lambda uow: TimerRepository(uow).add(theirs))

    assert rig.timers.run_due() == 0
    assert rig.timers.next_due() is None
    (kept,) = rig.store.read(lambda uow: TimerRepository(uow).of(rig.problem().id))
    assert kept.due_at == now
