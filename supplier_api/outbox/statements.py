"""The SQL of lanes: how they are created, locked, claimed and moved on, many at once.

The statements of the hot path are compiled once.
"""

from collections.abc import Iterable, Sequence
from dataclasses import fields
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Integer,
    Select,
    Table,
    TextClause,
    bindparam,
    func,
    insert,
    select,
    text,
    update,
)

from supplier_api.db import tables
from supplier_api.db.compiled_statements import CompiledStatement, Rows, among, hint_among, named
from supplier_api.db.types import as_text
from supplier_api.outbox.model import (
    BODY_VERSION,
    Attempt,
    AttemptRecord,
    LaneRow,
    LaneStep,
    Message,
    MessageState,
    NewMessage,
)
from supplier_api.outbox.pauses import HeldUp

lane = tables.lane
message = tables.message
problem = tables.service_problem

Condition = ColumnElement[bool] | TextClause
# Written as in the partial indexes: SQLite compares the two as text.
NOT_PARKED = text("NOT lane.parked")
QUEUED = text("message.state = 'queued'")
# Read for one lane at a time: a NOT EXISTS might be joined with all queued messages.
OF_KNOWN_VERSION = (
    select(func.coalesce(func.max(message.c.body_version), BODY_VERSION))
    .where(message.c.lane_id == lane.c.id, QUEUED)
    .scalar_subquery()
) <= BODY_VERSION


def _value(column: ColumnElement[Any], name: str) -> ColumnElement[Any]:
    return bindparam(name, type_=column.type)


_TO_DESTINATION = lane.c.destination == _value(lane.c.destination, "destination")

# Create.

ADD_LANE = CompiledStatement(
    insert(lane)
    .values(named("problem_id", "tenant", "destination", "due_at", "not_before"))
    .values(attempts=0, claim_no=0, parked=False)
    .returning(lane.c.id)
)
ADD_MESSAGE = CompiledStatement(
    insert(message)
    .values(named("lane_id", "created", *(each.name for each in fields(NewMessage))))
    .values(state=MessageState.QUEUED, attempts=0, unknown=False, log=[])
    .inline()
)


# Lock.


def read_lanes(*which: Condition) -> Select[Any]:
    """Select the columns of a LaneRow from lanes that match; no lock."""
    return select(*(lane.c[each.name] for each in fields(LaneRow))).where(*which)


def lock_lanes(
    *which: Condition, waiting: bool = True, order: Sequence[ColumnElement[Any]] = (lane.c.id,)
) -> Select[Any]:
    """Select the columns of a LaneRow from lanes that match, and lock these.

    By default in the order of ids, as all locks of lanes that are waited for. Without `waiting`
    those that other transactions have locked are left out.
    """
    query = read_lanes(*which).order_by(*order)
    return query.with_for_update(skip_locked=not waiting)


_OURS = among(lane.c.id, "lanes")
LOCK_OF_PROBLEM = CompiledStatement(
    lock_lanes(lane.c.problem_id == _value(lane.c.problem_id, "problem_id"), _TO_DESTINATION)
)
LOCK = CompiledStatement(lock_lanes(_OURS))
LOCK_FREE = CompiledStatement(lock_lanes(_OURS, waiting=False))
CLAIM_NUMBERS = CompiledStatement(select(lane.c.id, lane.c.claim_no).where(_OURS))

# Show.

OF_PROBLEM = CompiledStatement(
    select(message)
    .join(lane)
    .where(lane.c.problem_id == bindparam("problem_id"))
    .order_by(message.c.id)
)

# Claim.


@lru_cache(maxsize=64)
def next_due(held: HeldUp) -> CompiledStatement:
    """Return the statement for when the next lane to a destination may be claimed."""
    # As the first in the index's order: for a minimum PostgreSQL may read all that are due.
    return CompiledStatement(
        select(lane.c.due_at)
        .where(_TO_DESTINATION, lane.c.due_at.is_not(None), NOT_PARKED, *held.apart())
        .order_by(lane.c.due_at)
        .limit(1)
    )


@lru_cache(maxsize=64)
def due_lanes(held: HeldUp, *, failed: bool = False) -> CompiledStatement:
    """Return the statement for due lanes, either those whose last attempt failed or the others.

    It locks those that no other transaction has locked, the longest due first.
    """
    attempts = lane.c.attempts > 0 if failed else lane.c.attempts == 0
    due = lane.c.due_at <= _value(lane.c.due_at, "now")
    query = lock_lanes(
        _TO_DESTINATION,
        due,
        attempts,
        NOT_PARKED,
        OF_KNOWN_VERSION,
        *held.apart(),
        waiting=False,
        order=(lane.c.due_at,),
    )
    return CompiledStatement(query.limit(bindparam("limit", type_=Integer)))


TAKE = CompiledStatement(
    update(lane)
    .where(_OURS)
    .values(claim_no=lane.c.claim_no + 1, **named("lease_owner", "lease_until", "due_at"))
)

