"""Each document's example request gets its documented answer, with exactly the documented body."""

import re
from collections.abc import Mapping
from typing import Any

import pytest

from supplier_api.contract.limits import REFERENCE_PATTERN
from tests import documents, samples
from tests.samples import amendment_request, cancellation_request, published_problem
from tests.supplier import COMMITTED, DEFERRED, REPAIRED, Supplier

# Unknown fields, one at each level where an object stands.
UNKNOWN = {"externalIdentifier": "DS-2345432345345", "status": "COMPLETED"}


def without_reference(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return an answer's body without our reference, of which only the form is known."""
    assert re.fullmatch(REFERENCE_PATTERN, body["supplierReference"])
    return {name: value for name, value in body.items() if name != "supplierReference"}


def test_the_samples_are_the_documents_examples() -> None:
    # *supplier-create* has no examples for these two; they are those of *supplier-amend*.
    contact = documents.example("supplier-create")["primaryContact"]
    beside = {
        "secondaryContact": contact,
        "characteristics": documents.example("supplier-amend")["characteristics"],
    }
    assert published_problem() == documents.example("supplier-create") | beside
    assert amendment_request() == documents.example("supplier-amend") | beside
    example = documents.example("supplier-cancel")
    assert cancellation_request(id=123, serviceProblemId=123) == example
    answer = documents.example("supplier-resolve", "200")
    details = answer.pop("resolutionDetails")
    assert answer == {name: samples.resolution()[name] for name in answer}
    assert details == {name: samples.resolution()["resolutionDetails"][name] for name in details}


def named(request: Mapping[str, Any]) -> dict[str, Any]:
    """Return a problem's request as the answer tells it: with the specification's name."""
    return {**request, "serviceSpecification": {"id": "ftthl2r", "name": "FTTH"}}


def test_a_problem_is_acknowledged(supplier: Supplier) -> None:
    answer = supplier.create(published_problem())
    assert answer.status_code == 201
    assert answer.content_type == "application/json"
    body = answer.get_json()
    assert without_reference(body) == {"status": "ACKNOWLEDGED", **named(published_problem())}


def test_a_problem_is_begun_at_once(supplier: Supplier) -> None:
    answer = supplier.create(published_problem(), tenant=COMMITTED)
    assert answer.status_code == 201
    expected = {"status": "IN_PROGRESS", **named(published_problem())}
    assert without_reference(answer.get_json()) == expected


def test_a_problem_is_left_open(supplier: Supplier) -> None:
    answer = supplier.create(published_problem(), tenant=DEFERRED)
    assert answer.status_code == 202
    assert answer.data == b""
    assert "Content-Type" not in answer.headers


@pytest.mark.parametrize(("tenant", "status"), [("TENANT1", 201), (DEFERRED, 202)])
def test_an_amendment_is_applied_or_left_open(supplier: Supplier, tenant: str, status: int) -> None:
    problem = supplier.opened(tenant=tenant)
    request = problem.named(amendment_request())
    answer = supplier.amend(request, tenant=tenant)
    assert answer.status_code == status
    assert answer.content_type == "application/json"
    # The reference in the answer is ours, whatever stood in the request.
    assert answer.get_json()["supplierReference"] != request.pop("supplierReference")
    assert without_reference(answer.get_json()) == request


@pytest.mark.parametrize(("tenant", "status"), [("TENANT1", 201), (DEFERRED, 202)])
def test_a_cancellation_is_done_or_left_open(supplier: Supplier, tenant: str, status: int) -> None:
    problem = supplier.opened(tenant=tenant)
    request = problem.named(cancellation_request())
    answer = supplier.cancel(request, tenant=tenant)
    assert answer.status_code == status
    assert answer.content_type == "application/json"
    assert without_reference(answer.get_json()) == request


@pytest.mark.parametrize(
    ("status", "closed"),
    [("ACCEPTED", {"closedDate": "2026-01-05T12:00:02.000Z"}), ("REJECTED", {})],
)
def test_a_resolution_is_answered(supplier: Supplier, status: str, closed: dict[str, str]) -> None:
    reference = supplier.resolved(supplier.opened())
    supplier.machine.advance(1)
    note = {"tenantNotes": "The problem was not resolved"}
    answer = supplier.settle(reference, status, **note)
    assert answer.status_code == 200
    assert answer.content_type == "application/json"
    assert answer.get_json() == {
        "supplierReference": reference,
        "status": status,
        "resolvedDate": "2026-01-05T12:00:00.000Z",
        "resolutionDetails": REPAIRED,
        **note,
        **closed,
    }


def test_what_is_absent_stays_absent(supplier: Supplier) -> None:
    required = {
        field.name
        for field in documents.read("supplier-create")
        if field.part == "request" and field.required and "." not in field.name
    }
    short = {name: value for name, value in published_problem().items() if name in required}
    short["primaryContact"] = {"name": "John Smith", "phoneNumber": "01234 567890"}
    body = supplier.create(short).get_json()
    assert without_reference(body) == {"status": "ACKNOWLEDGED", **named(short)}

    about = {
        "serviceProblemId": 23467,
        "supplierServiceProblemReference": body["supplierReference"],
    }
    amendment = {"id": 1, "serviceProblemId": 23467, "notes": "Ring twice."}
    assert without_reference(supplier.amend(amendment).get_json()) == amendment
    cancellation = {"id": 2, **about, "reasonCode": "OTHER"}
    assert without_reference(supplier.cancel(cancellation).get_json()) == cancellation


def test_what_is_not_published_is_ignored_and_never_echoed(supplier: Supplier) -> None:
    def with_unknown(request: Mapping[str, Any]) -> dict[str, Any]:
        nested = {
            name: {**value, **UNKNOWN} if isinstance(value, dict) else value
            for name, value in request.items()
        }
        return {**UNKNOWN, **nested}

    created = supplier.create(with_unknown(published_problem())).get_json()
    assert without_reference(created) == {"status": "ACKNOWLEDGED", **named(published_problem())}

    problem = supplier.opened(id=2, serviceId="SI0000000000099")
    amendment = problem.named(amendment_request())
    answer = supplier.amend(with_unknown(amendment)).get_json()
    assert without_reference(answer) == without_reference(amendment)

    cancellation = problem.named(cancellation_request())
    answer = supplier.cancel(with_unknown(cancellation)).get_json()
    assert without_reference(answer) == cancellation

    other = supplier.opened(id=3, serviceId="SI0000000000098")
    reference = supplier.resolved(other)
    settled = supplier.settle(reference, "REJECTED", externalIdentifier="DS-1", closedDate="now")
    assert settled.get_json().keys() == {
        "supplierReference",
        "status",
        "resolvedDate",
        "resolutionDetails",
    }


def test_ids_are_echoed_exactly(supplier: Supplier) -> None:
    largest, beyond_doubles = 2**63 - 1, 2**53 + 1
    answer = supplier.create(
        published_problem(id=largest, serviceTestId=beyond_doubles, parentServiceProblemId=1)
    )
    assert answer.status_code == 201
    body = answer.get_json()
    assert (body["id"], body["serviceTestId"]) == (largest, beyond_doubles)
    amended = supplier.amend({"id": largest, "serviceProblemId": largest, "notes": "Ring twice."})
    assert amended.status_code == 201
    assert amended.get_json()["serviceProblemId"] == largest


def test_text_is_echoed_as_it_was_sent(supplier: Supplier) -> None:
    texts = {
        "notes": "  Siân O'Hara \u2014 \U0001f50c\r\n\ttwo lines  ",
        "hazards": "e\u0301 is not \u00e9",
        "problemText": "\U0001f6dc" * 80,
    }
    answer = supplier.create(published_problem(**texts))
    assert answer.status_code == 201
    assert {name: answer.get_json()[name] for name in texts} == texts
