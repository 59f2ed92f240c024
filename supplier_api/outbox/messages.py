"""Messages as operators work with them: found, listed, queued again, taken out.

To change one, the problem is locked and then the lane, and no worker may be sending: `lock` raises
while a lease is live, and fences off any earlier claim on the lane. All instants are machine time.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Select,
    TextClause,
    and_,
    case,
    exists,
    func,
    select,
    text,
    union_all,
    update,
)
from sqlalchemy.sql import ColumnElement

from supplier_api.clock import latest
from supplier_api.db.compiled_statements import UnitOfWork
from supplier_api.outbox import statements
from supplier_api.outbox.model import (
    DEAD_LETTERS,
    Attempt,
    LaneRow,
    LastMessage,
    MessageState,
    Rewritten,
    StoredMessage,
)
from supplier_api.outbox.repository import LaneRepository
from supplier_api.outbox.statements import QUEUED, lane, message, problem

# Written as in the partial indexes: SQLite compares the two as text.
_DEAD = text("message.state IN ('refused', 'expired')")
_PARKED = text("lane.parked")
# What the log says of an entry that is no attempt.
BY_OPERATOR = "by an operator"


class BeingSent(Exception):
    """A worker has claimed the lane; `seconds` is for how long at most."""

    def __init__(self, seconds: float) -> None:
        """Keep how long the lease lasts."""
        self.seconds = seconds
        super().__init__(f"being sent, try again in {seconds:.0f} s")


@dataclass(frozen=True, slots=True)
class MessageFilter:
    """Which messages to list; without a destination, those to all.

    `state` is a message state, `dead`, or `parked` (behind a dead letter); None: both of these.
    `problems` are row ids. `since` and `until` are about when a message was created. `after` is the
    row id of the last one that was listed before.
    """

    destination: str | None = None
    state: str | None = None
    tenant: str | None = None
    problems: Sequence[int] | None = None
    kind: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    after: int | None = None
    limit: int = 50


class MessageRepository:
    """The messages within one transaction."""

    def __init__(self, uow: UnitOfWork) -> None:
        """Work in the transaction of `uow`."""
        self._lanes = LaneRepository(uow)
        self._connection = uow.connection
        self._wake = uow.wake

    # Queries.

    def ticket(self, order_id: str, back_office_id: str | None, url: str | None) -> None:
        """Keep the back office's own ticket for a work order; the same one keeps its URL."""
        same = case((message.c.back_office_id == back_office_id, message.c.back_office_url))
        self._connection.execute(
            update(message)
            .where(message.c.uuid == order_id)
            .values(back_office_id=back_office_id, back_office_url=url or same)
        )

    def find(self, uuid: str) -> StoredMessage | None:
        """Return the message with that UUID, to any destination."""
        return self._one(message.c.uuid == uuid)

    def numbered(self, reference: str, destination: str, number: int) -> StoredMessage | None:
        """Return a problem's message to a destination by its number."""
        return self._one(
            problem.c.reference == reference,
            lane.c.destination == destination,
            message.c.number == number,
        )

    def get(self, message_id: int) -> StoredMessage:
        """Read a message again, now that its lane is locked."""
        found = self._one(message.c.id == message_id)
        assert found is not None
        return found

    def listed(self, wanted: MessageFilter) -> list[StoredMessage]:
        """Return the messages that match, in the order in which they were created."""
        query = self._all()
        for column, value in (
            (lane.c.destination, wanted.destination),
            (lane.c.tenant, wanted.tenant),
            (message.c.kind, wanted.kind),
        ):
            if value is not None:
                query = query.where(column == value)
        if wanted.after is not None:
            query = query.where(message.c.id > wanted.after)
        if wanted.problems is not None:
            query = query.where(lane.c.problem_id.in_(wanted.problems))
        query = _made(_in_state(query, wanted.state), wanted.since, wanted.until)
        rows = self._connection.execute(query.order_by(message.c.id).limit(wanted.limit))
        return [StoredMessage(*row) for row in rows]

    def last_of(self, problem_ids: Sequence[int], destination: str) -> dict[int, LastMessage]:
        """Return the last message of each problem to a destination, by the problem's row id."""
        columns = (lane.c.problem_id, message.c.number, message.c.uuid, message.c.kind)
        newest = (
            select(func.max(message.c.number))
            .where(message.c.lane_id == lane.c.id)
            .correlate(lane)
            .scalar_subquery()
        )
        query = (
            select(*columns, message.c.state, message.c.created, message.c.settled)
            .select_from(lane.join(message, message.c.lane_id == lane.c.id))
            .where(
                lane.c.problem_id.in_(problem_ids),
                lane.c.destination == destination,
                message.c.number == newest,
            )
        )
        rows = self._connection.execute(query)
        return {problem_id: LastMessage(*values) for problem_id, *values in rows}

    def problems_waiting(
        self,
        destination: str,
        since: datetime | None,
        until: datetime | None,
        *,
        after: int = 0,
        limit: int | None = None,
    ) -> list[int]:
        """Return the row ids of problems with undelivered messages created in that time.

        In the order of these ids: `limit` of those that are greater than `after`.
        """
        query = (
            select(lane.c.problem_id)
            .join(message)
            .where(lane.c.destination == destination, _one_of(_DEAD, QUEUED))
            .where(lane.c.problem_id > after)
        )
        query = _made(query, since, until).distinct().order_by(lane.c.problem_id).limit(limit)
        return list(self._connection.execute(query).scalars())

    # Changes.

    def lock(self, problem_id: int, destination: str, now: datetime) -> LaneRow:
        """Lock a lane on which no worker is sending; its problem is locked already.

        Raises BeingSent while a lease is live. A lease that has run out is ended: its message may
        have been sent, and becomes "unknown".
        """
        row = self._lanes.lock(problem_id, destination)
        if row.lease_until is not None and row.lease_until > now:
            raise BeingSent(max(1.0, (row.lease_until - now).total_seconds()))
        if row.lease_owner is not None:
            for head in statements.heads(self._connection, [row]).values():
                statements.take_over(self._connection, head, row.lease_owner, now)
        self._connection.execute(
            update(lane)
            .where(lane.c.id == row.id)
            .values(claim_no=lane.c.claim_no + 1, lease_owner=None, lease_until=None)
        )
        return row

    def undelivered(self, problem_id: int, destination: str) -> list[StoredMessage]:
        """Return a lane's queued messages and dead letters, by number."""
        left = message.c.state.in_([MessageState.QUEUED, *DEAD_LETTERS])
        return self._of_lane(problem_id, destination, left)

    def course(self, problem_id: int, destination: str) -> list[StoredMessage]:
        """Return what a receiver has been sent about a problem or will be, by number."""
        return self._of_lane(problem_id, destination, message.c.state != MessageState.SKIPPED)

    def overtaken(self, stored: StoredMessage) -> bool:
        """Return whether the receiver has, or may have, a later message of the same lane."""
        later = select(message.c.id).where(
            message.c.lane_id == stored.lane_id,
            message.c.number > stored.number,
            (message.c.state == MessageState.DELIVERED) | message.c.unknown.is_(True),
        )
        return self._connection.execute(select(exists(later))).scalar_one()

    def queue_again(
        self, stored: StoredMessage, at: datetime, what: str, rewritten: Rewritten | None = None
    ) -> None:
        """Queue a message again, with its attempts and its age counted from the start.

        `what` is the outcome noted in its log, of which nothing is removed. `unknown` stays set.
        """
        values: dict[str, Any] = {
            "state": MessageState.QUEUED,
            "attempts": 0,
            "first_attempt": None,
            "settled": None,
            "log": [*stored.log, _entry(at, what)],
        }
        if rewritten:
            values |= _rewritten(stored, rewritten)
        self._update(stored, values)

    def rewrite(self, stored: StoredMessage, rewritten: Rewritten) -> None:
        """Replace the body of a message that was never sent."""
        self._update(stored, _rewritten(stored, rewritten))

    def take_out(self, stored: StoredMessage, at: datetime, what: str) -> None:
        """Mark a message as skipped: it is never sent."""
        log = [*stored.log, _entry(at, what)]
        self._update(stored, {"state": MessageState.SKIPPED, "settled": at, "log": log})

    def go_on(self, locked: LaneRow, now: datetime) -> StoredMessage | None:
        """Make the lane due for what is left on it; return the dead letter it stays parked behind.

        It stays parked as long as there is a dead letter that no delivered message has passed; None
        if there is none.
        """
        behind = self.held_by(locked.id) if locked.parked else None
        head = statements.heads(self._connection, [locked]).get(locked.id)
        due_at = None
        if head and behind is None:
            due_at = latest(now, head.not_before, locked.not_before)
            self._wake()
        self._connection.execute(
            update(lane)
            .where(lane.c.id == locked.id)
            .values(parked=behind is not None, due_at=due_at)
        )
        return behind

    def first_untried(self, lane_id: int) -> StoredMessage | None:
        """Return the first queued message of a lane that was never sent."""
        query = self._all().where(
            message.c.lane_id == lane_id, message.c.state == MessageState.QUEUED
        )
        rows = self._connection.execute(query.order_by(message.c.number))
        return next((found for row in rows if (found := StoredMessage(*row)).untried), None)

    def skipped(self, lane_id: int) -> bool:
        """Return whether a message of the lane was skipped."""
        query = select(message.c.id).where(
            message.c.lane_id == lane_id, message.c.state == MessageState.SKIPPED
        )
        return self._connection.execute(select(exists(query))).scalar_one()

    def held_by(self, lane_id: int) -> StoredMessage | None:
        """Return the first dead letter of a lane that no delivered message has passed."""
        later = message.alias()
        passed = exists().where(
            later.c.lane_id == message.c.lane_id,
            later.c.number > message.c.number,
            later.c.state == MessageState.DELIVERED,
        )
        return self._one(message.c.lane_id == lane_id, message.c.state.in_(DEAD_LETTERS), ~passed)

    def _of_lane(
        self, problem_id: int, destination: str, which: ColumnElement[bool]
    ) -> list[StoredMessage]:
        of_lane = (lane.c.problem_id == problem_id) & (lane.c.destination == destination)
        query = self._all().where(of_lane, which).order_by(message.c.number)
        return [StoredMessage(*row) for row in self._connection.execute(query)]

    def _update(self, stored: StoredMessage, values: dict[str, Any]) -> None:
        self._connection.execute(update(message).where(message.c.id == stored.id).values(**values))

    def _one(self, *conditions: ColumnElement[bool]) -> StoredMessage | None:
        query = self._all().where(*conditions).order_by(message.c.number).limit(1)
        row = self._connection.execute(query).first()
        return StoredMessage(*row) if row else None

    def _all(self) -> Select[Any]:
        sources = {
            "problem_id": lane.c.problem_id,
            "tenant": lane.c.tenant,
            "destination": lane.c.destination,
            "reference": problem.c.reference,
            "gateway_id": problem.c.gateway_id,
            "parked": lane.c.parked,
            "due_at": lane.c.due_at,
        }
        columns = [
            sources[name] if name in sources else message.c[name]
            for name in StoredMessage.__slots__
        ]
        joined = message.join(lane).join(problem, problem.c.id == lane.c.problem_id)
        return select(*columns).select_from(joined)


