"""Lanes: the ordered messages of one problem to one destination, and who may send them now.

A lane whose `due_at` has passed may be claimed. A claim is a lease with a number: while it runs,
`due_at` is the moment at which it ends, so that a lane whose worker died becomes due by itself.
Everything that is written under a claim names its number: a worker that lost its lane meanwhile
finds no row, and Fenced is raised.

The lane's row is locked, in a statement of its own, before anything of the lane is read on which a
write depends (on SQLite, which knows no row locks, the transaction is that lock). So `due_at` is
always worked out from what is really left. All instants are machine time.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, func, or_, select, update

from supplier_api.clock import latest
from supplier_api.db.compiled_statements import CompiledStatement, UnitOfWork
from supplier_api.outbox import statements
from supplier_api.outbox.model import (
    BODY_VERSION,
    AttemptRecord,
    Claim,
    Fenced,
    LaneRow,
    LaneStep,
    LockedLanes,
    Message,
    MessageState,
    NewLane,
    NewMessage,
)
from supplier_api.outbox.pauses import NOTHING_HELD, HeldUp, Scope
from supplier_api.outbox.statements import (
    NOT_PARKED,
    OF_KNOWN_VERSION,
    Condition,
    lane,
    message,
)

_t = lane.c


class LaneRepository:
    """The lanes and their messages, over one transaction."""

    def __init__(self, uow: UnitOfWork) -> None:
        """Work in the transaction of `uow`."""
        self._connection = uow.connection
        self._wake = uow.wake
        # Has the queue read by its indexes from there on.
        self._by_index = uow.by_index

    # For use cases.

    def open(self, problem_id: int, tenant: str, lanes: Sequence[NewLane], now: datetime) -> None:
        """Create the lanes of a new problem with their messages, due where there are any."""
        for new in lanes:
            row = {
                "problem_id": problem_id,
                "tenant": tenant,
                "destination": new.destination,
                "due_at": None,
                "not_before": new.not_before,
            }
            if new.messages:
                row["due_at"] = latest(now, new.messages[0].not_before, new.not_before)
            ((lane_id,),) = statements.ADD_LANE.run(self._connection, row)
            self._queue(lane_id, new.messages, now)
        if any(new.messages for new in lanes):
            self._wake()

    def lock(self, problem_id: int, destination: str) -> LaneRow:
        """Lock the lane and return its current row; LookupError if there is none."""
        of = {"problem_id": problem_id, "destination": destination}
        rows = statements.LOCK_OF_PROBLEM.run(self._connection, of)
        if not rows:
            raise LookupError(f"problem {problem_id} has no lane to {destination}")
        return LaneRow(*rows[0])

    def add(
        self,
        to: LaneRow,
        new: Sequence[NewMessage],
        now: datetime,
        not_before: datetime | None,
    ) -> None:
        """Queue messages at the end of the locked lane, which becomes due if it was idle.

        Nothing is sent on it before `not_before`, whenever it was queued. That is the lane's own,
        or later if a gateway request is about to be answered: no message may overtake that answer.
        """
        self._queue(to.id, new, now)
        due_at = to.due_at
        if new and to.idle:
            due_at = latest(now, new[0].not_before, not_before)
            self._wake()
        elif due_at is not None:
            due_at = latest(due_at, not_before)
        if (due_at, not_before) != (to.due_at, to.not_before):
            row = {"lane": to.id, "due_at": due_at, "not_before": not_before}
            statements.SET_DUE.run(self._connection, row)

    def messages_of(self, problem_id: int) -> list[dict[str, Any]]:
        """Return a problem's messages to all destinations, oldest first: columns by name."""
        rows = statements.OF_PROBLEM.run(self._connection, {"problem_id": problem_id})
        return [dict(zip(message.c.keys(), row, strict=True)) for row in rows]

    def parked(self, problem_id: int) -> set[str]:
        """Return the destinations for which a problem's messages wait behind a dead letter."""
        query = select(lane.c.destination).where(lane.c.problem_id == problem_id, lane.c.parked)
        return set(self._connection.execute(query).scalars())

    def count_undelivered(self) -> int:
        """Return how many messages are queued."""
        query = select(func.count()).where(message.c.state == MessageState.QUEUED)
        return self._connection.execute(query).scalar_one()

    # For workers that look for lanes.

    def next_due(self, destination: str, held: HeldUp = NOTHING_HELD) -> datetime | None:
        """Return when the next lane to `destination` may be claimed; None if all are idle."""
        self._by_index()
        of = {"destination": destination}
        first = statements.next_due(held).first(self._connection, of)
        return first[0] if first else None

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
        rows = self._lock(statements.due_lanes(held), {**due, "limit": limit})
        more = min(failed, limit - len(rows))
        if more > 0:
            rows += self._lock(statements.due_lanes(held, failed=True), {**due, "limit": more})
        return self._take(rows, owner, now, lease_until)

    def claim_probe(
        self,
        destination: str,
        owner: str,
        now: datetime,
        lease_until: datetime,
        *,
        after: int | None,
        held: HeldUp,
        refused: Mapping[int, str],
    ) -> Claim | None:
        """Claim a lane to `destination` as the breaker's probe, each time another; None if none is.

        That is the next lane id after `after`, starting again at the lowest. Lanes in `refused`
        (lane id to tenant) were refused: one of these, or else another lane of their tenants, is
        chosen only if there is no other. The lane may wait after a failure, but it is neither
        claimed by a worker nor held back by a request of the gateway.
        """
        query = statements.lock_lanes(
            _t.destination == destination,
            _t.due_at.is_not(None),
            NOT_PARKED,
            OF_KNOWN_VERSION,
            or_(_t.lease_owner.is_(None), _t.lease_until <= now),
            or_(_t.not_before.is_(None), _t.not_before <= now),
            *held.apart(),
            waiting=False,
            order=(
                _t.id.in_([*refused]),
                _t.tenant.in_({*refused.values()}),
                (_t.id > (after or 0)).desc(),
                _t.id,
            ),
        )
        self._by_index()
        rows = [LaneRow(*row) for row in self._connection.execute(query.limit(1))]
        heads = statements.heads(self._connection, rows)
        if not any(latest(now, head.not_before) == now for head in heads.values()):
            return None
        (claim,) = self._take(rows, owner, now, lease_until)
        return replace(claim, was_due=rows[0].due_at)

    def _take(
        self, rows: Sequence[LaneRow], owner: str, now: datetime, lease_until: datetime
    ) -> list[Claim]:
        if not rows:
            return []
        ids = [row.id for row in rows]
        taken = {"lanes": ids, "lease_owner": owner, "lease_until": lease_until}
        statements.TAKE.run(self._connection, {**taken, "due_at": lease_until})
        heads = statements.heads(self._connection, rows)
        for row in rows:
            head = heads.get(row.id)
            if head is None:
                # It was due with nothing to send.
                idle = {"lease_owner": None, "lease_until": None, "due_at": None}
                self._connection.execute(update(lane).where(_t.id == row.id).values(idle))
            elif row.lease_owner is not None:
                statements.take_over(self._connection, head, row.lease_owner, now)
                heads |= statements.heads(self._connection, [row])
        return [
            Claim(row.claim_no + 1, row.attempts, heads[row.id]) for row in rows if row.id in heads
        ]

    # For workers with a claim.

    def first(self, lane_id: int) -> Message | None:
        """Return the first queued message of a lane; no lock."""
        rows = self._connection.execute(statements.read_lanes(_t.id == lane_id))
        return statements.heads(self._connection, [LaneRow(*row) for row in rows]).get(lane_id)

    def renew(self, claim: Claim, lease_until: datetime) -> None:
        """Prolong the claim; raises Fenced if it is no longer ours."""
        self._by_index()
        longer = update(lane).where(_t.id == claim.lane_id, _t.claim_no == claim.claim_no)
        values = {"lease_until": lease_until, "due_at": lease_until}
        if self._connection.execute(longer.values(values)).rowcount != 1:
            raise Fenced

    def release(self, claim: Claim, now: datetime) -> None:
        """Give the lane back unsent, due again at once, with its failures in a row unchanged.

        A lane that was claimed as a probe, after a failure, is due when it was due before. Raises
        Fenced if it is no longer ours.
        """
        locked = self.lock_claimed([claim], waiting=True)
        if locked.lost:
            raise Fenced
        failures = locked.rows[claim.lane_id].attempts
        retry_at = claim.was_due if failures else None
        self.proceed([LaneStep(claim, failures, retry_at)], locked.rows, now)

    def lock_claimed(self, claims: Sequence[Claim], *, waiting: bool = False) -> LockedLanes:
        """Lock the claimed lanes; without `waiting`, except those that others have locked."""
        ours = {claim.lane_id: claim.claim_no for claim in claims}
        which = statements.LOCK if waiting else statements.LOCK_FREE
        rows = {row.id: row for row in self._lock(which, {"lanes": list(ours)})}
        missing = [lane_id for lane_id in ours if lane_id not in rows]
        numbers = {lane_id: row.claim_no for lane_id, row in rows.items()}
        if missing:
            numbers |= dict(statements.CLAIM_NUMBERS.run(self._connection, {"lanes": missing}))
        lost = frozenset(each for each, number in ours.items() if numbers.get(each) != number)
        return LockedLanes({each: row for each, row in rows.items() if each not in lost}, lost)

    def record(self, records: Sequence[AttemptRecord]) -> None:
        """Store the outcome of attempts; the lanes are locked.

        Raises Fenced if it is stored already for one of them: then the transaction runs a second
        time because it was unknown whether its commit arrived.
        """
        if not records:
            return
        rows = [statements.record_values(record) for record in records]
        given = {"records": rows, "ids": [row["message"] for row in rows]}
        if len(statements.RECORD.run(self._connection, given)) != len(rows):
            raise Fenced

    def proceed(
        self,
        steps: Sequence[LaneStep],
        locked: Mapping[int, LaneRow],
        now: datetime,
        lease_until: datetime | None = None,
    ) -> dict[int, Message]:
        """Move the lanes on, whose locked rows are `locked`, from what is left on each.

        With `lease_until`, if a lane's next message may be sent now, the claim is prolonged and
        that message returned. Otherwise, also when that message has a later body version, the lane
        is given back: due when its next message may be sent (not before the step's `retry_at`), or
        idle if nothing is left.
        """
        if not steps:
            return {}
        heads = statements.heads(self._connection, [locked[step.claim.lane_id] for step in steps])
        following: dict[int, Message] = {}
        writes = []
        for step in steps:
            row, head = locked[step.claim.lane_id], heads.get(step.claim.lane_id)
            due_at = _due_at(row, head, step, now)
            known = head and head.body_version <= BODY_VERSION and step.goes_on
            if lease_until and head and known and due_at and due_at <= now:
                following[row.id] = head
                writes.append(
                    statements.proceed_values(step, row, row.lease_owner, lease_until, lease_until)
                )
            else:
                writes.append(statements.proceed_values(step, row, None, None, due_at))
                if due_at is not None and due_at <= now:
                    self._wake()
        given = {"steps": writes, "ids": [row["lane"] for row in writes]}
        if len(statements.PROCEED.run(self._connection, given)) != len(writes):
            raise Fenced
        return following

    # For many lanes at rest.

    def sweep(self, now: datetime) -> list[int]:
        """Make lanes due that have queued messages but no due time; return their ids.

        There should never be one; the caller reports each as an error.
        """
        queued = select(message.c.lane_id).where(message.c.state == MessageState.QUEUED)
        forgotten = statements.lock_lanes(
            _t.due_at.is_(None), NOT_PARKED, _t.id.in_(queued), waiting=False
        )
        ids = [row.id for row in self._connection.execute(forgotten)]
        if ids:
            self._connection.execute(update(lane).where(_t.id.in_(ids)).values(due_at=now))
            self._wake()
        return ids

    def count_due(self, scope: Scope, now: datetime, most: int) -> int:
        """Count the lanes of `scope` that could be sent now, up to `most`."""
        self._by_index()
        some = select(_t.id).where(*_at_rest(scope), _t.due_at <= now).limit(most)
        query = select(func.count()).select_from(some.subquery())
        return self._connection.execute(query).scalar_one()

    def spread_due(
        self, scope: Scope, now: datetime, moment: Callable[[], datetime], limit: int
    ) -> int:
        """Move up to `limit` lanes that are due at `now`, each to a later moment.

        The longest due come first. Returns how many there were.
        """
        return self._move(moment, limit, *_at_rest(scope), _t.due_at <= now)

    def bring_forward(
        self, scope: Scope, beyond: datetime, moment: Callable[[], datetime], limit: int
    ) -> int:
        """Move up to `limit` lanes that wait after a failure beyond `beyond` to an earlier moment.

        `beyond` is later than any moment. Returns how many there were.
        """
        return self._move(moment, limit, *_at_rest(scope), _t.due_at > beyond, _t.attempts > 0)

    def _move(self, moment: Callable[[], datetime], limit: int, *which: Condition) -> int:
        """Give each lane another due time; lanes that are locked are passed over."""
        self._by_index()
        chosen = statements.lock_lanes(*which, waiting=False, order=(_t.due_at,)).limit(limit)
        moved = [
            {"lane": row.id, "at": latest(moment(), row.not_before)}
            for row in self._connection.execute(chosen)
        ]
        if moved:
            elsewhere = update(lane).where(_t.id == bindparam("lane"))
            self._connection.execute(elsewhere.values(due_at=bindparam("at")), moved)
        return len(moved)

    # Internal steps.

    def _queue(self, lane_id: int, new: Sequence[NewMessage], now: datetime) -> None:
        to = {"lane_id": lane_id, "created": now}
        for queued in new:
            statements.ADD_MESSAGE.run(self._connection, to | asdict(queued))

    def _lock(self, which: CompiledStatement, values: dict[str, Any]) -> list[LaneRow]:
        self._by_index()
        return [LaneRow(*row) for row in which.run(self._connection, values)]


def _at_rest(scope: Scope) -> list[Condition]:
    """Return the conditions for lanes of `scope` with something to send that nobody has claimed."""
    of_scope = [_t[name] == value for name, value in asdict(scope).items() if value is not None]
    return [*of_scope, _t.due_at.is_not(None), NOT_PARKED, _t.lease_owner.is_(None)]


def _due_at(row: LaneRow, head: Message | None, step: LaneStep, now: datetime) -> datetime | None:
    """Return when the lane's next message may be sent; None if an operator has to act first."""
    if head is None or row.parked or step.parks:
        return None
    return latest(now, head.not_before, row.not_before, step.retry_at)
