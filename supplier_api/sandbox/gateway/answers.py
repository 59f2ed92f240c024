"""What a supplier's answer means. Pure: an HTTP answer in, a verdict out."""

from collections.abc import Mapping
from dataclasses import dataclass

from marshmallow import Schema

from supplier_api.contract import MessageError, load, read_json
from supplier_api.contract import schemas as messages
from supplier_api.contract.codes import Status
from supplier_api.contract.limits import MESSAGE_MAX
from supplier_api.http_client.calls import Body, kind_of
from supplier_api.sandbox.gateway.codes import CallKind, GatewayErrorCode
from supplier_api.sandbox.gateway.model import Document
from supplier_api.sandbox.gateway.supplier_client import HttpAnswer

# The published text puts this before every message that is passed on.
PREFIX = "The supplier API returned the following message: "

# The answers that take a request, and the body of each; None for one without a body.
TAKEN: Mapping[CallKind, Mapping[int, Schema | None]] = {
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
# Published for the 201, but nothing that a problem can be at its birth.
NOT_AT_BIRTH = frozenset({Status.REJECTED, Status.CANCELLED, Status.RESOLVED, Status.COMPLETED})


@dataclass(frozen=True, slots=True)
class SupplierAccepted:
    """201 or 200: done, in the supplier's words."""

    document: Document


@dataclass(frozen=True, slots=True)
class SupplierDeferred:
    """202: KCIs will tell."""


@dataclass(frozen=True, slots=True)
class SupplierRefused:
    """422: the supplier's reasons, as the tenant reads them."""

    messages: list[str]


@dataclass(frozen=True, slots=True)
class SupplierFailed:
    """No answer, or none that the contract knows."""

    code: GatewayErrorCode
    messages: list[str]


Verdict = SupplierAccepted | SupplierDeferred | SupplierRefused | SupplierFailed


def judge(kind: CallKind, answer: HttpAnswer, expected: Mapping[str, object]) -> Verdict:
    """Return what the supplier's answer to a call of this kind means.

    `expected` are fields that a body must repeat, with their values.
    """
    try:
        if answer.status in TAKEN[kind]:
            return _taken(kind, answer, expected)
        if answer.status == 422:
            return SupplierRefused(_passed_on(answer.body))
    except MessageError as error:
        return _off_contract(answer.status, error.messages)
    return _failed(answer)


def _taken(kind: CallKind, answer: HttpAnswer, expected: Mapping[str, object]) -> Verdict:
    schema = TAKEN[kind][answer.status]
    document: Document = {}
    body = kind_of("", answer.body, complete=True)
    if schema is None and body in (Body.PAGE, Body.ERROR):
        # What stands between us and the supplier answers so; nobody has taken anything.
        return _off_contract(answer.status, [f"expected no body, not {body}"])
    if schema is not None:
        document = load(schema, read_json(answer.body))
        wrong = [
            f"{name}: expected {value}"
            for name, value in expected.items()
            if document.get(name) != value
        ]
        if kind is CallKind.PROBLEM and document["status"] in NOT_AT_BIRTH:
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
    told = [f"The supplier API's answer {status} breaks the contract: {reason}" for reason in why]
    return SupplierFailed(
        GatewayErrorCode.SUPPLIER_FAULT, [message[:MESSAGE_MAX] for message in told]
    )
