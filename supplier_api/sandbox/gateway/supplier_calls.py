"""What suppliers are sent, and what their answers mean. Pure: no call is made here.

The bodies are those of *supplier-create*, *supplier-amend* and the like. The gateway makes the
references of tests and appointments from the ids it is given.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from marshmallow import Schema

from supplier_api.contract import MessageError, load, read_json
from supplier_api.contract import schemas as messages
from supplier_api.contract.codes import Status
from supplier_api.contract.field_table import FROM_TENANT
from supplier_api.contract.limits import MESSAGE_MAX
from supplier_api.http_client.calls import Body, kind_of
from supplier_api.sandbox.gateway.codes import CallKind, GatewayErrorCode, invalid
from supplier_api.sandbox.gateway.model import Change, Document, Problem, SupplierCall, picked
from supplier_api.sandbox.gateway.supplier_client import HttpAnswer

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

# The published text puts this before every message that is passed on.
PREFIX = "The supplier API returned the following message: "

# The answers by which a supplier accepts a request, and the body of each; None for no body.
ACCEPTED: Mapping[CallKind, Mapping[int, Schema | None]] = {
    CallKind.PROBLEM: {201: messages.SERVICE_PROBLEM, 202: None},
    CallKind.AMENDMENT: {201: messages.AMENDMENT, 202: messages.AMENDMENT},
    CallKind.CANCELLATION: {201: messages.CANCELLATION, 202: messages.CANCELLATION},
    CallKind.RESOLUTION: {200: messages.RESOLUTION},
}
LATER = 202

FAILURES = {
    400: GatewayErrorCode.MALFORMED_REQUEST,
    401: GatewayErrorCode.NOT_AUTHORISED,
    403: GatewayErrorCode.NOT_AUTHORISED,
    501: GatewayErrorCode.NOT_IMPLEMENTED,
}
# Published for the 201, but no new problem can have it.
NOT_AT_FIRST = frozenset({Status.REJECTED, Status.CANCELLED, Status.RESOLVED, Status.COMPLETED})


def with_service(document: Document) -> Document:
    """Return the tenant's document with the service that its service test stands for.

    A service that the tenant names itself (as *tenant-get 1.17* shows one) is passed on as it is.
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
    # Suppliers get less of these two than tenants send.
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


@dataclass(frozen=True, slots=True)
class SupplierAccepted:
    """201 or 200: done, in the supplier's words."""

    document: Document


@dataclass(frozen=True, slots=True)
class SupplierDeferred:
    """202: the outcome comes in KCIs."""


@dataclass(frozen=True, slots=True)
class SupplierRefused:
    """422: the supplier's reasons, as the tenant reads them."""

    messages: list[str]


@dataclass(frozen=True, slots=True)
class SupplierFailed:
    """No answer, or none that the contract knows."""

    code: GatewayErrorCode
    messages: list[str]


SupplierVerdict = SupplierAccepted | SupplierDeferred | SupplierRefused | SupplierFailed


def judge(kind: CallKind, answer: HttpAnswer, expected: Mapping[str, object]) -> SupplierVerdict:
    """Return what the supplier's answer to a call of this kind means.

    `expected` are fields that a body must repeat, with their values.
    """
    try:
        if answer.status in ACCEPTED[kind]:
            return _accepted(kind, answer, expected)
        if answer.status == 422:
            return SupplierRefused(_passed_on(answer.body))
    except MessageError as error:
        return _off_contract(answer.status, error.messages)
    return _failed(answer)


def _accepted(
    kind: CallKind, answer: HttpAnswer, expected: Mapping[str, object]
) -> SupplierVerdict:
    schema = ACCEPTED[kind][answer.status]
    document: Document = {}
    body = kind_of("", answer.body, complete=True)
    if schema is None and body in (Body.PAGE, Body.ERROR):
        # A proxy between us and the supplier answers so: the supplier has accepted nothing.
        return _off_contract(answer.status, [f"expected no body, not {body}"])
    if schema is not None:
        document = load(schema, read_json(answer.body))
        wrong = [
            f"{name}: expected {value}"
            for name, value in expected.items()
            if document.get(name) != value
        ]
        if kind is CallKind.PROBLEM and document["status"] in NOT_AT_FIRST:
            wrong.append(f"status: a new problem cannot be {document['status']}")
        if wrong:
            return _off_contract(answer.status, wrong)
    return SupplierDeferred() if answer.status == LATER else SupplierAccepted(document)


def _failed(answer: HttpAnswer) -> SupplierFailed:
    code = FAILURES.get(answer.status, GatewayErrorCode.SUPPLIER_FAULT)
    try:
        return SupplierFailed(code, _passed_on(answer.body))
    except MessageError:
        return SupplierFailed(
            code, [f"The supplier API answered {answer.status} without a message"]
        )


def _passed_on(body: bytes) -> list[str]:
    said = load(messages.ERROR, read_json(body))["messages"]
    return [(PREFIX + message)[:MESSAGE_MAX] for message in said]


def _off_contract(status: int, why: list[str]) -> SupplierFailed:
    text = f"The supplier API's answer {status} breaks the contract: "
    reasons = [(text + reason)[:MESSAGE_MAX] for reason in why]
    return SupplierFailed(GatewayErrorCode.SUPPLIER_FAULT, reasons)
