"""Problems with lanes and messages, as the desk would leave them, for the tests of delivery."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, select

from supplier_api.clock import MachineClock, ManualMachineClock
from supplier_api.db import Store, UnitOfWork, tables
from supplier_api.outbox.model import (
    Attempt,
    AttemptRecord,
    Claim,
    Fenced,
    LaneStep,
    Message,
    MessageState,
    NewLane,
    NewMessage,
)
from supplier_api.outbox.repository import LaneRepository
from supplier_api.problems.model import Base, ServiceProblem, State
from supplier_api.problems.repository import ProblemRepository

DESTINATION = "gateway"
LEASE = timedelta(seconds=45)
BODY = '{"reasonCode": "UPDATE"}'


def proceed(
    uow: UnitOfWork,
    claim: Claim,
    now: datetime,
    lease_until: datetime | None = None,
    **step: Any,
) -> Message | None:
    """Move a claimed lane on by a LaneStep; return its next message if the claim is prolonged.

    Raises Fenced if the lane is no longer claimed.
    """
    lanes = LaneRepository(uow)
    locked = lanes.lock_claimed([claim])
    if locked.lost:
        raise Fenced
    following = lanes.proceed([LaneStep(claim, **step)], locked.rows, now, lease_until)
    return following.get(claim.lane_id)


class Outbox:
    """Writes messages to a database and reads back what became of them."""

    def __init__(self, store: Store, clock: MachineClock) -> None:
        """Work on `store`, which has its tables."""
        self.store = store
        self._clock = clock
        self._problems = 0
        # Whose the next problems are.
        self.tenant = "TENANT1"

    def problem(self, *messages: int, destination: str = DESTINATION) -> int:
        """Store a problem with a lane and messages of these numbers; return its row id."""
        problem_id = self.store.write(lambda uow: self._problem(uow, destination))
        self.queue(problem_id, *messages, destination=destination)
        return problem_id

    def problems(self, count: int, *messages: int) -> list[int]:
        """Store so many problems, each with messages of these numbers; return their row ids."""

        def work(uow: UnitOfWork) -> list[int]:
            made = [self._problem(uow, DESTINATION) for _ in range(count)]
            for problem_id in made:
                self._queue(uow, problem_id, messages, DESTINATION)
            return made

        return self.store.write(work)

    def _problem(self, uow: UnitOfWork, destination: str) -> int:
        self._problems += 1
        serial = self._problems
        problem = ServiceProblem(
            tenant=self.tenant,
            gateway_id=serial,
            reference=f"SP_{serial:010}",
            service_id=f"SI{serial:013}",
            conversation_id=f"conversation-{serial}",
            state=State(Base.ACKNOWLEDGED),
            document={},
            created=self._clock.now(),
            updated=self._clock.now(),
        )
        ProblemRepository(uow).add(problem)
        LaneRepository(uow).open(
            problem.id, problem.tenant, [NewLane(destination)], self._clock.now()
        )
        return problem.id

    def queue(
        self,
        problem_id: int,
        *numbers: int,
        not_before: datetime | None = None,
        body: str = BODY,
        destination: str = DESTINATION,
    ) -> None:
        """Queue messages of these numbers, in one transaction."""
        self.store.write(
            lambda uow: self._queue(uow, problem_id, numbers, destination, not_before, body)
        )

    def _queue(
        self,
        uow: UnitOfWork,
        problem_id: int,
        numbers: Sequence[int],
        destination: str,
        not_before: datetime | None = None,
        body: str = BODY,
    ) -> None:
        lane = LaneRepository(uow).lock(problem_id, destination)
        new = [
            NewMessage(
                number=number,
                uuid=f"{problem_id:08}-0000-4000-8000-{number:012}",
                kind="UPDATE",
                subject=None,
                conversation_id=f"conversation-{problem_id}",
                body=body,
                body_version=1,
                contract="1.8",
                not_before=not_before,
            )
            for number in numbers
        ]
        LaneRepository(uow).add(lane, new, self._clock.now(), lane.not_before)

    def hold_until(self, problem_id: int, not_before: datetime) -> None:
        """Do what the desk does when it is about to answer a request of the gateway."""

        def work(uow: UnitOfWork) -> None:
            lane = LaneRepository(uow).lock(problem_id, DESTINATION)
            LaneRepository(uow).add(lane, [], self._clock.now(), not_before)

        self.store.write(work)

    def idle(self, problem_id: int) -> bool:
        """Return whether the receiver has taken everything."""
        return self.store.write(lambda uow: LaneRepository(uow).lock(problem_id, DESTINATION).idle)

    def lane(self, problem_id: int) -> Row[Any]:
        """Return the problem's lane as it is stored."""
        query = select(tables.lane).where(tables.lane.c.problem_id == problem_id)
        return self.store.read(lambda uow: uow.connection.execute(query).one())

    def messages(self, problem_id: int) -> Sequence[Row[Any]]:
        """Return the problem's messages as they are stored, in order."""
        query = (
            select(tables.message)
            .join(tables.lane)
            .where(tables.lane.c.problem_id == problem_id)
            .order_by(tables.message.c.number)
        )
        return self.store.read(lambda uow: uow.connection.execute(query).all())

    def states(self, problem_id: int) -> list[str]:
        """Return the states of the problem's messages, in order."""
        return [message.state for message in self.messages(problem_id)]


class LaneWorker:
    """The steps of a worker, one transaction each."""

    def __init__(self, store: Store, clock: ManualMachineClock, owner: str) -> None:
        self.store = store
        self.clock = clock
        self.owner = owner

    def claim_in(self, uow: UnitOfWork, limit: int = 10, failed: int = 10) -> list[Claim]:
        now = self.clock.now()
        return LaneRepository(uow).claim(
            DESTINATION, self.owner, now, now + LEASE, limit=limit, failed=failed
        )

    def claim(self, limit: int = 10, failed: int = 10) -> list[Claim]:
        return self.store.write(lambda uow: self.claim_in(uow, limit, failed))

    def complete(
        self,
        claim: Claim,
        message: Message,
        state: MessageState = MessageState.DELIVERED,
        *,
        retry_in: float | None = None,
        park: bool = False,
        go_on: bool = True,
    ) -> Message | None:
        now = self.clock.now()

        def work(uow: UnitOfWork) -> Message | None:
            if LaneRepository(uow).lock_claimed([claim]).lost:
                raise Fenced
            attempt = Attempt(now, "tested", 204, 12, "204", unknown=state is MessageState.QUEUED)
            LaneRepository(uow).record([AttemptRecord(message, attempt, state, "sha256:0")])
            return proceed(
                uow,
                claim,
                now,
                now + LEASE if go_on else None,
                failures=1 if retry_in else 0,
                retry_at=now + timedelta(seconds=retry_in) if retry_in else None,
                parks=park,
            )

        return self.store.write(work)

    def fail(self, claim: Claim, retry_in: float = 5) -> None:
        assert self.complete(claim, claim.message, MessageState.QUEUED, retry_in=retry_in) is None
