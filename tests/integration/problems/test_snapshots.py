"""Snapshots of tickets: followed in one transaction, once, or put apart."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from supplier_api.backoffice.comments import ApartComments
from supplier_api.contract.codes import ProblemCode
from supplier_api.db import UnitOfWork
from supplier_api.outbox.model import Attempt, AttemptRecord, MessageState
from supplier_api.outbox.repository import LaneRepository
from supplier_api.problems.parts_repository import BackOfficeEventRepository
from supplier_api.problems.services import BACK_OFFICE
from supplier_api.problems.snapshot import ChangeDecision, Snapshot, TicketState, Wanted
from supplier_api.problems.snapshots import SnapshotResult, Snapshots
from supplier_api.problems.ticket_repository import ApartTicket, TicketRepository
from supplier_api.problems.ticket_ways import NotFollowed, way_to
from supplier_api.problems.work import OrderAnswer, WorkOrder
from tests.integration.problems.interruption import Gate, wait_until_one_waits
from tests.integration.problems.rig import REPAIRED, Rig
from tests.outbox import proceed

APPLIED, NOTHING, OLD = SnapshotResult.APPLIED, SnapshotResult.NOTHING, SnapshotResult.OLD
WAITS, APART, UNKNOWN = SnapshotResult.WAITS, SnapshotResult.APART, SnapshotResult.UNKNOWN
LEASE = timedelta(seconds=45)


class Desk:
    """The back office of a rig: it answers orders, and shows its tickets."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.snapshots = Snapshots(rig.services, rig.progress)
        self._versions = count(1)

    def take_orders(self, ticket: str | None = "T-1", version: int | None = None) -> None:
        """Answer all orders that are queued with a ticket."""
        rig, now = self.rig, self.rig.machine.now()

        def work(uow: UnitOfWork) -> bool:
            claims = LaneRepository(uow).claim(
                BACK_OFFICE, "test", now, now + LEASE, limit=1, failed=1
            )
            for claim in claims:
                message = claim.message
                order = WorkOrder.from_body(message.uuid, message.body)
                answer = OrderAnswer(back_office_id=ticket, version=version)
                rig.progress.order_answered(uow, claim.problem_id, order, answer)
                LaneRepository(uow).lock_claimed([claim])
                attempt = Attempt(now, MessageState.DELIVERED, None, 1, "")
                taken = AttemptRecord(message, attempt, MessageState.DELIVERED)
                LaneRepository(uow).record([taken])
                proceed(uow, claim, now, parks=False)
            return bool(claims)

        while rig.store.write(work):
            pass

    def says(
        self,
        state: str | None = None,
        *,
        ticket: str = "T-1",
        version: int | None = None,
        decision: ChangeDecision | None = None,
        **more: Any,
    ) -> SnapshotResult:
        """Show a ticket, by default in a newer version than ever before."""
        version = next(self._versions) if version is None else version
        ours = ("reference", "url", "trouble")
        of_ticket = {name: more.pop(name) for name in ours if name in more}
        wanted = Wanted(TicketState(state), **more) if state else None
        shown = Snapshot(ticket, version, "Some", wanted, decision, **of_ticket)
        return self.snapshots.take(shown)

    def apart(self) -> list[ApartTicket]:
        """Return the tickets that are apart."""
        return self.rig.store.read(
            lambda uow: TicketRepository(uow, self.rig.services.adapter).all_apart(10)
        )

    def causes(self) -> list[str]:
        """Return why tickets are apart."""
        return [each.cause for each in self.apart()]


def desk_of(rig: Rig, notes: str = "none") -> Desk:
    """Return the desk of a rig with a problem whose order was answered with the ticket T-1."""
    rig.create(notes)
    desk = Desk(rig)
    desk.take_orders()
    return desk