# Move on.

SET_DUE = CompiledStatement(
    update(lane).where(lane.c.id == bindparam("lane")).values(named("due_at", "not_before"))
)
_RECORDS = Rows("records")
_STEPS = Rows("steps")
_OUTCOME = ("state", "attempts", "first_attempt", "unknown", "log", "digest", "settled")


def _new(rows: Rows, table: Table, *columns: str) -> dict[str, ColumnElement[Any]]:
    return {name: rows.field(name, table.c[name].type) for name in columns}


RECORD = CompiledStatement(
    update(message)
    .where(
        message.c.id == _RECORDS.field("message", message.c.id.type),
        # PostgreSQL cannot know how few rows there are: so it does not read the whole table.
        hint_among(message.c.id, "ids"),
        # Spelled unlike the index of queued messages, so that the row is found by its id.
        func.coalesce(message.c.state, "") == MessageState.QUEUED,
        message.c.attempts == _RECORDS.field("before", message.c.attempts.type),
    )
    .values(
        # The last refusal is kept, however the message ends.
        refusal=func.coalesce(_RECORDS.field("said", message.c.refusal.type), message.c.refusal),
        **_new(_RECORDS, message, *_OUTCOME),
    )
    .returning(message.c.id)
)
PROCEED = CompiledStatement(
    update(lane)
    .where(
        lane.c.id == _STEPS.field("lane", lane.c.id.type),
        hint_among(lane.c.id, "ids"),
        lane.c.claim_no == _STEPS.field("mine", lane.c.claim_no.type),
    )
    .values(_new(_STEPS, lane, "lease_owner", "lease_until", "due_at", "attempts", "parked"))
    .returning(lane.c.id)
)


def record_values(record: AttemptRecord) -> dict[str, Any]:
    """Return the parameters of RECORD."""
    of, attempt = record.message, record.attempt
    return {
        "message": of.id,
        "before": of.attempts,
        "state": record.state,
        "attempts": of.attempts + int(record.counts),
        "first_attempt": as_text(of.first_attempt or (attempt.at if record.counts else None)),
        "unknown": of.unknown or attempt.unknown,
        "log": [*of.log, attempt.entry()],
        "digest": record.digest,
        "said": record.refusal,
        "settled": None if record.state is MessageState.QUEUED else as_text(attempt.at),
    }


def proceed_values(
    step: LaneStep,
    row: LaneRow,
    owner: str | None,
    lease_until: datetime | None,
    due_at: datetime | None,
) -> dict[str, Any]:
    """Return one of the steps of PROCEED."""
    return {
        "lane": step.claim.lane_id,
        "mine": step.claim.claim_no,
        "lease_owner": owner,
        "lease_until": as_text(lease_until),
        "due_at": as_text(due_at),
        "attempts": step.failures,
        "parked": row.parked or step.parks,
    }


# What a queued message has of its lane, which the caller has read.
_OF_LANE = ("problem_id", "tenant", "destination")


def _heads() -> Select[Any]:
    earlier = message.alias("earlier")
    first = (
        select(func.min(earlier.c.number))
        .where(earlier.c.lane_id == message.c.lane_id, text("earlier.state = 'queued'"))
        .scalar_subquery()
    )
    of_lane = select(lane.c.problem_id).where(lane.c.id == message.c.lane_id).correlate(message)

    def of_problem(name: str) -> ColumnElement[Any]:
        found = select(problem.c[name]).where(problem.c.id == of_lane.scalar_subquery())
        return found.scalar_subquery().label(name)

    # Looked up by their ids, one by one. Where statistics say that a table is empty (they are from
    # before its first rows were committed), PostgreSQL would join it by reading all of it for each
    # message, even by an index.
    columns = {**message.c, **{name: of_problem(name) for name in ("gateway_id", "reference")}}
    return select(
        *(columns[each.name] for each in fields(Message) if each.name not in _OF_LANE)
    ).where(among(message.c.lane_id, "lanes"), message.c.number == first, QUEUED)


HEADS = CompiledStatement(_heads())


def heads(connection: Connection, lanes: Iterable[LaneRow]) -> dict[int, Message]:
    """Return the first queued message of each lane that has one, by the lane's id."""
    rows = {row.id: row for row in lanes}
    found = {}
    for message_id, lane_id, *others in HEADS.run(connection, {"lanes": list(rows)}):
        of = rows[lane_id]
        found[lane_id] = Message(
            message_id, lane_id, of.problem_id, of.tenant, of.destination, *others
        )
    return found


def take_over(connection: Connection, head: Message, owner: str, now: datetime) -> None:
    """Note that `owner` never gave the lane back: `head` may have been sent, and is unknown."""
    entry = Attempt(now, "unknown", None, 0, f"taken over from {owner}", unknown=True).entry()
    taken = update(message).where(message.c.id == head.id)
    connection.execute(taken.values(unknown=True, log=[*head.log, entry]))
