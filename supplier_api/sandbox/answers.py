"""What a supplier's answer to a service problem means. Pure: an HTTP answer in, a verdict out."""

from dataclasses import dataclass
from typing import Any

from supplier_api.problems.codes import Status
from supplier_api.problems.limits import MESSAGE_MAX
from supplier_api.sandbox.codes import GatewayErrorCode
from supplier_api.sandbox.courier import HttpAnswer
from supplier_api.wire import MessageError, load, messages, read_json

# The published text puts this before every message that is passed on.
PREFIX = "The supplier API returned the following message: "

FAILURES = {
    400: GatewayErrorCode.MALFORMED_REQUEST,
    401: GatewayErrorCode.NOT_AUTHORISED,
    403: GatewayErrorCode.NOT_AUTHORISED,
    501: GatewayErrorCode.NOT_IMPLEMENTED,
}
# Published for the 201, but nothing that a problem can be at its birth.
NOT_AT_BIRTH = frozenset({Status.REJECTED, Status.CANCELLED, Status.RESOLVED, Status.COMPLETED})


@dataclass(frozen=True, slots=True)
class Accepted:
    """201: the supplier's view of the problem."""

    document: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Deferred:
    """202: KCIs will tell."""


@dataclass(frozen=True, slots=True)
class Refused:
    """422: the supplier's reasons, as the tenant reads them."""

    messages: list[str]


@dataclass(frozen=True, slots=True)
class Failed:
    """No answer, or none that the contract knows."""

    code: GatewayErrorCode
    messages: list[str]


Verdict = Accepted | Deferred | Refused | Failed


def judge(answer: HttpAnswer, problem_id: int) -> Verdict:
    """Return what the supplier's answer to the service problem of that id means."""
    if answer.status == 202:
        return Deferred()
    try:
        if answer.status == 201:
            return _accepted(answer.body, problem_id)
        if answer.status == 422:
            return Refused(_passed_on(answer.body))
    except MessageError as error:
        return _off_contract(answer.status, error.messages)
    return _failed(answer)


def _accepted(body: bytes, problem_id: int) -> Verdict:
    document = load(messages.SERVICE_PROBLEM, read_json(body))
    if document["id"] != problem_id:
        return _off_contract(201, [f"id: expected {problem_id}"])
    if document["status"] in NOT_AT_BIRTH:
        return _off_contract(201, [f"status: a new problem cannot be {document['status']}"])
    return Accepted(document)


def _failed(answer: HttpAnswer) -> Failed:
    code = FAILURES.get(answer.status, GatewayErrorCode.SUPPLIER_FAULT)
    try:
        return Failed(code, _passed_on(answer.body))
    except MessageError:
        return Failed(code, [f"The supplier API answered {answer.status} without a message"])


def _passed_on(body: bytes) -> list[str]:
    said = load(messages.ERROR, read_json(body))["messages"]
    return [(PREFIX + message)[:MESSAGE_MAX] for message in said]


def _off_contract(status: int, why: list[str]) -> Failed:
    told = [f"The supplier API's answer {status} breaks the contract: {reason}" for reason in why]
    return Failed(GatewayErrorCode.SUPPLIER_FAULT, [message[:MESSAGE_MAX] for message in told])
