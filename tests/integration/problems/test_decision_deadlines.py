"""Decisions that people owe: the reminder, the deadline, and what is decided without them."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from supplier_api.contract.codes import ProblemCode
from supplier_api.db import UnitOfWork
from supplier_api.problems.services import BACK_OFFICE, DecisionDeadline
from supplier_api.problems.timer_repository import Timer, TimerRepository
from supplier_api.problems.work import ORDER_KINDS, Cause, WorkOrder
from supplier_api.rules.model import Operation
from tests.integration.problems.conftest import MakeRig
from tests.integration.problems.rig import POLICY, Rig

HOUR = 1 / 24  # in days
WHO = ("jo", "a new rule book")
REJECTING = DecisionDeadline(
    timedelta(hours=8),
    remind=timedelta(hours=2),
    fallback="reject",
    code=ProblemCode.TIMED_OUT,
    text="It was not decided in time.",
)
ACCEPTING = replace(REJECTING, fallback="accept", code=None, text=None)
WAITING = replace(ACCEPTING, fallback=None)
RigWith = Callable[[DecisionDeadline], Rig]


@pytest.fixture
def rig_with(upgraded_url: str, make_rig: MakeRig) -> RigWith:
    """Return what makes a rig with this deadline for every operation, and all work orders."""

    def make(deadline: DecisionDeadline) -> Rig:
        policy = replace(POLICY, deadlines=dict.fromkeys(Operation, deadline))
        return make_rig(upgraded_url, policy=policy, order_kinds=frozenset(ORDER_KINDS))

    return make


def timers(rig: Rig) -> list[str]:
    """Return the kinds of the problem's timers, the earliest first."""
    problem_id = rig.problem().id
    return [timer.kind for timer in rig.store.read(lambda uow: TimerRepository(uow).of(problem_id))]


def orders(rig: Rig) -> list[WorkOrder]:
    return [WorkOrder.from_body(row["uuid"], row["body"]) for row in rig.messages(BACK_OFFICE)]


def kinds(rig: Rig) -> list[str]:
    return [str(order.kind) for order in orders(rig)]


def test_without_a_deadline_there_is_no_timer(rig: Rig) -> None:
    rig.create("defer")

    assert timers(rig) == []
    assert orders(rig)[0].decide_by is None


def test_the_office_is_told_by_when_and_reminded(rig_with: RigWith) -> None:
    rig = rig_with(WAITING)
    rig.create("defer")
    assert timers(rig) == ["decision-reminder", "decision-deadline"]
    rig.pass_days(5.9 * HOUR)
    assert kinds(rig) == ["problem"]
    rig.pass_days(0.2 * HOUR)
    assert timers(rig) == ["decision-deadline"]

    raised, reminder = orders(rig)
    assert raised.decide_by == reminder.decide_by == "2026-01-05T20:00:00.000Z"
    assert (reminder.kind, reminder.decide, reminder.cause) == (
        "decision-due",
        True,
        Cause.DEADLINE,
    )
    assert reminder.deferred == {"rule": "deferred", "reasons": []}


def test_without_a_fallback_it_stays_open_and_the_office_is_reminded_again(
    rig_with: RigWith,
) -> None:
    rig = rig_with(WAITING)
    rig.create("defer")
    with capture_logs() as logs:
        rig.pass_days(1)

    assert kinds(rig) == ["problem", "decision-due", "decision-due"]
    assert (rig.problem().state.base, rig.kci_lines(), timers(rig)) == ("UNDECIDED", [], [])
    assert [line["event"] for line in logs] == ["decision.due", "decision.overdue", "decision.due"]


@pytest.mark.parametrize(
    ("deadline", "told"),
    [
        (ACCEPTING, "1 ACKNOWLEDGED/ACKNOWLEDGED"),
        (REJECTING, "1 REJECTED/REJECTED + TIMED_OUT + text + no reference"),
    ],
)
def test_a_problem_is_decided_without_the_office(
    rig_with: RigWith, deadline: DecisionDeadline, told: str
) -> None:
    rig = rig_with(deadline)
    rig.create("defer")
    rig.pass_days(7.9 * HOUR)
    assert rig.kci_lines() == []
    rig.pass_days(0.2 * HOUR)

    assert rig.kci_lines() == [told]
    assert timers(rig) == []
    last = orders(rig)[-1]
    assert (last.kind, last.cause) == ("event", Cause.DEADLINE)
    assert last.subject is not None
    assert last.subject["event"] == deadline.fallback
    # A decision that comes later changes nothing.
    assert rig.say("reject", problem_code="OTHER", text="Too late.").status == 409


