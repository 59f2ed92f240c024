"""Webhooks in the inbox: applied once and in order, tried again, given up, replayed, skipped."""

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from supplier_api.backoffice.inbox import BEHIND, NOBODYS, TRIES_OF_UNKNOWN, WAITS, InboxChore
from supplier_api.backoffice.inbox_admin import InboxAdmin, InboxRefused
from supplier_api.backoffice.mapping_values import MappingFailed
from supplier_api.contract.codes import ProblemCode
from supplier_api.db import StoreUnavailable
from supplier_api.db.operator_actions import OperatorActionRepository
from supplier_api.operations.retention import RetentionChore, RetentionPolicy
from supplier_api.problems.inbox_repository import (
    InboxRepository,
    InboxState,
    StoredWebhook,
    count_failed,
    waiting,
)
from supplier_api.problems.snapshot import Snapshot, TicketState, Wanted
from supplier_api.problems.snapshots import Snapshots
from tests.integration.problems.rig import Rig
from tests.integration.problems.test_snapshots import desk_of

CANCELLED = Wanted(TicketState.CANCELLED, problem_code=ProblemCode.OTHER)
QUEUED, APPLIED = InboxState.QUEUED, InboxState.APPLIED
SKIPPED, FAILED = InboxState.SKIPPED, InboxState.FAILED


class Reader:
    """An adapter that reads webhooks of tests; `broken` are tickets that it fails at."""

    def __init__(self) -> None:
        self.broken: dict[str, Exception] = {}
        self.read_anew: list[str] = []
        self.now: dict[str, Snapshot] = {}

    def parse(self, headers: Mapping[str, str], body: bytes) -> list[Snapshot]:  # noqa: ARG002
        return [self._snapshot(each) for each in json.loads(body)]

    def read(self, ticket: str) -> Snapshot | None:
        self.read_anew.append(ticket)
        return self.now.get(ticket)

    def _snapshot(self, said: Mapping[str, Any]) -> Snapshot:
        if error := self.broken.get(said["ticket"]):
            raise error
        state = TicketState(said["state"])
        code = ProblemCode.OTHER if state is TicketState.CANCELLED else None
        wanted = Wanted(state, problem_code=code)
        return Snapshot(said["ticket"], said["version"], "Some", wanted)


class Inbox:
    """The inbox of a rig, and the worker's chore."""

    def __init__(self, rig: Rig) -> None:
        self.rig, self.reader = rig, Reader()
        self.chore = self.worker()
        self.admin = InboxAdmin(rig.services)

    def worker(self) -> InboxChore:
        """Return the chore of a worker that has just started."""
        snapshots = Snapshots(self.rig.services, self.rig.progress)
        return InboxChore(self.rig.services, self.reader, snapshots)

    def comes(self, *said: tuple[str, str, int]) -> int:
        """Store a webhook about tickets; return its number."""
        named = [{"ticket": one, "state": state, "version": at} for one, state, at in said]
        body, now = json.dumps(named).encode(), self.rig.machine.now()
        store = self.rig.store
        assert store.write(lambda uow: InboxRepository(uow).add("desk", str(body), {}, body, now))
        return max(each.id for each in self.all())

    def run(self) -> float:
        """Do all that is due."""
        for _ in range(100):
            if left := self.chore.turn():
                return left
        raise AssertionError("the inbox never comes to rest")

    def all(self) -> list[StoredWebhook]:
        states = list(InboxState)
        return self.rig.store.read(
            lambda uow: [
                each for state in states for each in InboxRepository(uow).listed(state, 99)
            ]
        )

    def get(self, number: int) -> StoredWebhook:
        found = self.rig.store.read(lambda uow: InboxRepository(uow).get(number))
        assert found is not None
        return found


@pytest.fixture
def inbox(rig: Rig) -> Inbox:
    """Return the inbox of a rig whose problem has the ticket T-1."""
    desk_of(rig)
    return Inbox(rig)


