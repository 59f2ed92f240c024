"""Puts what tenants are told on record."""

from collections.abc import Sequence

from sqlalchemy import Connection

from supplier_api.chance import Chance
from supplier_api.clock import BusinessClock, to_wire
from supplier_api.sandbox import updates
from supplier_api.sandbox.codes import GatewayErrorCode
from supplier_api.sandbox.documents import Document
from supplier_api.sandbox.records import told
from supplier_api.sandbox.records.problems import Problem


class Teller:
    """Gives updates their ids and dates, inside the caller's transaction."""

    def __init__(self, business: BusinessClock, chance: Chance) -> None:
        """Date what happens by business time."""
        self._business = business
        self._chance = chance

    def now(self, tenant: str) -> str:
        """Return the tenant's time as it is written on the wire."""
        return to_wire(self._business.now(tenant))

    def touch(self, problem: Problem) -> None:
        """Note that something has happened to the problem. The caller saves it."""
        problem.updated = self.now(problem.tenant)

    def tell(
        self,
        connection: Connection,
        problem: Problem,
        update: Document,
        *,
        resolution_id: int | None = None,
        received_on: str | None = None,
    ) -> str:
        """Add an update, received now unless said otherwise, and return its id."""
        update_id = str(self._chance.uuid(problem.tenant))
        head = {"id": update_id, "receivedOn": received_on or self.now(problem.tenant)}
        told.add_update(connection, problem.id, head | update, resolution_id)
        return update_id

    def tell_error(
        self,
        connection: Connection,
        problem: Problem,
        code: GatewayErrorCode,
        messages: Sequence[str],
        about: Document,
        *,
        resolution_id: int | None = None,
    ) -> None:
        """Add an ERROR update; `about` is what stands beside the error."""
        error = updates.of_error(str(self._chance.uuid(problem.tenant)), code, messages)
        self.tell(connection, problem, error | about, resolution_id=resolution_id)
