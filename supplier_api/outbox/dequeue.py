"""How a worker claims lanes that are due, many at once."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import Integer, Select, bindparam, func, or_, select, update

from supplier_api.db.compiled_statements import CompiledStatement, among, named
from supplier_api.outbox import lane_rows
from supplier_api.outbox.lane_rows import (
    NOT_PARKED,
    OF_KNOWN_VERSION,
    LaneRow,
    LaneWork,
    lane,
    latest,
    message,
)
from supplier_api.outbox.model import Attempt, Claim, Message
from supplier_api.outbox.pauses import NOTHING_HELD, HeldUp


class Dequeuing(LaneWork):
    """Claims lanes, over one transaction."""

    def next_due(self, destination: str, held: HeldUp = NOTHING_HELD) -> datetime | None:
        """Return when the next lane to `destination` may be claimed; None if all are idle."""
        self._by_index()
        found = next_due(held).run(self._connection, {"destination": destination})
        due_at: datetime | None = found[0][0]
        return due_at

    def claim(
        self,
        destination: str,
        owner: str,
        now: datetime,
        lease_until: datetime,
        *,
        limit: int,
        failed: int,
        held: HeldUp = NOTHING_HELD,
    ) -> list[Claim]:
        """Claim up to `limit` due lanes for `owner`, the longest due first, except those `held`.

        Lanes whose last attempt failed come last, and at most `failed` of them. A lane that another
        transaction has locked is passed over. The first message of a lane whose former worker never
        gave it back may have been sent: it becomes "unknown".
        """
        due = {"destination": destination, "now": now}
        rows = self._free(due_lanes(held), {**due, "limit": limit})
        more = min(failed, limit - len(rows))
        if more > 0:
            rows += self._free(due_lanes(held, failed=True), {**due, "limit": more})
        return self._take(rows, owner, now, lease_until)

    def claim_one(
        self, lane_id: int, owner: str, now: datetime, lease_until: datetime
    ) -> Claim | None:
        """Claim a lane as a probe, due or not, if nobody has claimed it and it may be sent.

        Returns None if that is no longer so.
        """
        rows = self._free(_ONE, {"lane": lane_id, "now": now, "limit": 1})
        head = lane_rows.heads(self._connection, [lane_id]).get(lane_id)
        if not rows or head is None or latest(now, rows[0].not_before, head.not_before) > now:
            return None
        (claim,) = self._take(rows, owner, now, lease_until)
        return replace(claim, was_due=rows[0].due_at)

    def _take(
        self, rows: Sequence[LaneRow], owner: str, now: datetime, lease_until: datetime
    ) -> list[Claim]:
        ids = [row.id for row in rows]
        if not ids:
            return []
        taken = {"lanes": ids, "lease_owner": owner, "lease_until": lease_until}
        _TAKE.send(self._connection, {**taken, "due_at": lease_until})
        heads = lane_rows.heads(self._connection, ids)
        self._give_up([lane_id for lane_id in ids if lane_id not in heads])
        return [
            Claim(
                lane_id=row.id,
                problem_id=row.problem_id,
                tenant=row.tenant,
                claim_no=row.claim_no + 1,
                attempts=row.attempts,
                message=self._head_to_send(heads[row.id], row.lease_owner, now),
            )
            for row in rows
            if row.id in heads
        ]

    def _free(self, which: CompiledStatement, values: dict[str, Any]) -> list[LaneRow]:
        self._by_index()
        return [LaneRow(*row) for row in which.run(self._connection, values)]

    def _head_to_send(self, head: Message, lost_by: str | None, now: datetime) -> Message:
        if lost_by is None:
            return head
        entry = Attempt(now, "unknown", None, 0, f"taken over from {lost_by}", unknown=True).entry()
        self._connection.execute(
            update(message)
            .where(message.c.id == head.id)
            .values(unknown=True, log=[*head.log, entry])
        )
        return lane_rows.heads(self._connection, [head.lane_id])[head.lane_id]

    def _give_up(self, lane_ids: Iterable[int]) -> None:
        """Make lanes idle that were due with nothing to send."""
        for lane_id in lane_ids:
            self._connection.execute(
                update(lane)
                .where(lane.c.id == lane_id)
                .values(lease_owner=None, lease_until=None, due_at=None)
            )


@lru_cache(maxsize=64)
def next_due(held: HeldUp) -> CompiledStatement:
    """Return the statement for when the next lane to a destination may be claimed."""
    return CompiledStatement(
        select(func.min(lane.c.due_at)).where(
            _TO_DESTINATION, lane.c.due_at.is_not(None), NOT_PARKED, *held.apart()
        )
    )


@lru_cache(maxsize=64)
def due_lanes(held: HeldUp, *, failed: bool = False) -> CompiledStatement:
    """Return the statement for due lanes, either those whose last attempt failed or the others."""
    attempts = lane.c.attempts > 0 if failed else lane.c.attempts == 0
    due = lane.c.due_at <= bindparam("now", type_=lane.c.due_at.type)
    return CompiledStatement(_free().where(_TO_DESTINATION, due, attempts, *held.apart()))


def _free() -> Select[Any]:
    """Select the lanes that no transaction has locked, the longest due first."""
    return (
        lane_rows.lanes()
        .where(NOT_PARKED, OF_KNOWN_VERSION)
        .order_by(lane.c.due_at)
        .limit(bindparam("limit", type_=Integer))
        .with_for_update(skip_locked=True)
    )


_TO_DESTINATION = lane.c.destination == bindparam("destination", type_=lane.c.destination.type)
_ONE = CompiledStatement(
    _free().where(
        lane.c.id == bindparam("lane", type_=lane.c.id.type),
        lane.c.due_at.is_not(None),
        or_(
            lane.c.lease_owner.is_(None),
            lane.c.lease_until <= bindparam("now", type_=lane.c.lease_until.type),
        ),
    )
)
_TAKE = CompiledStatement(
    update(lane)
    .where(among(lane.c.id, "lanes"))
    .values(claim_no=lane.c.claim_no + 1, **named("lease_owner", "lease_until", "due_at"))
)