def test_a_webhook_is_applied_once(inbox: Inbox) -> None:
    number = inbox.comes(("T-1", "IN_PROGRESS", 1))
    assert inbox.run() > 0
    kcis = inbox.rig.kci_lines()
    assert [kci.partition(" + ")[0] for kci in kcis] == ["1 COMMITTED/IN_PROGRESS"]

    settled = inbox.get(number)
    assert (settled.state, settled.error, settled.due_at) == (APPLIED, None, None)
    inbox.admin.replay(number, "jo", "to be sure")
    inbox.run()
    assert inbox.rig.kci_lines() == kcis
    assert inbox.get(number).state is APPLIED


def test_several_tickets_in_one_webhook_are_all_applied(inbox: Inbox) -> None:
    number = inbox.comes(("T-1", "IN_PROGRESS", 1), ("T-1", "CANCELLED", 2))
    inbox.run()
    assert inbox.get(number).state is APPLIED
    assert inbox.rig.problem().state.status == "CANCELLED"


def test_a_ticket_of_no_problem_is_tried_for_a_while(inbox: Inbox) -> None:
    number = inbox.comes(("T-9", "IN_PROGRESS", 1))
    for tried in range(TRIES_OF_UNKNOWN):
        inbox.run()
        assert inbox.get(number).attempts == tried + 1
        assert inbox.get(number).state is QUEUED
        inbox.rig.machine.advance(WAITS[tried].total_seconds())
    inbox.run()
    assert (inbox.get(number).state, inbox.get(number).error) == (APPLIED, NOBODYS)


def test_what_fails_is_tried_again_and_then_given_up(inbox: Inbox) -> None:
    number, rig = inbox.comes(("T-1", "IN_PROGRESS", 1)), inbox.rig
    inbox.reader.broken["T-1"] = RuntimeError("John Smith")
    for wait in WAITS:
        inbox.run()
        assert inbox.get(number).due_at == rig.machine.now() + wait
        rig.machine.advance(wait.total_seconds())
    inbox.run()
    failed = inbox.get(number)
    assert (failed.state, failed.error, failed.due_at) == (FAILED, "failed: RuntimeError", None)
    assert rig.store.read(count_failed) == 1

    inbox.reader.broken.clear()
    inbox.admin.replay(number, "jo", "mended")
    inbox.run()
    assert inbox.get(number).state is APPLIED


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (MappingFailed("status", "is empty"), "not understood: status: is empty"),
        (ValueError("John Smith"), "not understood: ValueError"),
    ],
)
def test_what_is_never_understood_is_given_up_at_once(
    inbox: Inbox, error: Exception, told: str
) -> None:
    number = inbox.comes(("T-1", "IN_PROGRESS", 1))
    inbox.reader.broken["T-1"] = error
    inbox.run()
    assert (inbox.get(number).state, inbox.get(number).error) == (FAILED, told)


@pytest.mark.parametrize("restarted", [False, True])
def test_later_webhooks_of_a_ticket_wait_behind_an_earlier_one(
    inbox: Inbox, *, restarted: bool
) -> None:
    first = inbox.comes(("T-1", "IN_PROGRESS", 1), ("T-3", "IN_PROGRESS", 1))
    inbox.run()
    # T-3 is nobody's: the first webhook waits, and with it all that is said of T-1.
    if restarted:
        inbox.chore = inbox.worker()
    second = inbox.comes(("T-1", "CANCELLED", 2))
    other = inbox.comes(("T-4", "CANCELLED", 2))
    inbox.run()
    assert inbox.get(second).error == BEHIND
    assert inbox.get(second).due_at == inbox.get(first).due_at
    assert inbox.get(second).attempts == 0
    assert inbox.get(other).error == NOBODYS
    assert inbox.rig.problem().state.status == "IN_PROGRESS"

    for _ in range(20):
        inbox.rig.machine.advance(60)
        inbox.run()
    assert [inbox.get(each).state for each in (first, second, other)] == [APPLIED] * 3
    assert inbox.rig.problem().state.status == "CANCELLED"