def test_a_ticket_takes_its_problem_from_raised_to_completed(rig: Rig) -> None:
    desk = desk_of(rig, "defer")

    assert desk.says("IN_PROGRESS") is APPLIED
    held: dict[str, Any] = {"problem_code": ProblemCode.NETWORK_ISSUE, "text": "A pole is down."}
    assert desk.says("HELD", **held) is APPLIED
    assert desk.says("HELD", **held) is NOTHING
    assert desk.says("IN_PROGRESS") is APPLIED
    asked: dict[str, Any] = {
        "problem_code": ProblemCode.INFORMATION_REQUIRED,
        "text": "Which room?",
    }
    assert desk.says("PENDING", **asked) is APPLIED
    assert desk.says("RESOLVED", resolution=REPAIRED) is APPLIED
    assert desk.says("RESOLVED", resolution=REPAIRED) is NOTHING
    assert desk.says("COMPLETED") is APPLIED
    assert desk.says("COMPLETED") is NOTHING
    assert rig.kci_lines() == [
        "1 ACKNOWLEDGED/ACKNOWLEDGED",
        "2 COMMITTED/IN_PROGRESS",
        "3 DELAY/HELD + NETWORK_ISSUE + text",
        "4 RESUMED/IN_PROGRESS",
        "5 INFORMATION_REQUIRED/PENDING + INFORMATION_REQUIRED + text",
        "6 RESOLVED/RESOLVED + R PENDING",
        "7 COMPLETED/COMPLETED + R ACCEPTED closed",
    ]
    assert desk.apart() == []


def test_the_events_of_a_snapshot_are_named_after_it(rig: Rig) -> None:
    desk = desk_of(rig, "defer")
    desk.says("COMPLETED", version=77, resolution=REPAIRED)
    problem_id = rig.problem().id

    events = rig.store.read(lambda uow: BackOfficeEventRepository(uow).of(problem_id))

    named = [(each.event_id, each.event) for each in events]
    assert named == [("T-1:77:0", "accept"), ("T-1:77:1", "resolve"), ("T-1:77:2", "complete")]


def test_a_snapshot_is_followed_whole_or_not_at_all(rig: Rig) -> None:
    desk = desk_of(rig, "defer")

    assert desk.says("HELD") is APART
    (apart,) = desk.apart()
    assert (apart.cause, apart.reason) == (
        "incomplete",
        "problemCode: missing; hold must carry it",
    )
    assert rig.kcis() == []
    assert desk.says("HELD", problem_code=ProblemCode.OTHER) is APPLIED
    assert desk.apart() == []


def test_a_snapshot_that_is_not_newer_is_ignored(rig: Rig) -> None:
    desk = desk_of(rig)

    assert desk.says("HELD", version=5, problem_code=ProblemCode.OTHER) is APPLIED
    assert desk.says("IN_PROGRESS", version=5) is OLD
    assert desk.says("IN_PROGRESS", version=4) is OLD
    assert desk.says("IN_PROGRESS", version=6) is APPLIED


def test_the_echo_of_our_own_order_is_ignored(rig: Rig) -> None:
    desk = desk_of(rig)
    rig.amend()
    assert desk.says("HELD", version=10, problem_code=ProblemCode.OTHER) is WAITS

    desk.take_orders("T-1", version=11)

    assert desk.says("IN_PROGRESS", version=10) is OLD
    assert desk.says("IN_PROGRESS", version=11) is OLD
    assert desk.says("IN_PROGRESS", version=12) is APPLIED


def test_one_row_tells_why_a_ticket_is_apart_until_it_fits(rig: Rig) -> None:
    desk = desk_of(rig, "commit")

    assert desk.says("ACKNOWLEDGED") is APART
    assert desk.says("REJECTED", text="No.", problem_code=ProblemCode.OTHER) is APART
    assert desk.causes() == ["no-way"]
    assert desk.says("ACKNOWLEDGED", version=1) is OLD
    assert desk.causes() == ["no-way"]
    assert desk.says("IN_PROGRESS") is NOTHING
    assert desk.apart() == []


