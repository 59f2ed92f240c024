"""Lanes: the ordered messages of one problem to one destination, and who may send them now.

A lane whose `due_at` has passed may be claimed. A claim is a lease with a number: while it runs,
`due_at` is the moment at which it ends, so that a lane whose worker died becomes due by itself.
Everything that is written under a claim names its number: a worker that lost its lane meanwhile
finds no row, and Fenced is raised.

The lane's row is locked, in a statement of its own, before anything of the lane is read on which a
write depends (on SQLite, which knows no row locks, the transaction is that lock). So `due_at` is
always worked out from what is really left. All instants are machine time.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, func, select, text, update

from supplier_api.store import tables
from supplier_api.store.claims import Attempt, Claim, Fenced, Message, MessageState

lane = tables.lane
message = tables.message


DEAD_LETTERS = (MessageState.REFUSED, MessageState.EXPIRED)
# Spelled as the partial index is: SQLite compares the two by their text.
NOT_PARKED = text("NOT lane.parked")


@dataclass(frozen=True, slots=True)
class LaneRow:
    """A lane as it stands, its row locked."""

    id: int
    problem_id: int
    tenant: str
    destination: str
    due_at: datetime | None
    not_before: datetime | None
    attempts: int
    claim_no: int
    parked: bool


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
    body_version: int = 1


class Lanes:
    """The lanes and their messages, over one transaction."""

    def __init__(self, connection: Connection) -> None:
        """Work on `connection`, which is in a transaction."""
        self._connection = connection
        # Whether a worker has something to do once this transaction is committed.
        self.made_due = False

    # What the desk does.

    def open(self, problem_id: int, tenant: str, destination: str) -> None:
        """Create the lane of a new problem; nothing is due on it."""
        self._connection.execute(
            lane.insert().values(
                problem_id=problem_id,
                tenant=tenant,
                destination=destination,
                attempts=0,
                claim_no=0,
                parked=False,
            )
        )

    def lock(self, problem_id: int, destination: str) -> LaneRow:
        """Lock the lane and return it as it stands now; LookupError if there is none."""
        query = self._lane().where(
            lane.c.problem_id == problem_id, lane.c.destination == destination
        )
        row = self._connection.execute(query.with_for_update()).one_or_none()
        if row is None:
            raise LookupError(f"problem {problem_id} has no lane to {destination}")
        return LaneRow(*row)

    def undelivered(self, lane_id: int) -> int:
        """Count what the receiver has not taken: queued, in flight, or parked behind a dead letter.

        A dead letter that was skipped, or that others were let pass, does not count.
        """
        stuck = message.c.state.in_(DEAD_LETTERS) & lane.c.parked
        query = (
            select(func.count())
            .select_from(message.join(lane))
            .where(lane.c.id == lane_id, (message.c.state == MessageState.QUEUED) | stuck)
        )
        return self._connection.execute(query).scalar_one()

    def add(self, to: LaneRow, new: NewMessage, now: datetime) -> None:
        """Queue `new` behind the locked lane's others; the lane becomes due if it was idle."""
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
            .values(due_at=_latest(now, new.not_before, to.not_before))
        )
        self.made_due = self.made_due or woken.rowcount == 1

    def hold_until(self, of: LaneRow, not_before: datetime) -> None:
        """Let nothing leave the locked lane before `not_before`, whenever it was queued.

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

    # What a worker does.

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
        heads = self._heads(ids)
        self._give_up(lane_id for lane_id in ids if lane_id not in heads)
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

    def renew(self, claim: Claim, lease_until: datetime) -> None:
        """Prolong the claim; raises Fenced if it is no longer ours."""
        self._write(claim, lease_until=lease_until, due_at=lease_until)

    def release(self, claim: Claim, now: datetime) -> None:
        """Give the lane back unsent, due again at once; raises Fenced if it is no longer ours."""
        self.hold(claim)
        self.proceed(claim, now)

    def hold(self, claim: Claim) -> LaneRow:
        """Lock the claimed lane and return it; raises Fenced if it is no longer ours."""
        query = self._lane().where(lane.c.id == claim.lane_id, lane.c.claim_no == claim.claim_no)
        row = self._connection.execute(query.with_for_update()).one_or_none()
        if row is None:
            raise Fenced
        return LaneRow(*row)

    def record(
        self, of: Message, attempt: Attempt, state: MessageState, digest: str | None = None
    ) -> None:
        """Write down what came of an attempt; the lane is held.

        `digest` names the bytes that the receiver took. Raises Fenced if that was written before:
        the transaction runs once more because nobody could say whether its commit arrived.
        """
        settled = None if state is MessageState.QUEUED else attempt.at
        done = self._connection.execute(
            update(message)
            .where(
                message.c.id == of.id,
                message.c.state == MessageState.QUEUED,
                message.c.attempts == of.attempts,
            )
            .values(
                state=state,
                attempts=of.attempts + 1,
                first_attempt=of.first_attempt or attempt.at,
                unknown=of.unknown or attempt.unknown,
                log=[*of.log, attempt.entry()],
                digest=digest,
                settled=settled,
            )
        )
        if done.rowcount != 1:
            raise Fenced

    def park(self, claim: Claim) -> None:
        """Stop the held lane behind a dead letter until an operator acts."""
        self._write(claim, parked=True)

    def proceed(
        self,
        claim: Claim,
        now: datetime,
        *,
        failures: int = 0,
        retry_at: datetime | None = None,
        lease_until: datetime | None = None,
    ) -> Message | None:
        """Go on with the held lane, from what is left on it now.

        With `lease_until`, if its next message may leave now, the claim is prolonged and that
        message returned. Otherwise the lane is given back, due when its next message may leave (not
        before `retry_at`), or idle if nothing is left. `failures` is the lane's new count of
        failures in a row.
        """
        held = self.hold(claim)
        head = self._heads([claim.lane_id]).get(claim.lane_id)
        if head is None or held.parked:
            self._write(claim, **_given_back(None), attempts=failures)
            return None
        due_at = _latest(now, head.not_before, held.not_before, retry_at)
        if lease_until is None or due_at > now:
            self._write(claim, **_given_back(due_at), attempts=failures)
            self.made_due = self.made_due or due_at <= now
            return None
        self._write(claim, lease_until=lease_until, due_at=lease_until, attempts=failures)
        return head

    def sweep(self, now: datetime) -> list[int]:
        """Make lanes due that were forgotten with queued messages, and return their ids.

        There should never be one; whoever calls this reports each as an error.
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
            self.made_due = True
        return ids

    # What people ask.

    def messages_of(self, problem_id: int) -> list[dict[str, Any]]:
        """Return a problem's messages to all destinations, oldest first: columns by name."""
        query = select(message).join(lane).where(lane.c.problem_id == problem_id)
        rows = self._connection.execute(query.order_by(message.c.id))
        return [row._asdict() for row in rows]

    def count_undelivered(self) -> int:
        """Return how many messages wait to be delivered."""
        query = select(func.count()).where(message.c.state == MessageState.QUEUED)
        return self._connection.execute(query).scalar_one()

    def ticket(self, order_id: str, back_office_id: str | None, url: str | None) -> None:
        """Keep the back office's own ticket for a work order."""
        self._connection.execute(
            update(message)
            .where(message.c.uuid == order_id)
            .values(back_office_id=back_office_id, back_office_url=url)
        )

    def _lane(self) -> Select[Any]:
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
        )

    def _due(self, destination: str, now: datetime, which: Any, limit: int) -> list[Row[Any]]:
        if limit <= 0:
            return []
        query = (
            self._lane()
            .add_columns(lane.c.lease_owner)
            .where(lane.c.destination == destination, lane.c.due_at <= now, NOT_PARKED, which)
            .order_by(lane.c.due_at)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        return list(self._connection.execute(query))

    def _heads(self, lane_ids: Iterable[int]) -> dict[int, Message]:
        """Return the first queued message of each lane that has one."""
        earlier = message.alias()
        first = (
            select(func.min(earlier.c.number))
            .where(earlier.c.lane_id == message.c.lane_id, earlier.c.state == MessageState.QUEUED)
            .scalar_subquery()
        )
        query: Select[Any] = (
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
                message.c.body,
                message.c.body_version,
                message.c.not_before,
                message.c.attempts,
                message.c.first_attempt,
                message.c.unknown,
                message.c.log,
            )
            .select_from(message.join(lane))
            .where(message.c.lane_id.in_(list(lane_ids)), message.c.number == first)
        )
        return {row.lane_id: Message(*row) for row in self._connection.execute(query)}

    def _head_to_send(self, head: Message, lost_by: str | None, now: datetime) -> Message:
        if lost_by is None:
            return head
        entry = Attempt(now, "unknown", None, 0, f"taken over from {lost_by}", unknown=True).entry()
        self._connection.execute(
            update(message)
            .where(message.c.id == head.id)
            .values(unknown=True, log=[*head.log, entry])
        )
        return self._heads([head.lane_id])[head.lane_id]

    def _give_up(self, lane_ids: Iterable[int]) -> None:
        """Put lanes to rest that were due with nothing to send."""
        self._connection.execute(
            update(lane).where(lane.c.id.in_(list(lane_ids))).values(_given_back(None))
        )

    def _write(self, claim: Claim, **values: Any) -> None:
        done = self._connection.execute(
            update(lane)
            .where(lane.c.id == claim.lane_id, lane.c.claim_no == claim.claim_no)
            .values(**values)
        )
        if done.rowcount != 1:
            raise Fenced


def _given_back(due_at: datetime | None) -> Mapping[str, Any]:
    return {"lease_owner": None, "lease_until": None, "due_at": due_at}


def _latest(now: datetime, *others: datetime | None) -> datetime:
    return max(now, *(other for other in others if other is not None), now)