def _in_state(query: Select[Any], state: str | None) -> Select[Any]:
    parked = and_(QUEUED, message.c.lane_id.in_(select(lane.c.id).where(_PARKED)))
    if state is None:
        return query.where(_one_of(_DEAD, parked))
    if state == "parked":
        return query.where(_one_of(parked))
    if state == "dead":
        return query.where(_one_of(_DEAD))
    if state == MessageState.QUEUED:
        return query.where(_one_of(QUEUED))
    if state in DEAD_LETTERS:
        return query.where(_one_of(_DEAD), message.c.state == state)
    return query.where(message.c.state == state)


def _one_of(*conditions: ColumnElement[bool] | TextClause) -> ColumnElement[bool]:
    """Return the condition that a message meets one of these, each of a partial index.

    They are looked up apart: SQLite, once it knows that there are many lanes, would else begin with
    all of those.
    """
    return message.c.id.in_(union_all(*(select(message.c.id).where(each) for each in conditions)))


def _made(query: Select[Any], since: datetime | None, until: datetime | None) -> Select[Any]:
    if since:
        query = query.where(message.c.created >= since)
    if until:
        query = query.where(message.c.created < until)
    return query


def _rewritten(stored: StoredMessage, new: Rewritten) -> dict[str, Any]:
    original = stored.body if stored.original is None else stored.original
    return {"body": new.body, "kind": new.kind, "mended": new.mended, "original": original}


def _entry(at: datetime, what: str) -> dict[str, Any]:
    return Attempt(at, what, None, 0, BY_OPERATOR).entry()
