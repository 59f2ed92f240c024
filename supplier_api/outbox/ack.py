"""Records the outcome of attempts and moves their lanes on, many lanes in one transaction.

Each step is one statement for all of the lanes: they are locked, then the attempts are recorded,
then a later statement reads what is left on each lane, which decides when it is due again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, func, select, update

from supplier_api.db.compiled_statements import CompiledStatement, among, named
from supplier_api.outbox import lane_rows
from supplier_api.outbox.lane_rows import BODY_VERSION, LaneRow, LaneWork, lane, latest, message
from supplier_api.outbox.model import Attempt, Claim, Fenced, Message, MessageState


@dataclass(frozen=True, slots=True)
class HeldLanes:
    """The result of locking several claimed lanes.

    `rows` are the locked ones, by lane id. `lost` are no longer ours. The others are locked by
    other transactions at the moment.
    """

    rows: dict[int, LaneRow] = field(default_factory=dict)
    lost: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class AttemptRecord:
    """The outcome of an attempt to send `message`, and the message's new state.

    `digest` is that of the bytes which the receiver accepted, `refusal` what it answered to a dead
    letter.
    """

    message: Message
    attempt: Attempt
    state: MessageState
    digest: str | None = None
    refusal: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class LaneStep:
    """How a locked lane goes on: with so many failures in a row, and not before `retry_at`.

    Without `goes_on` it is given back even if its next message may be sent now.
    """

    claim: Claim
    failures: int = 0
    retry_at: datetime | None = None
    goes_on: bool = True


class Acknowledging(LaneWork):
    """What workers do with lanes that they have claimed, over one transaction."""

    def renew(self, claim: Claim, lease_until: datetime) -> None:
        """Prolong the claim; raises Fenced if it is no longer ours."""
        self._write(claim, lease_until=lease_until, due_at=lease_until)

    def release(self, claim: Claim, now: datetime) -> None:
        """Give the lane back unsent, due again at once, with its failures in a row unchanged.

        A lane that was claimed as a probe, after a failure, is due when it was due before. Raises
        Fenced if it is no longer ours.
        """
        held = self.hold(claim)
        retry_at = claim.was_due if held.attempts else None
        self.proceed(claim, now, failures=held.attempts, retry_at=retry_at)

    def hold(self, claim: Claim) -> LaneRow:
        """Lock the claimed lane and return it; raises Fenced if it is no longer ours."""
        self._by_index()
        query = lane_rows.lanes().where(
            lane.c.id == claim.lane_id, lane.c.claim_no == claim.claim_no
        )
        row = self._connection.execute(query.with_for_update()).one_or_none()
        if row is None:
            raise Fenced
        return LaneRow(*row)

    def hold_free(self, claims: Sequence[Claim]) -> HeldLanes:
        """Lock the claimed lanes, except those that others have locked; wait for no lock."""
        ours = {claim.lane_id: claim.claim_no for claim in claims}
        self._by_index()
        locked = _HOLD_FREE.run(self._connection, {"lanes": list(ours)})
        rows = {row.id: row for row in (LaneRow(*columns) for columns in locked)}
        missing = [lane_id for lane_id in ours if lane_id not in rows]
        numbers = {lane_id: row.claim_no for lane_id, row in rows.items()}
        if missing:
            numbers |= dict(_CLAIM_NUMBERS.run(self._connection, {"lanes": missing}))
        lost = frozenset(each for each, number in ours.items() if numbers.get(each) != number)
        return HeldLanes({each: row for each, row in rows.items() if each not in lost}, lost)

    def record(
        self, of: Message, attempt: Attempt, state: MessageState, digest: str | None = None
    ) -> None:
        """Store the outcome of an attempt, like record_all; the lane is locked."""
        self.record_all([AttemptRecord(of, attempt, state, digest)])

    def record_all(self, records: Sequence[AttemptRecord]) -> None:
        """Store the outcome of attempts; the lanes are locked.

        Raises Fenced if it is stored already for one of them: then the transaction runs a second
        time because it was unknown whether its commit arrived.
        """
        if not records:
            return
        if _RECORD.many(self._connection, map(_recorded, records)) != len(records):
            raise Fenced

    def remark(self, of: Message, attempt: Attempt) -> None:
        """Add an attempt that does not count to the message's log; the lane is locked.

        If the receiver may have the message now, that is stored too; all else stays as it was.
        """
        self._connection.execute(
            update(message)
            .where(message.c.id == of.id, message.c.state == MessageState.QUEUED)
            .values(unknown=of.unknown or attempt.unknown, log=[*of.log, attempt.entry()])
        )

    def park(self, claim: Claim) -> None:
        """Stop the locked lane behind a dead letter until an operator acts."""
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
        """Move the locked lane on, like proceed_all."""
        held = {claim.lane_id: self.hold(claim)}
        step = LaneStep(claim, failures, retry_at)
        return self.proceed_all([step], held, now, lease_until).get(claim.lane_id)

    def proceed_all(
        self,
        steps: Sequence[LaneStep],
        held: Mapping[int, LaneRow],
        now: datetime,
        lease_until: datetime | None = None,
    ) -> dict[int, Message]:
        """Move the lanes on, whose locked rows are `held`, from what is left on each.

        With `lease_until`, if a lane's next message may be sent now, the claim is prolonged and
        that message returned. Otherwise, also when that message has a later body version, the lane
        is given back: due when its next message may be sent (not before the step's `retry_at`), or
        idle if nothing is left.
        """
        if not steps:
            return {}
        heads = lane_rows.heads(self._connection, [step.claim.lane_id for step in steps])
        following: dict[int, Message] = {}
        writes = []
        for step in steps:
            row, head = held[step.claim.lane_id], heads.get(step.claim.lane_id)
            due_at = _due_at(row, head, step, now)
            known = head and head.body_version <= BODY_VERSION and step.goes_on
            if lease_until and head and known and due_at and due_at <= now:
                following[row.id] = head
                writes.append(_written(step, row.lease_owner, lease_until, lease_until))
            else:
                writes.append(_written(step, None, None, due_at))
                if due_at is not None and due_at <= now:
                    self._wake()
        if _PROCEED.many(self._connection, writes) != len(writes):
            raise Fenced
        return following

    def _write(self, claim: Claim, **values: Any) -> None:
        self._by_index()
        done = self._connection.execute(
            update(lane)
            .where(lane.c.id == claim.lane_id, lane.c.claim_no == claim.claim_no)
            .values(**values)
        )
        if done.rowcount != 1:
            raise Fenced


def _due_at(row: LaneRow, head: Message | None, step: LaneStep, now: datetime) -> datetime | None:
    """Return when the lane's next message may be sent; None if an operator has to act first."""
    if head is None or row.parked:
        return None
    return latest(now, head.not_before, row.not_before, step.retry_at)


def _written(
    step: LaneStep, owner: str | None, lease_until: datetime | None, due_at: datetime | None
) -> dict[str, Any]:
    """Return the parameters of _PROCEED."""
    return {
        "lane": step.claim.lane_id,
        "mine": step.claim.claim_no,
        "lease_owner": owner,
        "lease_until": lease_until,
        "due_at": due_at,
        "attempts": step.failures,
    }


def _recorded(record: AttemptRecord) -> dict[str, Any]:
    """Return the parameters of _RECORD."""
    of, attempt = record.message, record.attempt
    return {
        "message": of.id,
        "before": of.attempts,
        "state": record.state,
        "attempts": of.attempts + 1,
        "first_attempt": of.first_attempt or attempt.at,
        "unknown": of.unknown or attempt.unknown,
        "log": [*of.log, attempt.entry()],
        "digest": record.digest,
        "said": record.refusal,
        "settled": None if record.state is MessageState.QUEUED else attempt.at,
    }


_OURS = among(lane.c.id, "lanes")
# In the order of ids, as all locks of lanes; rows that others have locked are left out.
_HOLD_FREE = CompiledStatement(
    lane_rows.lanes().where(_OURS).order_by(lane.c.id).with_for_update(skip_locked=True)
)
_CLAIM_NUMBERS = CompiledStatement(select(lane.c.id, lane.c.claim_no).where(_OURS))
_RECORD = CompiledStatement(
    update(message)
    .where(
        message.c.id == bindparam("message"),
        # Spelled unlike the index of queued messages, so that the row is found by its id.
        func.coalesce(message.c.state, "") == MessageState.QUEUED,
        message.c.attempts == bindparam("before"),
    )
    .values(
        # The last refusal is kept, however the message ends.
        refusal=func.coalesce(bindparam("said", type_=message.c.refusal.type), message.c.refusal),
        **named("state", "attempts", "first_attempt", "unknown", "log", "digest", "settled"),
    )
)
_PROCEED = CompiledStatement(
    update(lane)
    .where(lane.c.id == bindparam("lane"), lane.c.claim_no == bindparam("mine"))
    .values(named("lease_owner", "lease_until", "due_at", "attempts"))
)
