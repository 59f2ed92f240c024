"""How a worker takes lanes that are due, many at once."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import Row, func, select, update

from supplier_api.store import lane_rows
from supplier_api.store.claims import Attempt, Claim, Message
from supplier_api.store.lane_rows import NOT_PARKED, OF_LATER_VERSION, LaneWork, lane, message


class Claiming(LaneWork):
    """Claims, over one transaction."""

    def next_due(self, destination: str) -> datetime | None:
        """Return when the next lane to `destination` may be claimed; None if all are idle."""
        query = select(func.min(lane.c.due_at)).where(
            lane.c.destination == destination, lane.c.due_at.is_not(None), NOT_PARKED
        )
        due_at: datetime | None = self._connection.execute(query).scalar_one()
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
    ) -> list[Claim]:
        """Take up to `limit` due lanes for `owner`, the longest due first.

        Lanes whose last attempt failed come last, and at most `failed` of them. A lane that another
        transaction holds locked is passed over. The first message of a lane that is taken over from
        a worker that never gave it back may have been sent: it becomes "unknown".
        """
        rows = self._due(destination, now, lane.c.attempts == 0, limit)
        rows += self._due(destination, now, lane.c.attempts > 0, min(failed, limit - len(rows)))
        ids = [row.id for row in rows]
        if not ids:
            return []
        self._connection.execute(
            update(lane)
            .where(lane.c.id.in_(ids))
            .values(
                claim_no=lane.c.claim_no + 1,
                lease_owner=owner,
                lease_until=lease_until,
                due_at=lease_until,
            )
        )
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

    def _due(self, destination: str, now: datetime, which: Any, limit: int) -> list[Row[Any]]:
        if limit <= 0:
            return []
        query = (
            lane_rows.lanes()
            .where(lane.c.destination == destination, lane.c.due_at <= now, NOT_PARKED, which)
            .where(~OF_LATER_VERSION)
            .order_by(lane.c.due_at)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        return list(self._connection.execute(query))

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
        """Put lanes to rest that were due with nothing to send."""
        for lane_id in lane_ids:
            self._connection.execute(
                update(lane)
                .where(lane.c.id == lane_id)
                .values(lease_owner=None, lease_until=None, due_at=None)
            )
