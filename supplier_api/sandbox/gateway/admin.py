"""The door for testers: makes updates to which no reason code of a supplier leads."""

from sqlalchemy import Connection

from supplier_api.sandbox.gateway.codes import ActionType, InformationType, UpdateType
from supplier_api.sandbox.gateway.config import SandboxConfig
from supplier_api.sandbox.gateway.database import GatewayDatabase
from supplier_api.sandbox.gateway.documents import Document
from supplier_api.sandbox.gateway.errors import invalid, not_found
from supplier_api.sandbox.gateway.identifiers import ALL, Identifiers
from supplier_api.sandbox.gateway.records import problems
from supplier_api.sandbox.gateway.update_log import UpdateLog
from supplier_api.sandbox.gateway.updates import of_gateway

MADE: dict[tuple[str, str], InformationType | ActionType] = {
    (UpdateType.INFORMATIONAL, InformationType.RESCHEDULED): InformationType.RESCHEDULED,
    (UpdateType.INFORMATIONAL, InformationType.RESUBMIT): InformationType.RESUBMIT,
    (UpdateType.ACTION_REQUIRED, ActionType.CONTACT_CUSTOMER): ActionType.CONTACT_CUSTOMER,
    (UpdateType.ACTION_REQUIRED, ActionType.CONTACT_REAPPOINT): ActionType.CONTACT_REAPPOINT,
}


class AdminAuth:
    """What testers can do to a problem, whosever it is."""

    def __init__(
        self,
        config: SandboxConfig,
        database: GatewayDatabase,
        update_log: UpdateLog,
        ids: Identifiers,
    ) -> None:
        """Work on `database`."""
        self._ours = [supplier.name for supplier in config.suppliers if supplier.ours]
        self._database = database
        self._update_log = update_log
        self._ids = ids

    def start_afresh(self, tenant: str | None, seed: int | None) -> None:
        """Forget a tenant's problems at our own supplier, with None everybody's there.

        From `seed` its ids follow from now on; without one they are any. Problems at other
        suppliers stay: theirs go on.
        """

        def work(connection: Connection) -> None:
            problems.delete_all(connection, tenant, self._ours)
            self._ids.keep_seed(connection, tenant or ALL, seed)

        self._database.write(work)
        self._ids.follow(self._database)

    def make_update(self, document: Document) -> Document:
        """Add an update to a problem; return its id. Raises Refusal.

        `document` has passed the schema ADMIN_UPDATE. The problem's status stays.
        """
        told = MADE.get((document["updateType"], document["type"]))
        if told is None:
            possible = ", ".join(" ".join(pair) for pair in MADE)
            raise invalid(f"type: expected one of {possible}")

        def make(connection: Connection) -> Document:
            problem = problems.find(connection, document["problem"])
            if problem is None:
                raise not_found(422, "problem: there is no service problem of that id")
            self._update_log.touch(problem)
            problems.save(connection, problem)
            update = of_gateway(told, document.get("text"))
            return {"id": self._update_log.tell(connection, problem, update)}

        return self._database.write(make)
