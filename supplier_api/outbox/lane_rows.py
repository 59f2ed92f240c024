"""Lanes and queued messages as rows: what dequeue, ack and the repository share."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, func, select, text

from supplier_api.db import tables
from supplier_api.db.compiled_statements import CompiledStatement, among
from supplier_api.db.pipeline import PIPE
from supplier_api.db.unit_of_work import UnitOfWork
from supplier_api.outbox.model import Message

lane = tables.lane
message = tables.message
service_problem = tables.service_problem

# Written as in the partial indexes: SQLite compares the two as text.
NOT_PARKED = text("NOT lane.parked")
QUEUED = text("message.state = 'queued'")
# The body version that this release makes and can send. A lane with a later one is left to the
# later release, beside which this one runs during an upgrade.
BODY_VERSION = 1
# Read for one lane at a time: a NOT EXISTS might be joined with all queued messages.
OF_KNOWN_VERSION = (
    select(func.coalesce(func.max(message.c.body_version), BODY_VERSION))
    .where(message.c.lane_id == lane.c.id, QUEUED)
    .scalar_subquery()
) <= BODY_VERSION


@dataclass(frozen=True, slots=True)
class LaneRow:
    """The columns of a lane whose row is locked."""

    id: int
    problem_id: int
    tenant: str
    destination: str
    due_at: datetime | None
    not_before: datetime | None
    attempts: int
    claim_no: int
    parked: bool
    lease_owner: str | None


class LaneWork:
    """Base of what is done with lanes over one transaction."""

    def __init__(self, uow: UnitOfWork) -> None:
        """Work in the transaction of `uow`."""
        self._connection = uow.connection
        self._wake = uow.wake

    def _by_index(self) -> None:
        """Have the queue read by its indexes from here on."""
        self._connection.info[PIPE].by_index()


def lanes() -> Select[Any]:
    """Select the columns of a LaneRow, in order."""
    return select(
        lane.c.id,
        lane.c.problem_id,
        lane.c.tenant,
        lane.c.destination,
        lane.c.due_at,
        lane.c.not_before,
        lane.c.attempts,
        lane.c.claim_no,
        lane.c.parked,
        lane.c.lease_owner,
    )


def heads(connection: Connection, lane_ids: Iterable[int]) -> dict[int, Message]:
    """Return the first queued message of each lane that has one."""
    found = [Message(*row) for row in HEADS.run(connection, {"lanes": list(lane_ids)})]
    return {head.lane_id: head for head in found}


def latest(now: datetime, *others: datetime | None) -> datetime:
    """Return the latest of the instants that there are."""
    return max(now, *(other for other in others if other is not None), now)


def _heads() -> Select[Any]:
    earlier = message.alias("earlier")
    first = (
        select(func.min(earlier.c.number))
        .where(earlier.c.lane_id == message.c.lane_id, text("earlier.state = 'queued'"))
        .scalar_subquery()
    )
    return (
        select(
            message.c.id,
            message.c.lane_id,
            lane.c.problem_id,
            lane.c.tenant,
            lane.c.destination,
            message.c.number,
            message.c.uuid,
            message.c.kind,
            message.c.subject,
            message.c.conversation_id,
            service_problem.c.gateway_id,
            service_problem.c.reference,
            message.c.body,
            message.c.body_version,
            message.c.not_before,
            message.c.attempts,
            message.c.first_attempt,
            message.c.unknown,
            message.c.log,
            message.c.mended,
        )
        .select_from(message.join(lane).join(service_problem))
        .where(
            among(message.c.lane_id, "lanes"),
            message.c.number == first,
            QUEUED,
        )
    )


HEADS = CompiledStatement(_heads())
