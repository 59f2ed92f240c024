"""Tickets that are looked at: what no webhook told is applied, once, and what differs is listed."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from supplier_api.backoffice.contract import settings_of
from supplier_api.backoffice.http_adapter import HttpBackOffice, HttpOptions
from supplier_api.backoffice.poller import Poller
from supplier_api.backoffice.port import Polls, Reads
from supplier_api.backoffice.reconcile import (
    CannotReconcile,
    Drift,
    Finding,
    Reconciler,
    ReconcileTimer,
)
from supplier_api.problems.snapshot import Snapshot, TicketState, Wanted
from supplier_api.problems.snapshots import SnapshotResult
from supplier_api.problems.ticket_repository import PollCursor, PollRepository
from tests.integration.delivery.sink import answer, serving
from tests.integration.problems.rig import REPAIRED, Rig
from tests.integration.problems.test_snapshots import Desk, desk_of
from tests.unit.backoffice.mappings import load as load_mapping
from tests.unit.backoffice.mappings import ticket

EVERY = timedelta(seconds=30)
OVERLAP = timedelta(seconds=120)
START = datetime.fromisoformat("2026-01-05T12:00:00Z")


@dataclass
class Tickets:
    """A ticket system that can be asked what has changed, and whose webhooks are all lost."""

    changes: list[tuple[datetime, Snapshot]] = field(default_factory=list)
    asked: list[datetime] = field(default_factory=list)
    broken: bool = False

    def set(self, rig: Rig, version: int, state: str, ticket: str = "T-1", **more: object) -> None:
        """Change a ticket now."""
        wanted = Wanted(TicketState(state), **more)  # type: ignore[arg-type]
        self.changes.append((rig.machine.now(), Snapshot(ticket, version, state, wanted)))

    def changed(self, since: datetime) -> Iterable[Snapshot]:
        self.asked.append(since)
        if self.broken:
            raise ConnectionError("no route")
        return [snapshot for at, snapshot in self.changes if at >= since]


class Readable(Tickets):
    """A ticket system whose tickets can be read, too."""

    def read(self, ticket: str) -> Snapshot | None:
        if self.broken:
            raise ConnectionError("no route")
        found = [each for _, each in self.changes if each.ticket == ticket]
        return found[-1] if found else None


@dataclass
class Rest:
    """Polls a ticket system for a desk."""

    desk: Desk
    tickets: Tickets

    def __post_init__(self) -> None:
        self.poller = self.new_poller()

    def new_poller(self) -> Poller:
        """Return the poller of another worker."""
        rig, snapshots = self.desk.rig, self.desk.snapshots
        return Poller(rig.services, snapshots, self.tickets, EVERY, OVERLAP)

    def poll(self) -> float:
        """Let the time until the next look pass, and look."""
        self.desk.rig.machine.advance(EVERY.total_seconds())
        return self.poller.turn()

    def cursor(self) -> PollCursor:
        rig = self.desk.rig
        found = rig.store.read(lambda uow: PollRepository(uow, rig.services.adapter).get())
        assert found is not None
        return found

    def state(self) -> str:
        return str(self.desk.rig.problem().state)


@pytest.fixture
def rest(rig: Rig) -> Rest:
    return Rest(desk_of(rig), Tickets())


def test_a_ticket_that_was_closed_unheard_is_noticed_at_the_next_look(rig: Rig, rest: Rest) -> None:
    assert rest.poller.turn() == EVERY.total_seconds()
    rest.tickets.set(rig, 5, "RESOLVED", resolution=REPAIRED)
    rig.machine.advance(10)
    assert rest.poller.turn() == 20
    assert rest.state() == "ACKNOWLEDGED"
    rest.poll()
    assert rest.state() == "RESOLVED"
    assert rest.tickets.asked == [START - OVERLAP] * 2


def test_a_look_begins_before_the_last_one_did_and_applies_nothing_twice(
    rig: Rig, rest: Rest
) -> None:
    rest.poller.turn()
    rest.tickets.set(rig, 5, "IN_PROGRESS")
    for _ in range(3):
        rest.poll()
    assert rest.tickets.asked[1:] == [START - OVERLAP + number * EVERY for number in range(3)]
    assert rig.kci_lines() == ["1 COMMITTED/IN_PROGRESS"]
    # Another worker, which has not seen the tickets, takes the next look: it is one for all.
    other = rest.new_poller()
    rig.machine.advance(EVERY.total_seconds())
    assert (other.turn(), rest.poller.turn()) == (30, 30)
    assert len(rest.tickets.asked) == 5
    assert rig.kci_lines() == ["1 COMMITTED/IN_PROGRESS"]


def test_the_cursor_stays_while_a_snapshot_waits_for_an_order(rig: Rig, rest: Rest) -> None:
    rest.poller.turn()
    rig.amend()
    rest.tickets.set(rig, 5, "IN_PROGRESS")
    rest.poll()
    assert (rest.state(), rest.cursor().since) == ("ACKNOWLEDGED", START)
    rest.desk.take_orders(version=4)
    rest.poll()
    assert (rest.state(), rest.cursor().since) == ("IN_PROGRESS", START + 2 * EVERY)


def test_a_look_that_fails_is_made_up_for(rig: Rig, rest: Rest) -> None:
    rest.poller.turn()
    rest.tickets.set(rig, 5, "IN_PROGRESS")
    rest.tickets.broken = True
    for _ in range(10):
        rest.poll()
    assert rest.cursor().since == START
    rest.tickets.broken = False
    rest.poll()
    assert rest.state() == "IN_PROGRESS"


def test_a_snapshot_that_fails_does_not_stop_those_behind_it(
    rig: Rig, rest: Rest, monkeypatch: pytest.MonkeyPatch
) -> None:
    take = rest.desk.snapshots.take

    def failing(snapshot: Snapshot) -> SnapshotResult:
        if snapshot.ticket == "BAD":
            raise RuntimeError
        return take(snapshot)

    monkeypatch.setattr(rest.desk.snapshots, "take", failing)
    rest.tickets.set(rig, 1, "IN_PROGRESS", ticket="BAD")
    rest.tickets.set(rig, 5, "IN_PROGRESS")
    rest.poll()
    assert rest.state() == "IN_PROGRESS"


# -- reconcile


def findings(rest: Rest, *, fix: bool = False) -> list[Finding]:
    reconciler = Reconciler(rest.desk.rig.services, rest.desk.snapshots, rest.tickets)
    return list(reconciler.run(fix=fix))


@pytest.mark.parametrize("system", [Tickets, Readable])
def test_what_a_ticket_says_is_listed_and_applied(rig: Rig, system: type[Tickets]) -> None:
    rest = Rest(desk_of(rig), system())
    assert isinstance(rest.tickets, Reads) is (system is Readable)
    rest.tickets.set(rig, 5, "COMPLETED", resolution=REPAIRED)

    (listed,) = findings(rest)
    reference = rig.problem().reference
    assert listed.line() == (
        f"{reference} ACKNOWLEDGED, ticket T-1 (COMPLETED): behind: resolve, complete"
    )
    assert rest.state() == "ACKNOWLEDGED"
    (applied,) = findings(rest, fix=True)
    assert applied.drift is Drift.APPLIED
    assert rest.state() == "COMPLETED"
    assert findings(rest) == []


def test_the_last_webhook_may_be_lost_where_http_reads_tickets(rig: Rig, tmp_path: Path) -> None:
    desk = desk_of(rig)
    load_mapping(tmp_path)
    with serving() as sink:
        options = HttpOptions(
            url=f"{sink.url}/orders",
            mapping_file=tmp_path / "mapping.yaml",
            read_url=f"{sink.url}/tickets/{{ticket}}",
        )
        reconciler = Reconciler(
            rig.services, desk.snapshots, HttpBackOffice(settings_of("http", options))
        )
        shown = json.dumps(ticket(ours=rig.problem().reference)).encode()
        sink.get_reactions += [answer(500), answer(200, b"{}"), answer(200, shown)]
        found = [each for _ in range(3) for each in reconciler.run(fix=True)]

    assert [each.drift for each in found] == [Drift.UNREADABLE, Drift.UNREADABLE, Drift.APPLIED]
    assert [each.reason for each in found[:2]] == ["answered 500", "when: there is no kind"]
    assert str(rig.problem().state) == "RESOLVED"


def test_what_cannot_be_mended_is_listed(rig: Rig) -> None:
    rest = Rest(desk_of(rig), Readable())
    assert [each.drift for each in findings(rest)] == [Drift.GONE]
    rest.tickets.broken = True
    (unreadable,) = findings(rest)
    assert (unreadable.drift, unreadable.reason) == (Drift.UNREADABLE, "connection error")
    rest.tickets.broken = False
    rest.tickets.set(rig, 5, "HELD")
    (incomplete,) = findings(rest, fix=True)
    assert incomplete.drift is Drift.APART
    assert incomplete.reason == "problemCode: missing; hold must carry it"
    rest.tickets.set(rig, 6, "IN_PROGRESS")
    rest.desk.says("IN_PROGRESS", version=6)
    rest.tickets.set(rig, 7, "ACKNOWLEDGED")
    assert [each.drift for each in findings(rest)] == [Drift.APART]


def test_a_ticket_that_was_left_behind_is_listed(rig: Rig) -> None:
    """The tenant rejected the resolution, the office was told, and its ticket is still solved."""
    rest = Rest(desk_of(rig), Readable())
    rest.tickets.set(rig, 5, "RESOLVED", resolution=REPAIRED)
    findings(rest, fix=True)
    rig.take()
    assert rig.settle("REJECTED", notes="It dropped again.").status == 200
    assert findings(rest) == []
    rest.desk.take_orders()
    (stale,) = findings(rest, fix=True)
    assert (stale.drift, stale.reason) == (Drift.STALE, "resolve")


@pytest.mark.parametrize(
    ("notes", "state", "event"),
    [("defer", "ACKNOWLEDGED", "resume"), ("none", "IN_PROGRESS", "start")],
)
def test_a_ticket_as_our_order_made_it_is_no_difference(
    rig: Rig, notes: str, state: str, event: str
) -> None:
    rig.create(notes)
    desk = Desk(rig)
    desk.take_orders(version=5)
    rest = Rest(desk, Readable())
    rest.tickets.set(rig, 5, state)

    assert findings(rest, fix=True) == []

    # The problem has gone on, and the ticket has not.
    if notes == "defer":
        rig.say("accept")
    rig.say("hold", problem_code="OTHER")
    rig.take()
    (stale,) = findings(rest, fix=True)
    assert (stale.drift, stale.reason) == (Drift.STALE, event)


def test_a_problem_without_a_ticket_is_listed(rig: Rig) -> None:
    rig.create()
    desk = Desk(rig)
    rest = Rest(desk, Readable())
    assert findings(rest) == []
    desk.take_orders(ticket=None)
    assert [each.drift for each in findings(rest)] == [Drift.NO_TICKET]


def test_the_worker_mends_from_time_to_time_and_reports(rig: Rig) -> None:
    rest = Rest(desk_of(rig), Readable())
    reconciler = Reconciler(rig.services, rest.desk.snapshots, rest.tickets)
    timer = ReconcileTimer(rig.services, reconciler, timedelta(hours=1))
    rest.tickets.set(rig, 5, "IN_PROGRESS")
    assert timer.turn() == 3600
    assert rest.state() == "IN_PROGRESS"
    assert (timer.last()["applied"], timer.last()["left"]) == (1, 0)
    rest.tickets.set(rig, 6, "RESOLVED", resolution=REPAIRED)
    assert ReconcileTimer(rig.services, reconciler, timedelta(hours=1)).turn() == 3600
    assert rest.state() == "IN_PROGRESS"


def test_an_adapter_that_shows_no_tickets_cannot_be_compared(rig: Rig) -> None:
    assert not isinstance(object(), Polls)
    with pytest.raises(CannotReconcile):
        Reconciler(rig.services, Desk(rig).snapshots, object())
