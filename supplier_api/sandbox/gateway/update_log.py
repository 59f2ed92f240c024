"""Puts what tenants are told on record."""

from collections.abc import Sequence

from sqlalchemy import Connection

from supplier_api.clock import BusinessClock, to_wire
from supplier_api.sandbox.gateway import updates
from supplier_api.sandbox.gateway.codes import GatewayErrorCode
from supplier_api.sandbox.gateway.documents import Document
from supplier_api.sandbox.gateway.identifiers import Identifiers
from supplier_api.sandbox.gateway.records import updates as told
from supplier_api.sandbox.gateway.records.problems import Problem
from supplier_api.sandbox.gateway.tables import resolution


class UpdateLog:
    """Gives updates their ids and dates, inside the caller's transaction."""

    def __init__(self, business: BusinessClock, ids: Identifiers) -> None:
        """Date what happens by business time."""
        self._business = business
        self._ids = ids

    def now(self, tenant: str) -> str:
        """Return the tenant's time as it is written on the wire."""
        return to_wire(self._business.now(tenant))

    def save_resolution(
        self,
        connection: Connection,
        problem: Problem,
        document: Document,
        *,
        only_new: bool = False,
    ) -> int:
        """Keep what the supplier says of a resolution; return the gateway's id of it."""

        def new_id() -> int:
            return self._ids.number(connection, resolution, problem.tenant)

        return told.save_resolution(connection, problem.id, document, new_id, only_new=only_new)

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
        place = told.count_updates(connection, problem.id)
        update_id = str(self._ids.uuid(problem.tenant, "update", problem.id, place))
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
        place = told.count_updates(connection, problem.id)
        uuid = str(self._ids.uuid(problem.tenant, "error", problem.id, place))
        error = updates.of_error(uuid, code, messages)
        self.tell(connection, problem, error | about, resolution_id=resolution_id)
