"""When a KCI may be sent: after the answer it follows and the messages queued before it."""

from datetime import datetime, timedelta

from sqlalchemy import select

from supplier_api.db import tables
from supplier_api.outbox.model import MessageState
from supplier_api.problems.services import GATEWAY
from tests.integration.problems.rig import Rig
from tests.outbox import proceed

SETTLING = timedelta(milliseconds=250)


def due_at(rig: Rig) -> datetime | None:
    """Return when the problem's lane to the gateway may be claimed."""
    lane = tables.lane.c
    query = select(lane.due_at).where(
        lane.problem_id == rig.problem().id, lane.destination == GATEWAY
    )
    at: datetime | None = rig.store.read(lambda uow: uow.connection.execute(query).scalar_one())
    return at


def not_before(rig: Rig) -> list[datetime | None]:
    """Return the earliest times of the problem's KCIs."""
    return [row["not_before"] for row in rig.messages(GATEWAY)]


def test_a_kci_does_not_overtake_the_answer_it_follows(rig: Rig) -> None:
    rig.create()
    answered = rig.machine.now()
    rig.say("start")

    assert not_before(rig) == [answered + SETTLING]
    assert due_at(rig) == answered + SETTLING
    rig.machine.advance(0.2)
    assert rig.claim() is None
    rig.machine.advance(0.05)
    assert rig.claim()


def test_kcis_of_the_same_request_wait_too(rig: Rig) -> None:
    rig.create()
    rig.say("ask-information", problem_code="OTHER", text="Which lights are on?")
    rig.take()
    rig.amend()

    assert not_before(rig)[1] == rig.machine.now() + SETTLING


def test_a_kci_that_is_queued_already_waits_for_a_later_answer(rig: Rig) -> None:
    rig.create()
    rig.machine.advance(1)
    rig.say("start")
    assert due_at(rig) == rig.machine.now()

    rig.amend()

    assert due_at(rig) == rig.machine.now() + SETTLING


def test_later_kcis_are_not_held_up(rig: Rig) -> None:
    rig.create()
    rig.machine.advance(60)
    rig.say("start")

    assert due_at(rig) == rig.machine.now()


def test_a_request_without_a_kci_makes_nothing_due(rig: Rig) -> None:
    rig.create()

    assert due_at(rig) is None


def test_another_kci_does_not_make_a_failing_lane_due_earlier(rig: Rig) -> None:
    rig.create()
    rig.say("start")
    rig.machine.advance(1)
    claim = rig.claim()
    assert claim
    later = rig.machine.now() + timedelta(minutes=2)
    now = rig.machine.now()
    rig.store.write(lambda uow: proceed(uow, claim, now, failures=1, retry_at=later))

    rig.say("hold", problem_code="OTHER")

    assert due_at(rig) == later


def test_another_kci_does_not_wake_a_parked_lane(rig: Rig) -> None:
    rig.create()
    rig.say("start")
    rig.machine.advance(1)
    claim = rig.claim()
    assert claim
    rig.settled(claim, MessageState.REFUSED)

    rig.say("hold", problem_code="OTHER")

    assert due_at(rig) is None
    assert rig.take() == []


def test_dates_rise_within_a_problem_even_when_time_stands_still(rig: Rig) -> None:
    rig.create("defer")
    rig.say("accept", commit=True)
    rig.say("hold", problem_code="OTHER")

    assert [kci["issuedOn"] for kci in rig.kcis()] == [
        "2026-01-05T12:00:00.000Z",
        "2026-01-05T12:00:00.001Z",
        "2026-01-05T12:00:00.002Z",
    ]


def test_a_kci_stays_as_it_was_at_its_change(rig: Rig) -> None:
    rig.create()
    rig.say("start")
    before = rig.messages(GATEWAY)[0]["body"]

    rig.amend(notes="The gate is open.")
    rig.resolve()

    assert rig.messages(GATEWAY)[0]["body"] == before


def test_kcis_carry_the_conversation_of_the_create(rig: Rig) -> None:
    rig.create()
    rig.say("start")

    assert [row["conversation_id"] for row in rig.messages(GATEWAY)] == ["conversation-1"]