def test_what_did_not_fit_is_tried_again_in_the_same_version(rig: Rig) -> None:
    desk = desk_of(rig)
    rig.amend(notes="defer")
    desk.take_orders(None)
    asked: dict[str, Any] = {"problem_code": ProblemCode.OTHER, "text": "Which room?", "version": 9}
    assert desk.says("PENDING", **asked) is APART

    rig.say("reject-change", change_reference=rig.change_reference(), **WHY)

    assert desk.says("PENDING", **asked) is APPLIED
    assert desk.says("PENDING", **asked) is OLD
    assert desk.apart() == []


WHY: dict[str, Any] = {"problem_code": "OTHER", "text": "Too late."}


@pytest.mark.parametrize(
    ("more", "cause"),
    [
        ({"trouble": "no state for Parked"}, "unmapped"),
        ({"state": "HELD", "problem_code": ProblemCode.OTHER, "text": "x" * 1001}, "invalid"),
        ({"state": "RESOLVED"}, "incomplete"),
        ({"state": "RESOLVED", "resolution": {"resolutionCode": "MENDED"}}, "invalid"),
        ({"state": "CANCELLED"}, "incomplete"),
    ],
)
def test_a_ticket_that_cannot_be_passed_on_is_apart(
    on_sqlite: Rig, more: dict[str, Any], cause: str
) -> None:
    desk = desk_of(on_sqlite)

    assert desk.says(**more) is APART
    assert desk.causes() == [cause]
    assert on_sqlite.kcis() == []


def test_a_ticket_that_still_works_on_a_problem_that_is_over_is_apart(rig: Rig) -> None:
    desk = desk_of(rig)
    rig.cancel()
    desk.take_orders()

    assert desk.says("IN_PROGRESS") is APART
    assert desk.causes() == ["over"]
    assert desk.says("RESOLVED") is NOTHING
    assert desk.apart() == []


def test_an_unknown_ticket_is_linked_by_our_reference(rig: Rig) -> None:
    rig.create()
    desk = Desk(rig)
    desk.take_orders(None)
    reference = rig.problem().reference

    assert desk.says("IN_PROGRESS") is UNKNOWN
    assert desk.says("IN_PROGRESS", reference="SP_NOBODYS", ticket="T-2") is APART
    assert desk.causes() == ["unknown-reference"]
    assert desk.says("IN_PROGRESS", reference=reference, url="https://t/1") is APPLIED
    problem = rig.problem()
    assert (problem.back_office_id, problem.back_office_url) == ("T-1", "https://t/1")
    assert desk.says("IN_PROGRESS", reference=reference, ticket="T-3") is APART
    assert desk.causes() == ["unknown-reference", "other-ticket"]


@pytest.mark.parametrize(("first", "second"), [(7, 8), (8, 7), (7, 7)])
def test_two_workers_may_meet_the_same_ticket_of_nobody(
    on_postgresql: Rig, emptied_postgresql: str, first: int, second: int
) -> None:
    rig, gate = on_postgresql, Gate()
    desk = Desk(rig)
    nobodys = Snapshot("T-1", first, "Some", Wanted(TicketState.IN_PROGRESS), reference="SP_NONE")

    def stay_open(uow: UnitOfWork) -> SnapshotResult:
        taken = desk.snapshots.apply(uow, nobodys)
        gate.pass_through()
        return taken

    with ThreadPoolExecutor(2) as pool:
        one = pool.submit(rig.store.write, stay_open)
        gate.wait_reached()
        other = pool.submit(desk.snapshots.take, replace(nobodys, version=second))
        wait_until_one_waits(emptied_postgresql)
        gate.open()
        assert (one.result(), other.result()) == (APART, APART)

    (apart,) = desk.apart()
    assert (apart.cause, apart.snapshot.version) == ("unknown-reference", max(first, second))


def test_an_older_snapshot_of_a_ticket_of_nobody_replaces_none(rig: Rig) -> None:
    desk = Desk(rig)
    for version in (8, 7):
        assert desk.says("IN_PROGRESS", reference="SP_NONE", version=version) is APART

    (apart,) = desk.apart()
    assert apart.snapshot.version == 8