@pytest.mark.parametrize(
    ("deadline", "told"),
    [
        (ACCEPTING, "1 AMENDED/ACKNOWLEDGED + A COMPLETED"),
        (REJECTING, "1 AMENDMENT_REJECTED/ACKNOWLEDGED + TIMED_OUT + text + A REJECTED"),
    ],
)
def test_an_amendment_is_decided_without_the_office(
    rig_with: RigWith, deadline: DecisionDeadline, told: str
) -> None:
    rig = rig_with(deadline)
    rig.create()
    rig.amend(notes="defer", escalationRequest=True)
    rig.pass_days(6.5 * HOUR)
    reminder = orders(rig)[-1]
    assert reminder.subject is not None
    assert (reminder.kind, reminder.subject["status"]) == ("decision-due", "PENDING")
    rig.pass_days(1)

    assert (rig.kci_lines(), timers(rig)) == ([told], [])


@pytest.mark.parametrize(
    ("deadline", "told"),
    [
        (ACCEPTING, "1 CANCELLED/CANCELLED + NO_LONGER_REQUIRED + C COMPLETED"),
        (REJECTING, "1 CANCELLATION_REJECTED/ACKNOWLEDGED + TIMED_OUT + text + C REJECTED"),
    ],
)
def test_a_cancellation_is_decided_without_the_office(
    rig_with: RigWith, deadline: DecisionDeadline, told: str
) -> None:
    rig = rig_with(deadline)
    rig.create()
    rig.cancel(text="defer")
    rig.pass_days(1)

    assert rig.kci_lines() == [told]


def test_a_decision_in_time_ends_it(rig_with: RigWith) -> None:
    rig = rig_with(REJECTING)
    rig.create("defer")
    rig.say("accept")
    assert timers(rig) == []
    rig.amend(notes="defer")
    assert timers(rig) == ["decision-reminder", "decision-deadline"]
    rig.say("reject-change", change_reference="101", problem_code="OTHER", text="No.")
    assert timers(rig) == []
    rig.cancel(text="defer")
    rig.resolve()
    assert timers(rig) == ["closure-notice", "closure"]


def test_a_timer_whose_decision_was_made_has_no_effect(rig_with: RigWith) -> None:
    rig = rig_with(REJECTING)
    rig.create()
    problem = rig.problem()
    due, data = rig.business.now(problem.tenant), {"operation": "problem"}
    strays = [
        Timer(problem.id, problem.tenant, kind, due, problem.reference, data)
        for kind in ("decision-reminder", "decision-deadline")
    ]

    def add(uow: UnitOfWork) -> None:
        for stray in strays:
            TimerRepository(uow).add(stray)

    rig.store.write(add)
    rig.run_timers()

    assert (kinds(rig), rig.kci_lines(), timers(rig)) == (["problem"], [], [])


def test_a_fallback_that_breaks_off_leaves_nothing_and_is_made_later(
    rig_with: RigWith, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = rig_with(REJECTING)
    rig.create("defer")
    rig.pass_days(7 * HOUR)
    before = kinds(rig)

    def break_off(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        # The last statement of the transaction: as if the process were killed there.
        patch.setattr(TimerRepository, "delete", break_off)
        with pytest.raises(KeyboardInterrupt):
            rig.pass_days(2 * HOUR)
    assert (rig.problem().state.base, rig.kci_lines(), kinds(rig)) == ("UNDECIDED", [], before)
    assert timers(rig) == ["decision-deadline"]

    rig.run_timers()
    assert rig.kci_lines() == ["1 REJECTED/REJECTED + TIMED_OUT + text + no reference"]
    rig.run_timers()
    assert kinds(rig) == [*before, "event"]


def test_nothing_is_decided_in_maintenance_and_the_book_has_its_turn_first(
    rig_with: RigWith,
) -> None:
    rig = rig_with(REJECTING)
    rig.rule_evaluator.maintenance.begin(*WHO)
    rig.machine.advance(1)
    rig.create()
    rig.create("defer", id=2)
    rig.pass_days(1)
    assert (rig.problem().state.base, rig.kci_lines()) == ("UNDECIDED", [])

    rig.rule_evaluator.maintenance.end(*WHO)
    rig.run_timers()
    assert rig.kci_lines() == ["1 ACKNOWLEDGED/ACKNOWLEDGED"]
    assert timers(rig) == []
    # What the book leaves to people has their whole time from now on.
    rig.pass_days(7.9 * HOUR)
    assert rig.kci_lines(2) == []
    rig.pass_days(0.2 * HOUR)
    assert rig.kci_lines(2) == ["1 REJECTED/REJECTED + TIMED_OUT + text + no reference"]


def test_what_the_book_cannot_decide_for_long_is_decided_by_the_fallback(
    rig_with: RigWith, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = rig_with(REJECTING)
    rig.rule_evaluator.maintenance.begin(*WHO)
    rig.machine.advance(1)
    rig.create()
    rig.rule_evaluator.maintenance.end(*WHO)
    # As while the inventory is down: no decision has its turn.
    monkeypatch.setattr(type(rig.timers), "_room", lambda *_: 0)
    rig.pass_days(8 * HOUR)
    assert rig.kci_lines() == []
    rig.business.advance(61)
    rig.run_timers()

    assert rig.kci_lines() == ["1 REJECTED/REJECTED + TIMED_OUT + text + no reference"]
