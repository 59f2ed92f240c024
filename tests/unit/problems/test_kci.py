"""The content of a KCI about a problem, a change and a resolution."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from supplier_api.contract.codes import (
    CancellationReason,
    ChangeStatus,
    ProblemCode,
    ReasonCode,
    ResolutionStatus,
)
from supplier_api.problems.kci import (
    KciContent,
    KciStamp,
    cancelled_code,
    change_answer,
    change_entity,
    kci,
    problem_entity,
    resolution_entity,
)
from supplier_api.problems.model import (
    Base,
    ChangeRequest,
    Resolution,
    ServiceProblem,
    State,
    Waiting,
)
from supplier_api.rules.model import Operation

NOON = datetime(2026, 1, 5, 12, 0, 0, 1000, tzinfo=UTC)
STAMP = KciStamp(UUID("3456cf7d-4471-42e4-a5be-c24ed58a7aa6"), 3, NOON)
DETAILS = {"resolutionCode": "NETWORK_CABLING"}


def problem(state: State, **changes: Any) -> ServiceProblem:
    """Return a problem that the gateway knows under its id 7."""
    values: dict[str, Any] = {
        "tenant": "TENANT1",
        "gateway_id": 7,
        "reference": "SP_0123456789",
        "service_id": "SI0000000000100",
        "conversation_id": "conversation",
        "state": state,
        "document": {"id": 7, "problemText": "The line drops."},
        "created": NOON,
        "updated": NOON,
        "next_kci": 3,
    }
    return ServiceProblem(**{**values, **changes})


def change(kind: Operation, **body: Any) -> ChangeRequest:
    """Return a change of that problem which the gateway asked for under its id 8."""
    return ChangeRequest(
        problem_id=1,
        tenant="TENANT1",
        kind=kind,
        gateway_id=8,
        reference="SP_CHANGE0001",
        status=ChangeStatus.COMPLETED,
        body={
            "id": 8,
            "serviceProblemId": 7,
            "supplierServiceProblemReference": "SP_0123456789",
            "supplierReference": "FROM_THE_GATEWAY",
            **body,
        },
        created=NOON,
    )


def resolution(**changes: Any) -> Resolution:
    """Return a resolution that waits for the tenant."""
    return replace(
        Resolution(1, "SP_RESOLVED01", ResolutionStatus.PENDING, DETAILS, NOON), **changes
    )


def test_the_least_that_a_kci_says() -> None:
    body = kci(STAMP, ReasonCode.UPDATE, problem(State(Base.IN_PROGRESS)))

    assert body == {
        "id": "3456cf7d-4471-42e4-a5be-c24ed58a7aa6",
        "sequenceNumber": 3,
        "issuedOn": "2026-01-05T12:00:00.001Z",
        "reasonCode": "UPDATE",
        "serviceProblem": {
            "status": "IN_PROGRESS",
            "supplierReference": "SP_0123456789",
            "id": 7,
            "problemText": "The line drops.",
        },
    }


def test_a_kci_carries_code_text_supplier_codes_and_a_dated_note() -> None:
    carried = KciContent(
        ProblemCode.NETWORK_ISSUE, "Waiting for a part.", ("R9", "313"), {"note": "n", "type": "t"}
    )
    body = kci(STAMP, ReasonCode.DELAY, problem(State(Base.IN_PROGRESS, Waiting.HELD)), carried)

    assert body["problemCode"] == "NETWORK_ISSUE"
    assert body["text"] == "Waiting for a part."
    assert body["supplierCodes"] == ["R9", "313"]
    assert body["supplierNotes"] == [
        {"note": "n", "type": "t", "created": "2026-01-05T12:00:00.001Z"}
    ]
    assert body["serviceProblem"]["status"] == "HELD"


@pytest.mark.parametrize(
    ("kind", "name", "other"),
    [
        (Operation.AMENDMENT, "serviceProblemAmendment", {"notes": "The gate is open."}),
        (Operation.CANCELLATION, "serviceProblemCancellation", {"reasonCode": "OTHER"}),
    ],
)
def test_a_change_stands_beside_the_problem_with_our_reference_and_what_was_asked(
    kind: Operation, name: str, other: dict[str, str]
) -> None:
    asked = change(kind, **other)
    body = kci(STAMP, ReasonCode.UPDATE, problem(State(Base.IN_PROGRESS)), change=asked)

    assert body[name] == change_entity(asked)
    assert body[name] == {
        "id": 8,
        "supplierReference": "SP_CHANGE0001",
        "status": "COMPLETED",
        "serviceProblemId": 7,
        **other,
    }


def test_the_answer_to_a_change_is_the_request_with_our_reference() -> None:
    assert change_answer(change(Operation.AMENDMENT, notes="The gate is open.")) == {
        "id": 8,
        "supplierReference": "SP_CHANGE0001",
        "serviceProblemId": 7,
        "supplierServiceProblemReference": "SP_0123456789",
        "notes": "The gate is open.",
    }


def test_a_resolution_stands_beside_the_problem() -> None:
    body = kci(STAMP, ReasonCode.RESOLVED, problem(State(Base.RESOLVED)), resolution=resolution())

    assert body["serviceProblemResolution"] == {
        "supplierReference": "SP_RESOLVED01",
        "status": "PENDING",
        "resolvedDate": "2026-01-05T12:00:00.001Z",
        "resolutionDetails": DETAILS,
    }


def test_a_resolution_tells_what_it_knows_and_no_more() -> None:
    closed = resolution(
        status=ResolutionStatus.ACCEPTED,
        closed_date=NOON,
        sla_violation=["EXCEEDED_SLA_TIME_TO_REPAIR"],
        tenant_notes="Thank you.",
    )

    assert resolution_entity(closed) == {
        "supplierReference": "SP_RESOLVED01",
        "status": "ACCEPTED",
        "resolvedDate": "2026-01-05T12:00:00.001Z",
        "closedDate": "2026-01-05T12:00:00.001Z",
        "resolutionDetails": DETAILS,
        "slaViolation": ["EXCEEDED_SLA_TIME_TO_REPAIR"],
        "tenantNotes": "Thank you.",
    }


def test_of_an_undecided_problem_no_kci_tells() -> None:
    with pytest.raises(ValueError, match="undecided"):
        kci(STAMP, ReasonCode.UPDATE, problem(State(Base.UNDECIDED)))


@pytest.mark.parametrize(
    ("base", "known", "number", "present"),
    [
        (Base.REJECTED, False, 1, False),
        (Base.CANCELLED, False, 1, False),  # cancelled before it was acknowledged
        (Base.CANCELLED, True, 1, True),
        (Base.CANCELLED, False, 2, True),  # an ACKNOWLEDGED goes before it
        (Base.ACKNOWLEDGED, False, 1, True),
        (Base.RESOLVED, True, 4, True),
    ],
)
def test_our_reference_is_told_from_acknowledged_on(
    base: Base, known: bool, number: int, present: bool
) -> None:
    entity = problem_entity(problem(State(base), reference_known=known, next_kci=number))

    assert ("supplierReference" in entity) is present


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        ("ISSUE_RESOLVED", "NO_LONGER_REQUIRED"),
        ("NO_LONGER_REQUIRED", "NO_LONGER_REQUIRED"),
        ("CUSTOMER_NETWORK_ISSUE", "NETWORK_ISSUE"),
        ("OTHER", "OTHER"),
    ],
)
def test_the_code_of_a_cancellation_follows_the_tenants_reason(reason: str, code: str) -> None:
    assert cancelled_code(change(Operation.CANCELLATION, reasonCode=reason)) == code


def test_every_reason_to_cancel_has_a_code() -> None:
    for reason in CancellationReason:
        assert cancelled_code(change(Operation.CANCELLATION, reasonCode=reason)) in ProblemCode