def test_a_webhook_waits_while_an_order_is_under_way_and_is_read_anew(rig: Rig) -> None:
    desk = desk_of(rig)
    inbox = Inbox(rig)
    rig.take()
    assert rig.amend().status == 201
    number = inbox.comes(("T-1", "IN_PROGRESS", 1))
    inbox.run()
    assert (inbox.get(number).state, inbox.get(number).attempts) == (QUEUED, 0)
    assert inbox.reader.read_anew == []

    desk.take_orders()
    inbox.reader.now["T-1"] = Snapshot("T-1", 2, "Some", CANCELLED)
    rig.machine.advance(2)
    inbox.run()
    assert inbox.get(number).state is APPLIED
    assert inbox.reader.read_anew == ["T-1"]
    assert rig.problem().state.status == "CANCELLED"


def test_a_worker_leaves_what_another_has_settled(inbox: Inbox) -> None:
    number = inbox.comes(("T-1", "IN_PROGRESS", 1))
    seen = inbox.get(number)
    inbox.run()
    late = inbox.worker()
    assert late._apply(seen, inbox.reader.parse({}, seen.body), inbox.rig.machine.now()) is None  # noqa: SLF001
    assert inbox.get(number).attempts == 1
    assert len(inbox.rig.kci_lines()) == 1


def test_a_database_that_is_away_is_no_failure_of_a_webhook(
    inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = inbox.comes(("T-1", "IN_PROGRESS", 1))

    def away(*_: object) -> None:
        raise StoreUnavailable("away")

    monkeypatch.setattr(inbox.rig.store, "write", away)
    with pytest.raises(StoreUnavailable):
        inbox.chore.turn()
    monkeypatch.undo()
    assert (inbox.get(number).state, inbox.get(number).attempts) == (QUEUED, 0)


def test_a_skipped_webhook_is_not_applied_and_that_is_recorded(inbox: Inbox) -> None:
    number = inbox.comes(("T-1", "IN_PROGRESS", 1))
    inbox.admin.skip(number, "jo", "a test of theirs")
    inbox.run()
    assert inbox.get(number).state is SKIPPED
    assert inbox.rig.kci_lines() == []
    with pytest.raises(InboxRefused, match="is skipped: no skip; possible: show, replay"):
        inbox.admin.skip(number, "jo", "again")
    with pytest.raises(InboxRefused, match="there is no webhook 999"):
        inbox.admin.replay(999, "jo", "again")
    action = inbox.rig.store.read(lambda uow: OperatorActionRepository(uow).last("inbox skip"))
    assert action is not None
    assert (action.who, action.reason) == ("jo", "a test of theirs")
    assert action.detail == {"webhook": number, "hook": "desk", "was": "queued"}


def test_settled_webhooks_go_after_their_time_and_no_others(inbox: Inbox) -> None:
    applied = inbox.comes(("T-1", "IN_PROGRESS", 1))
    inbox.run()
    inbox.reader.broken["T-1"] = ValueError()
    failed = inbox.comes(("T-1", "IN_PROGRESS", 2))
    inbox.run()
    waits = inbox.comes(("T-1", "IN_PROGRESS", 3))
    day = timedelta(days=1)
    keep = RetentionPolicy(400 * day, 400 * day, 400 * day, 400 * day, 14 * day, batch=10, every=60)
    retention = RetentionChore(inbox.rig.services, keep)
    assert retention.run()["webhooks"] == 0

    inbox.rig.machine.advance(15 * 86400)
    assert retention.run()["webhooks"] == 1
    assert {each.id for each in inbox.all()} == {failed, waits}
    assert applied not in {failed, waits}
    assert inbox.rig.store.read(waiting)[0] == 1
