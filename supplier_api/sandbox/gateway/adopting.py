"""Problems that were raised past the gateway: at our own supplier's door, by whoever tried it.

Their KCIs would be refused, and a supplier whose KCIs are refused stops sending. So the gateway
takes such a problem in, as of the first KCI that comes of it, and says so to its tenant.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from supplier_api.contract.codes import InformationType
from supplier_api.contract.field_table import FROM_TENANT
from supplier_api.logging import get_logger
from supplier_api.sandbox.gateway.config import SupplierAccount
from supplier_api.sandbox.gateway.model import Document, Problem, picked
from supplier_api.sandbox.gateway.repository import GatewayServices, Records
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


def adopt(
    services: GatewayServices, records: Records, origin: Origin, kci: Mapping[str, Any]
) -> Problem | None:
    """Return the problem that begins with this KCI; None where there is none to be adopted.

    Without a tenant's name it is the first one's.
    """
    first = next((tenant.name for tenant in services.config.tenants), None)
    tenant, entity = origin.tenant or first, kci["serviceProblem"]
    on = services.config.adopt and origin.supplier.ours
    if tenant is None or not on or _is_known(records, origin.supplier, entity):
        return None
    now = records.now(tenant)
    problem = Problem(
        id=entity["id"],
        tenant=tenant,
        supplier=origin.supplier.name,
        conversation_id=origin.conversation_id,
        document=_document(origin.supplier, entity),
        created=now,
        updated=now,
        status=entity["status"],
        reference=entity.get("supplierReference"),
        next_number=kci["sequenceNumber"],
    )
    records.add_problem(problem)
    records.add_update(problem, of_gateway(InformationType.CREATED, MARK))
    log.info("problem adopted", gateway_id=problem.id, tenant=tenant)
    return problem


def _is_known(records: Records, supplier: SupplierAccount, entity: Mapping[str, Any]) -> bool:
    if records.find_problem(entity["id"]) is not None:
        return True
    reference = entity.get("supplierReference")
    return reference is not None and records.knows_reference(supplier.name, reference)


def _document(supplier: SupplierAccount, entity: Mapping[str, Any]) -> Document:
    """Return what the tenant is shown of a problem.

    A tenant's problem has a service test; where the supplier was told of none its own id stands in.
    """
    made = {"supplier": supplier.name, "serviceTestId": entity["id"]}
    return made | picked(entity, *FROM_TENANT)
