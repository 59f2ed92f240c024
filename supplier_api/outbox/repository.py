"""Lanes: the ordered messages of one problem to one destination, and who may send them now.

A lane whose `due_at` has passed may be claimed. A claim is a lease with a number: while it runs,
`due_at` is the moment at which it ends, so that a lane whose worker died becomes due by itself.
Everything that is written under a claim names its number: a worker that lost its lane meanwhile
finds no row, and Fenced is raised.

The lane's row is locked, in a statement of its own, before anything of the lane is read on which a
write depends (on SQLite, which knows no row locks, the transaction is that lock). So `due_at` is
always worked out from what is really left. All instants are machine time.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import case, func, select, update

from supplier_api.outbox.ack import Acknowledging
from supplier_api.outbox.dequeue import Dequeuing
from supplier_api.outbox.enqueue import NewLane, NewMessage, open_lanes
from supplier_api.outbox.lane_rows import NOT_PARKED, LaneRow, lane, lanes, latest, message
from supplier_api.outbox.model import MessageState

DEAD_LETTERS = (MessageState.REFUSED, MessageState.EXPIRED)


class LaneRepository(Dequeuing, Acknowledging):
    """The lanes and their messages, over one transaction.

    Here is what use cases and queries need; what workers do is in dequeue.py and ack.py.
    """

    # For use cases.

    def open(self, problem_id: int, tenant: str, lanes: Sequence[NewLane], now: datetime) -> None:
        """Create the lanes of a new problem, due where something is queued on them."""
        open_lanes(self._connection, problem_id, tenant, lanes, now)
        if any(new.messages for new in lanes):
            self._wake()

    def lock(self, problem_id: int, destination: str) -> LaneRow:
        """Lock the lane and return its current row; LookupError if there is none."""
        query = lanes().where(lane.c.problem_id == problem_id, lane.c.destination == destination)
        row = self._connection.execute(query.with_for_update()).one_or_none()
        if row is None:
            raise LookupError(f"problem {problem_id} has no lane to {destination}")
        return LaneRow(*row)

    def undelivered(self, lane_id: int) -> int:
        """Count what the receiver has not accepted: queued, or parked behind a dead letter.

        A dead letter that was skipped, or that other messages were allowed to pass, does not count.
        """
        stuck = message.c.state.in_(DEAD_LETTERS) & lane.c.parked
        query = (
            select(func.count())
            .select_from(message.join(lane))
            .where(lane.c.id == lane_id, (message.c.state == MessageState.QUEUED) | stuck)
        )
        return self._connection.execute(query).scalar_one()

    def add(self, to: LaneRow, new: NewMessage, now: datetime) -> None:
        """Queue `new` at the end of the locked lane; the lane becomes due if it was idle."""
        self._connection.execute(
            message.insert().values(
                lane_id=to.id,
                number=new.number,
                uuid=new.uuid,
                kind=new.kind,
                subject=new.subject,
                conversation_id=new.conversation_id,
                body=new.body,
                body_version=new.body_version,
                contract=new.contract,
                state=MessageState.QUEUED,
                not_before=new.not_before,
                attempts=0,
                unknown=False,
                log=[],
                created=now,
            )
        )
        woken = self._connection.execute(
            update(lane)
            .where(lane.c.id == to.id, lane.c.due_at.is_(None), NOT_PARKED)
            .values(due_at=latest(now, new.not_before, to.not_before))
        )
        if woken.rowcount == 1:
            self._wake()

    def hold_until(self, of: LaneRow, not_before: datetime) -> None:
        """Let nothing be sent on the locked lane before `not_before`, whenever it was queued.

        Used when a gateway request is about to be answered: no message may overtake that answer.
        """
        self._connection.execute(
            update(lane).where(lane.c.id == of.id).values(not_before=not_before)
        )
        self._connection.execute(
            update(lane)
            .where(lane.c.id == of.id, lane.c.due_at < not_before)
            .values(due_at=not_before)
        )

    def sweep(self, now: datetime) -> list[int]:
        """Make lanes due that have queued messages but no due time; return their ids.

        There should never be one; the caller reports each as an error.
        """
        queued = select(message.c.lane_id).where(message.c.state == MessageState.QUEUED)
        forgotten = (
            select(lane.c.id)
            .where(lane.c.due_at.is_(None), NOT_PARKED, lane.c.id.in_(queued))
            .with_for_update(skip_locked=True)
        )
        ids = list(self._connection.execute(forgotten).scalars())
        if ids:
            self._connection.execute(update(lane).where(lane.c.id.in_(ids)).values(due_at=now))
            self._wake()
        return ids

    # For people.

    def messages_of(self, problem_id: int) -> list[dict[str, Any]]:
        """Return a problem's messages to all destinations, oldest first: columns by name."""
        query = select(message).join(lane).where(lane.c.problem_id == problem_id)
        rows = self._connection.execute(query.order_by(message.c.id))
        return [row._asdict() for row in rows]

    def count_undelivered(self) -> int:
        """Return how many messages are queued."""
        query = select(func.count()).where(message.c.state == MessageState.QUEUED)
        return self._connection.execute(query).scalar_one()

    def ticket(self, order_id: str, back_office_id: str | None, url: str | None) -> None:
        """Keep the back office's own ticket for a work order; the same one keeps its URL."""
        same = case((message.c.back_office_id == back_office_id, message.c.back_office_url))
        self._connection.execute(
            update(message)
            .where(message.c.uuid == order_id)
            .values(back_office_id=back_office_id, back_office_url=url or same)
        )
