"""Problems with KCIs to be sent, written straight into a house's database."""

import itertools
from datetime import timedelta
from uuid import uuid4

from sqlalchemy import func, insert, select

from supplier_api.clock import SystemMachineClock
from supplier_api.db import Store, UnitOfWork
from supplier_api.db.tables import lane, message, service_problem
from supplier_api.outbox.model import NewLane, NewMessage
from supplier_api.outbox.repository import LaneRepository
from supplier_api.problems.model import Base, ServiceProblem, State
from supplier_api.problems.repository import ProblemRepository

DESTINATION = "gateway"
# As large as a KCI usually is.
BODY = '{"id": "57a1a5b0-6ed1-4be5-8bd8-000000000000", "entity": {"text": "%s"}}' % ("x" * 900)
_serial = itertools.count(1)


class Outbox:
    """What is queued in one database."""

    def __init__(self, url: str) -> None:
        """Write to the database at `url`, which is upgraded."""
        self.clock = SystemMachineClock()
        self.store = Store(url, self.clock)

    def fill(self, lanes: int, each: int = 1) -> None:
        """Queue `each` KCIs on so many new lanes, in one transaction, all due now."""
        now = self.clock.now()
        serials = [next(_serial) for _ in range(lanes)]

        def work(uow: UnitOfWork) -> None:
            write = uow.connection.execute
            problems = [
                {
                    **_PROBLEM,
                    "gateway_id": serial,
                    "reference": f"SP_{serial:010}",
                    "created": now,
                    "updated": now,
                }
                for serial in serials
            ]
            stored = write(insert(service_problem).returning(service_problem.c.id), problems)
            made = write(
                insert(lane).returning(lane.c.id),
                [{**_LANE, "problem_id": problem, "due_at": now} for problem in stored.scalars()],
            )
            write(
                insert(message),
                [
                    {**_MESSAGE, "lane_id": lane_id, "number": number, "uuid": str(uuid4())}
                    | {"created": now, "conversation_id": f"{lane_id}"}
                    for lane_id in made.scalars()
                    for number in range(1, each + 1)
                ],
            )

        self.store.write(work)

    def raise_problem(self, hold: float) -> str:
        """Store a problem as the desk does, its first KCI held for `hold` seconds.

        Returns the conversation id, by which the KCI is known where it arrives.
        """
        serial = next(_serial)
        name = f"raised-{serial}"

        def work(uow: UnitOfWork) -> None:
            now = self.clock.now()
            problem = ServiceProblem(
                tenant="TENANT1",
                gateway_id=serial,
                reference=f"SP_{serial:010}",
                service_id="SI0000000000001",
                conversation_id=name,
                state=State(Base.ACKNOWLEDGED),
                document={},
                created=now,
                updated=now,
                reference_known=True,
            )
            ProblemRepository(uow).add(problem)
            not_before = now + timedelta(seconds=hold)
            new = NewMessage(1, str(uuid4()), "UPDATE", None, name, BODY, "1.8", not_before)
            lane = NewLane(DESTINATION, not_before, [new])
            LaneRepository(uow).open(problem.id, problem.tenant, [lane], now)

        self.store.write(work)
        return name

    def undelivered(self) -> int:
        """Return how many KCIs are not settled as delivered."""
        query = select(func.count()).where(message.c.state != "delivered")
        return self.store.read(lambda uow: uow.connection.execute(query).scalar_one())


_PROBLEM = {
    "tenant": "TENANT1",
    "service_id": "SI0000000000001",
    "conversation_id": "filled",
    "base": "ACKNOWLEDGED",
    "document": {},
    "next_kci": 2,
    "next_order": 1,
    "reference_known": True,
    "doubtful": False,
    "version": 1,
}
_LANE = {
    "tenant": "TENANT1",
    "destination": DESTINATION,
    "attempts": 0,
    "claim_no": 0,
    "parked": False,
}
_MESSAGE = {
    "kind": "UPDATE",
    "body": BODY,
    "body_version": 1,
    "contract": "1.8",
    "state": "queued",
    "attempts": 0,
    "unknown": False,
    "log": [],
}
