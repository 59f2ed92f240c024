"""What suppliers are sent: the bodies of *supplier-create*, *supplier-amend* and the like.

The gateway makes the references of tests and appointments from the ids it is given.
"""

from supplier_api.contract.field_table import FROM_TENANT
from supplier_api.sandbox.gateway.codes import CallKind, invalid
from supplier_api.sandbox.gateway.model import Change, Document, Problem, SupplierCall, picked

# Each service test stands for the service of its number; all of them are of this kind.
SERVICE_DIGITS = 13
SPECIFICATION = {"id": "ftthl2r"}

METHODS = {CallKind.RESOLUTION: "PATCH"}
PROBLEMS = "/service-problems"
CHANGES = {
    CallKind.AMENDMENT: "/service-problem-amendments",
    CallKind.CANCELLATION: "/service-problem-cancellations",
}
RESOLUTIONS = "/service-problem-resolutions/"
# A cancellation must name the supplier's reference; this stands for one that is not known yet.
UNKNOWN = "UNKNOWN"


def with_service(document: Document) -> Document:
    """Return the tenant's document with the service that its service test stands for.

    A service that the tenant names itself (as *tenant-get 1.17* shows one) is taken as it is.
    Raises GatewayRefusal when the test's number has more digits than a service's.
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


def problem_body(problem: Problem, parent_reference: str | None) -> Document:
    """Return the body of *supplier-create* for a problem."""
    document = problem.document
    request: Document = {"id": problem.id} | picked(document, *FROM_TENANT)
    # Of these two suppliers are told less than tenants tell.
    request["serviceSpecification"] = picked(document["serviceSpecification"], "id")
    if "address" in document:
        request["address"] = picked(document["address"], "id", "type")
    request["serviceTestReference"] = f"TEST_{document['serviceTestId']}"
    request |= _appointment_reference(document)
    if parent_reference is not None:
        request["parentServiceProblemReference"] = parent_reference
    return request


def change_body(change: Change) -> Document:
    """Return the body for an amendment or cancellation, but for the supplier's reference."""
    return {"id": change.id} | change.document | _appointment_reference(change.document)


def completed(call: SupplierCall, problem: Problem) -> Document:
    """Return the body of a call with what is known only now, when it is sent."""
    if call.kind not in CHANGES:
        return call.body
    reference = problem.reference
    if reference is None and call.kind is CallKind.CANCELLATION:
        reference = UNKNOWN
    known = {"supplierServiceProblemReference": reference} if reference else {}
    return call.body | known


def _appointment_reference(document: Document) -> Document:
    if "appointmentReservationId" not in document:
        return {}
    reference = f"APPOINTMENT_{document['appointmentReservationId']}"
    return {"appointmentReservationReference": reference}
