"""Spoilt answers."""

import json
from typing import Any

import pytest

from supplier_api.contract import Malformed, load, read_json
from supplier_api.contract.schemas import SERVICE_PROBLEM
from supplier_api.sandbox.fault_injection import answers
from supplier_api.sandbox.fault_injection.answers import WAYS, off_contract, operations_for
from supplier_api.sandbox.gateway.codes import CallKind
from supplier_api.sandbox.gateway.supplier_calls import (
    SupplierAccepted,
    SupplierDeferred,
    SupplierFailed,
    SupplierRefused,
    judge,
)
from supplier_api.sandbox.gateway.supplier_client import HttpAnswer
from tests.samples import amendment_request, cancellation_request, published_problem

ANSWER = published_problem(status="ACKNOWLEDGED", supplierReference="SP_7K2M9QX4TD")
BODY = json.dumps(ANSWER).encode()
OURS = {"supplierReference": "SP_7K2M9QX4TD"}
ERROR = {
    "uuid": "87432dfb-2e47-4532-a1b7-4b113d48867d",
    "code": "INVALID_REQUEST",
    "messages": ["x"],
}
RESOLUTION = {
    **OURS,
    "status": "ACCEPTED",
    "resolvedDate": "2026-01-05T12:00:00.000Z",
    "resolutionDetails": {"resolutionCode": "OTHER"},
}
KINDS = {
    "service-problems": CallKind.PROBLEM,
    "service-problem-amendments": CallKind.AMENDMENT,
    "service-problem-cancellations": CallKind.CANCELLATION,
    "service-problem-resolutions": CallKind.RESOLUTION,
}
# What is answered to each call in good faith, with and without what is optional.
HONEST: list[tuple[str, int, dict[str, Any]]] = [
    ("service-problems", 201, ANSWER),
    ("service-problem-amendments", 201, amendment_request(**OURS)),
    ("service-problem-amendments", 202, amendment_request(**OURS)),
    ("service-problem-cancellations", 201, cancellation_request(**OURS)),
    ("service-problem-cancellations", 202, cancellation_request(**OURS)),
    ("service-problem-resolutions", 200, RESOLUTION),
    *((operation, 422, ERROR) for operation in KINDS),
]


def cases() -> list[Any]:
    return [
        pytest.param(operation, status, document, how, id=f"{operation}-{status}-{how}")
        for operation, status, document in HONEST
        for how in WAYS
    ]


def verdict(operation: str, status: int, asked: dict[str, Any], body: bytes) -> object:
    names = ("id", "serviceProblemId") if status < 300 else ()
    expected = {name: asked[name] for name in names if name in asked}
    return judge(KINDS[operation], HttpAnswer(status, body), expected)


@pytest.mark.parametrize("spoil", [answers.cut, answers.garbled])
def test_what_is_no_json(spoil: Any) -> None:
    assert load(SERVICE_PROBLEM, read_json(BODY)) == ANSWER
    with pytest.raises(Malformed, match="not JSON"):
        load(SERVICE_PROBLEM, read_json(spoil(BODY)))


@pytest.mark.parametrize(("operation", "status", "document", "how"), cases())
def test_what_is_spoilt_breaks_the_contract(
    operation: str, status: int, document: dict[str, Any], how: str
) -> None:
    """A gateway that holds it takes no such answer for a good one."""
    honest = json.dumps(document).encode()
    assert isinstance(
        verdict(operation, status, document, honest),
        SupplierAccepted | SupplierDeferred | SupplierRefused,
    )
    spoilt = off_contract(operation, status, honest, how)
    if spoilt is None:
        assert how in {"final-status", "other-id"}
        assert status == 422 or operation not in operations_for(how)
        return
    found = verdict(operation, status, document, spoilt)
    assert isinstance(found, SupplierFailed), spoilt
    assert "breaks the contract" in found.messages[0]


@pytest.mark.parametrize("body", [b"", b"not json", b"[]", b"{}"])
def test_of_what_is_no_object_nothing_can_be_made(body: bytes) -> None:
    for how in WAYS:
        assert off_contract("service-problems", 201, body, how) is None


def test_of_an_error_its_code_is_spoilt() -> None:
    spoilt = off_contract("service-problems", 422, json.dumps(ERROR).encode(), "lower-case")
    assert spoilt is not None
    assert json.loads(spoilt) == ERROR | {"code": "invalid_request"}
