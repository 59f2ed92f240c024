"""Creates the lanes of a new problem with their first messages: each row is written once.

The messages' INSERT finds its lane by problem and destination, so no statement here needs another's
result.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select

from supplier_api.db.compiled_statements import CompiledStatement
from supplier_api.db.tables import lane, message
from supplier_api.outbox.lane_rows import BODY_VERSION
from supplier_api.outbox.model import MessageState


@dataclass(frozen=True, slots=True)
class NewMessage:
    """A message to be sent; `body` is what will be sent, byte for byte."""

    number: int
    uuid: str
    kind: str
    subject: str | None
    conversation_id: str
    body: str
    contract: str
    not_before: datetime | None = None
    body_version: int = BODY_VERSION


@dataclass(frozen=True, slots=True)
class NewLane:
    """A lane to be created; nothing is sent on it before `not_before`."""

    destination: str
    not_before: datetime | None = None
    messages: Sequence[NewMessage] = field(default_factory=tuple)

    def due_at(self, now: datetime) -> datetime | None:
        """Return when its first message may be sent; None if it has none."""
        if not self.messages:
            return None
        first = self.messages[0].not_before
        return max(now, first or now, self.not_before or now)


_MESSAGE = (
    "number",
    "uuid",
    "kind",
    "subject",
    "conversation_id",
    "body",
    "contract",
    "not_before",
    "body_version",
)
# The columns that are the same for every new message.
_QUEUED: dict[str, Any] = {
    "state": MessageState.QUEUED,
    "attempts": 0,
    "unknown": False,
    "log": [],
}
# The columns that a problem's lanes share, and those of each lane.
_SHARED = ("problem_id", "tenant")
_OWN = ("destination", "due_at", "not_before")


@cache
def _add_lanes(count: int) -> CompiledStatement:
    """Return the statement that creates `count` lanes of one problem.

    The parameters of a lane end in its index.
    """
    return CompiledStatement(
        insert(lane)
        .values(
            [
                # SQLAlchemy gives types only to the values of the first of several rows.
                {name: bindparam(name, type_=lane.c[name].type) for name in _SHARED}
                | {name: bindparam(f"{name}_{number}", type_=lane.c[name].type) for name in _OWN}
                | {"attempts": 0, "claim_no": 0, "parked": False}
                for number in range(count)
            ]
        )
        .inline()
    )


_ADD_MESSAGE = CompiledStatement(
    insert(message).from_select(
        ["lane_id", *_MESSAGE, *_QUEUED, "created"],
        select(
            lane.c.id,
            *(
                bindparam(name, type_=message.c[name].type)
                for name in (*_MESSAGE, *_QUEUED, "created")
            ),
        ).where(
            lane.c.problem_id == bindparam("problem_id", type_=lane.c.problem_id.type),
            lane.c.destination == bindparam("destination", type_=lane.c.destination.type),
        ),
    )
)


def open_lanes(
    connection: Connection,
    problem_id: int,
    tenant: str,
    lanes: Sequence[NewLane],
    now: datetime,
) -> None:
    """Create a new problem's lanes with the messages queued on them; due where there are any."""
    rows: dict[str, Any] = {"problem_id": problem_id, "tenant": tenant}
    for number, new in enumerate(lanes):
        rows[f"destination_{number}"] = new.destination
        rows[f"due_at_{number}"] = new.due_at(now)
        rows[f"not_before_{number}"] = new.not_before
    _add_lanes(len(lanes)).send(connection, rows)
    for new in lanes:
        of = {"problem_id": problem_id, "destination": new.destination, "created": now}
        for queued in new.messages:
            values = {name: getattr(queued, name) for name in _MESSAGE}
            _ADD_MESSAGE.send(connection, {**of, **values, **_QUEUED})
