"""What the supplier's verdict makes of a problem, and what the tenant is told of it."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection

from supplier_api.chance import Chance
from supplier_api.clock import BusinessClock, to_wire
from supplier_api.problems.codes import ReasonCode, Status
from supplier_api.sandbox import records, updates
from supplier_api.sandbox.answers import Accepted, Deferred, Failed, Refused, Verdict
from supplier_api.sandbox.codes import GatewayErrorCode, GatewayStatus
from supplier_api.sandbox.records import Problem

Document = dict[str, Any]


class Outcome:
    """Applies verdicts inside the caller's transaction."""

    def __init__(self, business: BusinessClock, chance: Chance) -> None:
        """Date what happens by business time."""
        self._business = business
        self._chance = chance

    def apply(self, connection: Connection, problem: Problem, verdict: Verdict) -> None:
        """Move the problem to where the verdict takes it. The caller saves it."""
        problem.updated = to_wire(self._business.now(problem.tenant))
        match verdict:
            case Accepted(document):
                self._accept(connection, problem, document)
            case Deferred():
                pass
            case Refused(messages):
                problem.status = Status.REJECTED
                problem.final_number = 0
                self._tell_error(connection, problem, GatewayErrorCode.INVALID_REQUEST, messages)
            case Failed(code, messages):
                problem.status = GatewayStatus.FAILED_TO_SEND
                self._tell_error(connection, problem, code, messages)

    def _accept(self, connection: Connection, problem: Problem, document: Document) -> None:
        problem.status = document["status"]
        problem.reference = document.get("supplierReference")
        specification = document["serviceSpecification"]
        problem.document = problem.document | {"serviceSpecification": specification}
        self._tell(connection, problem, updates.of_gateway(ReasonCode.ACKNOWLEDGED))
        if document["status"] == Status.IN_PROGRESS:
            self._tell(connection, problem, updates.of_gateway(ReasonCode.COMMITTED))

    def _tell_error(
        self,
        connection: Connection,
        problem: Problem,
        code: GatewayErrorCode,
        messages: Sequence[str],
    ) -> None:
        uuid = str(self._chance.uuid(problem.tenant))
        self._tell(connection, problem, updates.of_error(uuid, code, messages))

    def _tell(self, connection: Connection, problem: Problem, update: Document) -> None:
        head = {"id": str(self._chance.uuid(problem.tenant)), "receivedOn": problem.updated}
        records.add_update(connection, problem.id, head | update)
