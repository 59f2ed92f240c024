"""The tickets of the back office: whose they are, which version was applied, which are apart."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson
from sqlalchemy import Table, delete, exists, func, select, text, update

from supplier_api.contract.codes import ChangeStatus
from supplier_api.db import UnitOfWork
from supplier_api.db.tables import (
    change_request,
    lane,
    message,
    poll_cursor,
    service_problem,
    ticket,
    ticket_apart,
)
from supplier_api.db.upsert import insert_for
from supplier_api.outbox.model import MessageState
from supplier_api.problems.services import BACK_OFFICE
from supplier_api.problems.snapshot import EPOCH, Snapshot

_p = service_problem.c
# Spelled exactly as in the partial index: SQLite compares the two as text.
_OPEN = text("service_problem.base NOT IN ('REJECTED', 'CANCELLED', 'COMPLETED')")


@dataclass(frozen=True, slots=True)
class TicketOwner:
    """What a ticket is about: a problem, or the amendment or cancellation with a reference."""

    problem_id: int
    change_reference: str | None = None


@dataclass(frozen=True, slots=True)
class Ticket:
    """A ticket that is known, with the newest version that was applied, or that we made.

    `heard` is when it last said something, None if it never did.
    """

    ticket: str
    owner: TicketOwner
    version: int | None
    heard: datetime | None


@dataclass(frozen=True, slots=True)
class OpenTicket:
    """What is open, and its ticket: a problem, or a change that is undecided.

    `under_way`: an order about the problem is undelivered.
    """

    problem_id: int
    reference: str
    state: str
    ticket: str | None
    under_way: bool


@dataclass(frozen=True, slots=True)
class ApartTicket:
    """A ticket whose newest snapshot does not fit. `since` and `updated` are machine time."""

    ticket: str
    problem_id: int | None
    cause: str
    reason: str
    snapshot: Snapshot
    since: datetime
    updated: datetime
    told: datetime | None


class TicketRepository:
    """Reads and writes the tickets of one adapter's system."""

    def __init__(self, uow: UnitOfWork, adapter: str) -> None:
        """Work in the unit of work."""
        self._connection = uow.connection
        self._adapter = adapter
        self._of = ticket.c.adapter == adapter
        self._apart = ticket_apart.c.adapter == adapter

    # -- whose they are

    def find(self, name: str) -> Ticket | None:
        """Return a ticket that spoke before."""
        of = ticket.c
        columns = (of.problem_id, of.change_reference, of.version, of.heard)
        query = select(*columns).where(self._of, of.ticket == name)
        row = self._connection.execute(query).one_or_none()
        return row and Ticket(name, TicketOwner(row[0], row[1]), row[2], row[3])

    def owners(self, name: str) -> list[TicketOwner]:
        """Return the problems that have this ticket; if there are none, the changes that have it.

        That is what the back office answered to our orders, or said with an event.
        """
        problems = select(service_problem.c.id).where(service_problem.c.back_office_id == name)
        changes = change_request.c
        found = select(changes.problem_id, changes.reference).where(changes.back_office_id == name)
        owners = [TicketOwner(each) for each in self._connection.execute(problems).scalars()]
        return owners or [TicketOwner(*row) for row in self._connection.execute(found)]

    def owner_by_reference(self, reference: str) -> TicketOwner | None:
        """Return the problem or the change with our reference."""
        of = service_problem.c
        found = self._connection.execute(select(of.id).where(of.reference == reference)).scalar()
        if found is not None:
            return TicketOwner(found)
        changes = change_request.c
        query = select(changes.problem_id, changes.reference)
        row = self._connection.execute(query.where(changes.reference == reference)).one_or_none()
        return row and TicketOwner(*row)

    def save(self, name: str, owner: TicketOwner, version: int, heard: datetime | None) -> None:
        """Store a ticket, its owner and a version; one that is older than the stored is left out.

        `heard` is when the ticket said so, None where our own order made the version. The owner's
        problem must be locked.
        """
        known = self.find(name)
        values: dict[str, Any] = {
            "problem_id": owner.problem_id,
            "change_reference": owner.change_reference,
        }
        if heard is not None:
            values["heard"] = heard
        if known is None:
            row = {"adapter": self._adapter, "ticket": name, "version": version, **values}
            if self._insert(ticket, row):
                return
            # Of another problem, at the same moment: the last one named it, as ever.
            known = self.find(name)
        if known is None or known.version is None or version > known.version:
            values["version"] = version
        where = (self._of, ticket.c.ticket == name)
        self._connection.execute(update(ticket).where(*where).values(values))

    # -- orders on the way

    def order_under_way(self, problem_id: int) -> bool:
        """Return whether an order about the problem is undelivered: its echo may be coming."""
        query = select(
            exists().where(
                lane.c.problem_id == problem_id,
                lane.c.destination == BACK_OFFICE,
                # A parked lane waits for an operator, who may take long.
                ~lane.c.parked,
                message.c.lane_id == lane.c.id,
                message.c.state == MessageState.QUEUED,
            )
        )
        return bool(self._connection.execute(query).scalar())

    # -- what is open

    def open_ids(self) -> list[int]:
        """Return the row ids of all problems that are open, in their order."""
        # Sorted here: a database that is asked for them in their order reads those over, too.
        return sorted(self._connection.execute(select(_p.id).where(_OPEN)).scalars())

    def open_tickets(self, ids: Sequence[int]) -> list[OpenTicket]:
        """Return those of some problems that are open still, by row id.

        Each is followed by its undecided change if that has a ticket of its own.
        """
        columns = (_p.id, _p.reference, _p.base, _p.back_office_id)
        query = select(*columns).where(_OPEN, _p.id.in_(ids)).order_by(_p.id)
        found = self._connection.execute(query).all()
        changes = {row[0]: row for row in self._asked([row[0] for row in found])}
        listed = []
        for problem_id, reference, base, name in found:
            way = self.order_under_way(problem_id)
            listed.append(OpenTicket(problem_id, reference, base, name, way))
            _, own, kind, other = changes.get(problem_id, (0, "", "", name))
            if other not in (None, name):
                listed.append(OpenTicket(problem_id, own, f"{kind} PENDING", other, way))
        return listed

    def _asked(self, problem_ids: list[int]) -> Any:
        of = change_request.c
        query = select(of.problem_id, of.reference, of.kind, of.back_office_id)
        asked = (of.problem_id.in_(problem_ids), of.status == ChangeStatus.PENDING)
        return self._connection.execute(query.where(*asked))

    def oldest_open(self) -> datetime | None:
        """Return when the oldest open problem was raised (business time)."""
        return self._connection.execute(select(func.min(_p.created)).where(_OPEN)).scalar()

    # -- those that are apart

    def set_apart(
        self, snapshot: Snapshot, problem_id: int | None, cause: str, reason: str, now: datetime
    ) -> None:
        """Store that a ticket's newest snapshot does not fit; a new cause is told anew.

        Of a ticket that is nobody's two workers may do so at once: no problem's lock keeps them
        apart. The newer snapshot stays, whichever is stored first.
        """
        values: dict[str, Any] = {
            "problem_id": problem_id,
            "cause": cause,
            "reason": reason,
            "version": snapshot.version,
            "snapshot": orjson.loads(snapshot.to_body()),
            "updated": now,
        }
        row = {"adapter": self._adapter, "ticket": snapshot.ticket, "since": now, **values}
        if self._insert(ticket_apart, row):
            return
        before = self.apart(snapshot.ticket)
        if before and (before.cause, before.reason) != (cause, reason):
            values["told"] = None
        of = ticket_apart.c
        newer = (of.ticket == snapshot.ticket, of.version <= snapshot.version)
        self._connection.execute(update(ticket_apart).where(self._apart, *newer).values(values))

    def _insert(self, table: Table, row: dict[str, Any]) -> bool:
        """Add a row; return False where another transaction has added one of that ticket."""
        insert = insert_for(self._connection.dialect.name, table).on_conflict_do_nothing()
        return self._connection.execute(insert, row).rowcount > 0

    def apart(self, name: str) -> ApartTicket | None:
        """Return a ticket that is apart."""
        return next(iter(self._apart_where(ticket_apart.c.ticket == name, limit=1)), None)

    def all_apart(self, limit: int) -> list[ApartTicket]:
        """Return the tickets that are apart, the longest first."""
        return self._apart_where(limit=limit)

    def untold(self, limit: int) -> list[ApartTicket]:
        """Return those whose people have not been told by a comment."""
        return self._apart_where(ticket_apart.c.told.is_(None), limit=limit)

    def told(self, found: ApartTicket, now: datetime) -> None:
        """Record that a ticket was commented, unless it has changed meanwhile."""
        of = ticket_apart.c
        same = (of.ticket == found.ticket, of.updated == found.updated)
        self._connection.execute(update(ticket_apart).where(self._apart, *same).values(told=now))

    def together(self, name: str) -> bool:
        """Remove a ticket from those apart; return whether it was one."""
        where = (self._apart, ticket_apart.c.ticket == name)
        return self._connection.execute(delete(ticket_apart).where(*where)).rowcount > 0

    def _apart_where(self, *conditions: Any, limit: int) -> list[ApartTicket]:
        of = ticket_apart.c
        columns = (of.ticket, of.problem_id, of.cause, of.reason)
        times = (of.since, of.updated, of.told)
        query = select(*columns, of.snapshot, *times).where(self._apart, *conditions)
        rows = self._connection.execute(query.order_by(of.since, of.id).limit(limit))
        return [_apart_ticket(*row) for row in rows]


