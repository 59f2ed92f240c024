"""The tenants' door: takes service problems for their suppliers, and shows what became of them."""

from collections.abc import Callable, Mapping

from sqlalchemy import Connection

from supplier_api.clock import BusinessClock, to_wire
from supplier_api.sandbox import records, updates
from supplier_api.sandbox.config import SandboxConfig, Tenant
from supplier_api.sandbox.database import Database
from supplier_api.sandbox.errors import invalid, not_found
from supplier_api.sandbox.records import Document, Problem

# Each service test stands for the service of its number; all of them are of this kind.
SERVICE_DIGITS = 13
SPECIFICATION = {"id": "ftthl2r"}

# What *supplier-create* knows under the same name as *tenant-create*.
PASSED_ON = (
    "problemType",
    "problemText",
    "serviceId",
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


class Intake:
    """Takes problems and shows them. What has been answered 201 is on disk and will be sent."""

    def __init__(
        self,
        config: SandboxConfig,
        database: Database,
        business: BusinessClock,
        wake_sender: Callable[[], None],
    ) -> None:
        """Call `wake_sender` after a commit that left something to send."""
        self._config = config
        self._database = database
        self._business = business
        self._wake_sender = wake_sender

    def raise_problem(
        self, tenant: Tenant, headers: Mapping[str, str], document: Document
    ) -> Document:
        """Store a tenant's problem for its supplier and return the tenant's view of it.

        `document` has passed the schema; `headers` go to the supplier as they are. Raises Refusal.
        """
        view = self._database.write(
            lambda connection: self._raise(connection, tenant, headers, document)
        )
        self._wake_sender()
        return view

    def show(self, tenant: Tenant, problem_id: int) -> Document:
        """Return the tenant's view of a problem. Raises Refusal (404) for any other id."""

        def find(connection: Connection) -> Document:
            problem = records.find_problem(connection, problem_id)
            if problem is None or problem.tenant != tenant.name:
                raise not_found(404, "id: you have no service problem of that id")
            return view(problem, records.updates_of(connection, problem_id))

        return self._database.read(find)

    def _raise(
        self,
        connection: Connection,
        tenant: Tenant,
        headers: Mapping[str, str],
        document: Document,
    ) -> Document:
        if self._config.supplier(document["supplier"]) is None:
            known = ", ".join(sorted(supplier.name for supplier in self._config.suppliers))
            raise invalid(f"supplier: expected one of {known}")
        document = with_service(document)
        created = to_wire(self._business.now(tenant.name))
        problem = records.add_problem(
            connection, tenant.name, document["supplier"], document, created
        )
        request = supplier_request(problem, self._parent_reference(connection, problem))
        records.add_call(connection, problem.id, headers, request)
        return view(problem, [])

    def _parent_reference(self, connection: Connection, problem: Problem) -> str | None:
        """Return the supplier's reference of the parent, where it is known and may be told."""
        parent_id = problem.document.get("parentServiceProblemId")
        parent = records.find_problem(connection, parent_id) if parent_id else None
        if parent is None or (parent.tenant, parent.supplier) != (problem.tenant, problem.supplier):
            return None
        return parent.reference


def with_service(document: Document) -> Document:
    """Return the tenant's document with the service that its service test stands for.

    A service that the tenant names itself (as *tenant-get 1.17* shows one) is taken as it is.
    Raises Refusal when the test's number has more digits than a service's.
    """
    service: Document = {"serviceSpecification": SPECIFICATION} | document
    if "serviceId" not in service:
        test_id = document["serviceTestId"]
        if test_id >= 10**SERVICE_DIGITS:
            raise invalid(
                f"serviceTestId: stands for no service beyond {SERVICE_DIGITS} digits; "
                "name one by serviceId"
            )
        service["serviceId"] = f"SI{test_id:0{SERVICE_DIGITS}d}"
    return service


def supplier_request(problem: Problem, parent_reference: str | None) -> Document:
    """Return the body of *supplier-create* for a problem, with the references the gateway makes."""
    document = problem.document
    request = {"id": problem.id} | {key: document[key] for key in PASSED_ON if key in document}
    request["serviceSpecification"] = {"id": document["serviceSpecification"]["id"]}
    request["serviceTestReference"] = f"TEST_{document['serviceTestId']}"
    if "address" in document:
        request["address"] = {key: document["address"][key] for key in ("id", "type")}
    if "appointmentReservationId" in document:
        appointment = document["appointmentReservationId"]
        request["appointmentReservationReference"] = f"APPOINTMENT_{appointment}"
    if parent_reference is not None:
        request["parentServiceProblemReference"] = parent_reference
    return request


def view(problem: Problem, told: list[records.Told]) -> Document:
    """Return a problem as *tenant-get 1.17* shows it."""
    head = {
        "id": problem.id,
        "status": problem.status,
        "created": problem.created,
        "updated": problem.updated,
    }
    if problem.reference is not None:
        head["supplierIdentifier"] = problem.reference
    head["updates"] = [_update_view(problem, update) for update in told]
    return head | problem.document


def _update_view(problem: Problem, told: records.Told) -> Document:
    shown = {"id": told.document["id"], "supplier": problem.supplier} | told.document
    shown["deliveryStatus"] = "PENDING"
    if told.resolution_id is not None and told.resolution is not None:
        shown["serviceProblemResolution"] = updates.resolution_view(
            told.resolution_id, problem.id, told.resolution
        )
    return shown
