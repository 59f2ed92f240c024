"""Problems with KCIs to be sent, written straight into an installation's database."""

import itertools
import time
from datetime import timedelta
from uuid import uuid4

from sqlalchemy import func, select, text

from scripts.benchmarks.fill import KCI, add_problems
from supplier_api.clock import SystemMachineClock
from supplier_api.db import Store, UnitOfWork
from supplier_api.db.tables import message
from supplier_api.outbox.model import NewLane, NewMessage
from supplier_api.outbox.repository import LaneRepository
from supplier_api.problems.model import Base, ServiceProblem, State
from supplier_api.problems.repository import ProblemRepository
from supplier_api.problems.services import GATEWAY

PATIENCE = 120.0  # seconds
_serial = itertools.count(1)


class Outbox:
    """What is queued in one database."""

    def __init__(self, url: str) -> None:
        """Write to the database at `url`, which is upgraded."""
        self._clock = SystemMachineClock()
        self._store = Store(url, self._clock)

    def queue(self, lanes: int, each: int = 1) -> None:
        """Queue `each` KCIs on so many new lanes, in one transaction, all due now."""
        due = self._clock.now()
        self._store.write(lambda uow: add_problems(uow.connection, lanes, {GATEWAY: each}, due))

    def raise_problem(self, hold: float) -> str:
        """Store a problem as the supplier does, its first KCI held for `hold` seconds.

        Returns the conversation id, by which the KCI is known where it arrives.
        """
        serial = next(_serial)
        name = f"raised-{serial}"

        def work(uow: UnitOfWork) -> None:
            now = self._clock.now()
            problem = ServiceProblem(
                tenant="TENANT1",
                gateway_id=serial,
                reference=f"SP_RAISED{serial:010}",
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
            new = NewMessage(1, str(uuid4()), "UPDATE", None, name, KCI, "1.8", not_before)
            lane = NewLane(GATEWAY, not_before, [new])
            LaneRepository(uow).open(problem.id, problem.tenant, [lane], now)

        self._store.write(work)
        return name

    def wait_until_settled(self) -> None:
        """Wait until nothing is to be sent any more; raises TimeoutError."""
        until = time.monotonic() + PATIENCE
        # Written as the index on queued messages is, whatever else is stored.
        query = select(func.count()).select_from(message).where(text("state = 'queued'"))
        while left := self._store.read(lambda uow: uow.connection.execute(query).scalar_one()):
            if time.monotonic() > until:
                raise TimeoutError(f"{left} messages were not delivered")
            time.sleep(0.1)

    def close(self) -> None:
        """Close the connections to the database."""
        self._store.close()
