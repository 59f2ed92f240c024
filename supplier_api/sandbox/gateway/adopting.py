"""Problems that were raised past the gateway: at our own supplier's door, by whoever tried it.

Their KCIs would be refused, and a supplier whose KCIs are refused stops sending. So the gateway
takes such a problem in, as of the first KCI that comes of it, and says so to its tenant.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from supplier_api.contract.field_table import FROM_TENANT
from supplier_api.logging import get_logger
from supplier_api.sandbox.gateway.codes import InformationType
from supplier_api.sandbox.gateway.config import SandboxConfig, SupplierAccount
from supplier_api.sandbox.gateway.documents import Document, picked
from supplier_api.sandbox.gateway.records import problems
from supplier_api.sandbox.gateway.records.problems import Problem
from supplier_api.sandbox.gateway.update_log import UpdateLog
from supplier_api.sandbox.gateway.updates import of_gateway

log = get_logger(__name__)

MARK = "Raised past the gateway, at the supplier's own door."


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a KCI comes from: its supplier, and the tenant that its header names, if it does."""

    supplier: SupplierAccount
    conversation_id: str
    tenant: str | None = None

    def may_mean(self, problem: Problem) -> bool:
        """Tell whether a problem is one that this supplier can speak of.

        Only our own supplier names tenants; the published call has no such header.
        """
        if problem.supplier != self.supplier.name:
            return False
        return not self.supplier.ours or self.tenant in (None, problem.tenant)


class Adopting:
    """Takes problems in, inside the caller's transaction."""

    def __init__(self, config: SandboxConfig, update_log: UpdateLog) -> None:
        """Adopt nothing unless `config` says so. Without a tenant's name it is the first one's."""
        self._on = config.adopt
        self._first = next((tenant.name for tenant in config.tenants), None)
        self._update_log = update_log

    def adopt(
        self, connection: Connection, origin: Origin, kci: Mapping[str, Any]
    ) -> Problem | None:
        """Return the problem that begins with this KCI; None where there is none to be adopted."""
        tenant = origin.tenant or self._first
        entity = kci["serviceProblem"]
        if tenant is None or not self._may_adopt(connection, origin.supplier, entity):
            return None
        problem = problems.add(
            connection,
            entity["id"],
            tenant,
            origin.supplier.name,
            origin.conversation_id,
            _document(origin.supplier, entity),
            self._update_log.now(tenant),
            status=entity["status"],
            reference=entity.get("supplierReference"),
            next_number=kci["sequenceNumber"],
        )
        self._update_log.tell(connection, problem, of_gateway(InformationType.CREATED, MARK))
        log.info("problem adopted", gateway_id=problem.id, tenant=tenant)
        return problem

    def _may_adopt(
        self, connection: Connection, supplier: SupplierAccount, entity: Mapping[str, Any]
    ) -> bool:
        if not (self._on and supplier.ours):
            return False
        if problems.find(connection, entity["id"]) is not None:
            return False
        reference = entity.get("supplierReference")
        return reference is None or not problems.knows_reference(
            connection, supplier.name, reference
        )


def _document(supplier: SupplierAccount, entity: Mapping[str, Any]) -> Document:
    """Return what the tenant is shown of a problem.

    A tenant's problem has a service test; where the supplier was told of none its own id stands in.
    """
    made = {"supplier": supplier.name, "serviceTestId": entity["id"]}
    return made | picked(entity, *FROM_TENANT)