@dataclass(frozen=True, slots=True)
class PollCursor:
    """How far something is known: all before `since`; somebody last looked at `polled`."""

    since: datetime
    polled: datetime


class PollRepository:
    """When something was last looked for, by any worker, and how far that got (machine times)."""

    def __init__(self, uow: UnitOfWork, name: str) -> None:
        """Work in the unit of work; `name` says what is looked for."""
        self._connection = uow.connection
        self._name = name
        self._mine = poll_cursor.c.adapter == name

    def get(self) -> PollCursor | None:
        """Return the cursor; None before the first look."""
        query = select(poll_cursor.c.since, poll_cursor.c.polled).where(self._mine)
        row = self._connection.execute(query).one_or_none()
        return row and PollCursor(*row)

    def take(self, now: datetime, every: timedelta) -> datetime | None:
        """Take the next look; return from when on, None if it is not due or another's.

        The first one looks from `now` on.
        """
        row = {"adapter": self._name, "since": now, "polled": EPOCH}
        insert = insert_for(self._connection.dialect.name, poll_cursor)
        self._connection.execute(insert.on_conflict_do_nothing(), row)
        due = update(poll_cursor).where(self._mine, poll_cursor.c.polled <= now - every)
        if self._connection.execute(due.values(polled=now)).rowcount != 1:
            return None
        found = self.get()
        return found.since if found else None

    def advance(self, since: datetime) -> None:
        """Keep that all before `since` is known."""
        self._connection.execute(update(poll_cursor).where(self._mine).values(since=since))


def count_apart(uow: UnitOfWork) -> int:
    """Return how many tickets are apart, of all adapters."""
    query = select(func.count()).select_from(ticket_apart)
    return uow.connection.execute(query).scalar_one()


def tickets_of_order(
    uow: UnitOfWork, problem_id: int, subject: str | None
) -> tuple[str | None, str | None]:
    """Return the ticket of a problem, and that of its change with the reference `subject`."""
    problem = select(service_problem.c.back_office_id).where(service_problem.c.id == problem_id)
    own = uow.connection.execute(problem).scalar()
    if subject is None:
        return own, None
    of = change_request.c
    change = select(of.back_office_id).where(of.problem_id == problem_id, of.reference == subject)
    return own, uow.connection.execute(change).scalar()


def _apart_ticket(
    name: str,
    problem_id: int | None,
    cause: str,
    reason: str,
    snapshot: dict[str, Any],
    since: datetime,
    updated: datetime,
    told: datetime | None,
) -> ApartTicket:
    stored = Snapshot.from_body(orjson.dumps(snapshot).decode())
    return ApartTicket(name, problem_id, cause, reason, stored, since, updated, told)
