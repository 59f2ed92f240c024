"""Problems that were raised past the gateway: at our own supplier's door, by whoever tried it.

Their KCIs would be refused, and a supplier whose KCIs are refused stops sending. So the gateway
takes such a problem in, as of the first KCI that comes of it, and says so to its tenant.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from supplier_api.logging import get_logger
from supplier_api.sandbox.gateway.codes import InformationType
from supplier_api.sandbox.gateway.config import SandboxConfig, SupplierAccount
from supplier_api.sandbox.gateway.model import Document, Problem, picked
from supplier_api.sandbox.gateway.repository import GatewayRepository
from supplier_api.sandbox.gateway.updates import UpdateLog, of_gateway

log = get_logger(__name__)

MARK = "Raised past the gateway, at the supplier's own door."
# What a KCI tells of its problem and a tenant is shown.
SHOWN = (
    "problemType",
    "problemText",
    "serviceId",
    "serviceSpecification",
    "address",
    "serviceTestId",
    "characteristics",
    "primaryContact",
    "secondaryContact",
    "appointmentReservationId",
    "parentServiceProblemId",
    "hazards",
    "onSiteRestrictions",
    "notes",
)


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
        self, repository: GatewayRepository, origin: Origin, kci: Mapping[str, Any]
    ) -> Problem | None:
        """Return the problem that begins with this KCI; None where there is none to be adopted."""
        tenant = origin.tenant or self._first
        entity = kci["serviceProblem"]
        if tenant is None or not self._may_adopt(repository, origin.supplier, entity):
            return None
        now = self._update_log.now(tenant)
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
        repository.add_problem(problem)
        self._update_log.add(repository, problem, of_gateway(InformationType.CREATED, MARK))
        log.info("problem adopted", gateway_id=problem.id, tenant=tenant)
        return problem

    def _may_adopt(
        self, repository: GatewayRepository, supplier: SupplierAccount, entity: Mapping[str, Any]
    ) -> bool:
        if not (self._on and supplier.ours):
            return False
        if repository.find_problem(entity["id"]) is not None:
            return False
        reference = entity.get("supplierReference")
        return reference is None or not repository.knows_reference(supplier.name, reference)


def _document(supplier: SupplierAccount, entity: Mapping[str, Any]) -> Document:
    """Return what the tenant is shown of a problem.

    A tenant's problem has a service test; where the supplier was told of none its own id stands in.
    """
    made = {"supplier": supplier.name, "serviceTestId": entity["id"]}
    return made | picked(entity, *SHOWN)