def test_a_ticket_of_two_problems_is_apart(rig: Rig) -> None:
    desk = desk_of(rig)
    rig.create(id=2)
    desk.take_orders()

    assert desk.says("IN_PROGRESS") is APART
    assert desk.causes() == ["several"]


def test_no_ticket_of_ours_has_so_long_a_name(rig: Rig) -> None:
    desk = desk_of(rig)

    assert desk.says("IN_PROGRESS", ticket="x" * 101) is UNKNOWN


def test_the_ticket_of_a_change_decides_it(rig: Rig) -> None:
    desk = desk_of(rig)
    rig.amend(notes="defer")
    desk.take_orders("C-1")
    accepted, refused = ChangeDecision(accept=True), ChangeDecision(accept=False)

    assert desk.says("IN_PROGRESS", ticket="C-1") is NOTHING
    assert desk.says(ticket="C-1", decision=refused) is APART
    assert desk.causes() == ["incomplete"]
    assert desk.says(ticket="C-1", decision=accepted) is APPLIED
    assert desk.says(ticket="C-1", decision=accepted) is NOTHING
    assert desk.says(ticket="C-1", decision=refused) is APART
    assert desk.causes() == ["decided"]
    assert rig.kci_lines() == ["1 AMENDED/ACKNOWLEDGED + A COMPLETED"]


def test_one_ticket_may_decide_what_is_asked_about_its_problem(rig: Rig) -> None:
    desk = desk_of(rig)
    rig.cancel(text="defer")
    desk.take_orders("T-1")
    refused = ChangeDecision(
        accept=False, problem_code=ProblemCode.OTHER, text="The engineer is there."
    )

    assert desk.says(decision=refused) is APPLIED
    assert desk.says(decision=refused) is NOTHING
    assert rig.kci_lines() == ["1 CANCELLATION_REJECTED/ACKNOWLEDGED + OTHER + text + C REJECTED"]


def test_people_are_told_once_by_a_comment_in_the_ticket(rig: Rig) -> None:
    comments: list[tuple[str, str]] = []
    fails = True

    class Writing:
        def comment(self, ticket: str, text: str) -> None:
            if fails:
                raise ConnectionError
            comments.append((ticket, text))

    desk = desk_of(rig)
    chore = ApartComments(rig.services, Writing())
    assert chore.turn() > 0
    desk.says("HELD")
    assert chore.turn() > 1
    fails = False
    assert chore.turn() == 0
    assert chore.turn() > 1
    desk.says("HELD")
    assert chore.turn() > 1
    desk.says("REJECTED")
    assert chore.turn() == 0

    assert comments[0] == (
        "T-1",
        "Not passed on to the customer's provider: problemCode: missing; hold must carry it.",
    )
    assert len(comments) == 2


IDS = count(1)
CONTENT: dict[str, Any] = {
    "problem_code": ProblemCode.OTHER,
    "text": "Words.",
    "resolution": REPAIRED,
}


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    st.sampled_from(["none", "defer", "commit"]),
    st.lists(st.tuples(st.sampled_from(TicketState), st.integers(0, 8), st.booleans()), max_size=8),
)
def test_any_course_of_snapshots_ends_where_the_newest_fitting_one_says(
    rig: Rig, notes: str, course: list[tuple[TicketState, int, bool]]
) -> None:
    gateway_id = next(IDS)
    ticket = f"T-{gateway_id}"
    rig.create(notes, id=gateway_id)
    desk = Desk(rig)
    desk.take_orders(ticket)
    newest = -1
    for state, version, complete in course:
        before = rig.problem(gateway_id).state
        content = CONTENT if complete else {}
        result = desk.says(state, ticket=ticket, version=version, **content)
        after = rig.problem(gateway_id).state
        if result in (APPLIED, NOTHING):
            assert way_to(after, Wanted(state)) == ()
            assert version >= newest
        else:
            assert after == before
        if result is APART and complete:
            with pytest.raises(NotFollowed):
                way_to(before, Wanted(state))
        newest = max(newest, version)
    rig.kcis(gateway_id)
