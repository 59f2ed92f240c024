"""Why a call was refused: the field, the rule, and the section of the document."""

import json
from typing import Any

import jsonschema_rs
import pytest

from supplier_api.sandbox.journal.explain import explain
from supplier_api.sandbox.journal.schema import WHY

from .entries import REMARK, entry, half

DOCUMENT = "supplier-create v1.15"
FIELDS = "Request fields"


def refused(*messages: str, status: int = 422, **changes: Any) -> dict[str, Any]:
    """Return an entry that was answered with these messages."""
    body = {"uuid": "u", "code": "INVALID_REQUEST", "messages": messages}
    return entry(status=status, answer=half(json.dumps(body)), **changes)


def causes(of: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the causes of an answer."""
    explained = explain(of)
    jsonschema_rs.validator_for(WHY).validate(
        {name: value for name, value in explained.items() if value is not None}
        | {"decision": {"outcome": "", "rule": "", "reasons": [], "trace": [], "bookVersion": ""}}
        | {"status": explained["status"] or 0}
    )
    found: list[dict[str, Any]] = explained["causes"]
    return found


def decision(rule: str, message: str) -> dict[str, Any]:
    """Return the decision of one rule."""
    reason = {"rule": rule, "code": "REJECTION", "message": message}
    return {
        "outcome": "reject",
        "rule": rule,
        "reasons": [reason],
        "trace": [],
        "bookVersion": "1",
    }


def test_what_was_not_refused_has_no_cause() -> None:
    assert explain(entry())["refused"] is False
    assert causes(entry()) == []


@pytest.mark.parametrize("header", ["X-Scenario", "X-Problem-Code", "X-Kci-Delay"])
def test_a_header_of_testers_is_in_our_own_description(header: str) -> None:
    assert causes(refused(f"{header}: expected another")) == [
        {
            "kind": "contract",
            "field": header,
            "message": "another",
            "document": "/openapi.json",
            "section": "Header parameters",
        }
    ]


def test_a_broken_constraint_is_the_contracts() -> None:
    message = "problemType: expected one of OUTAGE, STABILITY"
    assert causes(refused(message, remarks=[REMARK])) == [
        {
            "kind": "contract",
            "field": "problemType",
            "message": "one of OUTAGE, STABILITY",
            "document": DOCUMENT,
            "section": FIELDS,
        }
    ]


def test_a_header_has_a_section_of_its_own() -> None:
    [cause] = causes(refused("Tenant: expected 1 to 255 visible ASCII characters"))
    assert (cause["kind"], cause["field"], cause["section"]) == (
        "contract",
        "Tenant",
        "Header parameters",
    )


@pytest.mark.parametrize(
    ("rule", "kind"), [("already-open", "rule"), ("lifecycle", "state")], ids=["book", "lifecycle"]
)
def test_a_rule_is_named(rule: str, kind: str) -> None:
    message = "serviceId: a problem is already open on SI1: 5"
    assert causes(refused(message, decision=decision(rule, message))) == [
        {
            "kind": kind,
            "field": "serviceId",
            "message": "a problem is already open on SI1: 5",
            "document": DOCUMENT,
            "section": FIELDS,
            "rule": rule,
            "code": "REJECTION",
        }
    ]


def test_each_reason_is_a_cause() -> None:
    messages = ["notes: missing", "id: expected a number"]
    remarks = [REMARK | {"field": "notes"}, REMARK | {"field": "id"}]
    found = causes(refused(*messages, status=400, remarks=remarks))
    assert [each["field"] for each in found] == ["notes", "id"]


def test_what_the_documents_do_not_forbid_lies_in_how_things_stand() -> None:
    [cause] = causes(refused("id: 23467 was used for another problem"))
    assert (cause["kind"], cause["field"], cause["section"]) == ("state", "id", FIELDS)
    [other] = causes(refused("the service problem was closed"))
    assert (other["kind"], other["field"], other["section"]) == ("state", "body", "Response 422")


@pytest.mark.parametrize(
    ("status", "kind", "document"),
    [
        (401, "access", "RFC 6750"),
        (403, "access", "RFC 6750"),
        (404, "path", "/openapi.json"),
        (405, "path", "/openapi.json"),
        (500, "fault", DOCUMENT),
        (501, "settings", DOCUMENT),
        (503, "time", DOCUMENT),
    ],
)
def test_other_answers_speak_for_themselves(status: int, kind: str, document: str) -> None:
    [cause] = causes(entry(status=status, remarks=[REMARK]))
    assert (cause["kind"], cause["document"]) == (kind, document)


def test_what_was_done_on_purpose_is_told_with_its_clause() -> None:
    done = {
        "kind": "bad-uuid",
        "description": "`id` is no UUID.",
        "clause": "Supplier Updates API 1.8, POST /kcis, id: a UUID, in its usual form",
        "expected": "422 INVALID_REQUEST",
    }
    assert causes(refused("id: no", direction="out", operation="kcis", deliberate=done)) == [
        {
            "kind": "deliberate",
            "field": "-",
            "message": "`id` is no UUID. The contract expects 422 INVALID_REQUEST in answer.",
            "document": "Supplier Updates API 1.8, POST /kcis",
            "section": "id: a UUID, in its usual form",
        }
    ]


@pytest.mark.parametrize(
    ("clause", "document", "section"),
    [
        (
            {"clause": "Supplier API 1.15, POST /service-problems: before its KCIs"},
            "Supplier API 1.15, POST /service-problems",
            "before its KCIs",
        ),
        ({}, "/openapi.json", "PUT /admin/faults"),
    ],
)
def test_a_fault_of_another_kind_has_its_own_document(
    clause: dict[str, str], document: str, section: str
) -> None:
    done = {"kind": "503", "description": "Answered 503.", **clause}
    [cause] = causes(entry(status=503, deliberate=done))
    assert (cause["document"], cause["section"]) == (document, section)
    assert cause["message"] == "Answered 503."


def test_of_a_refused_update_the_gateway_is_quoted() -> None:
    [cause] = causes(refused("sequenceNumber: used", direction="out", operation="kcis"))
    assert (cause["field"], cause["message"]) == ("sequenceNumber", "used")
    assert cause["document"] == "Supplier Updates API 1.8, POST /kcis"
    [silent] = causes(entry(direction="out", operation="kcis", status=None, trouble="TimeoutError"))
    assert (silent["kind"], silent["message"]) == ("fault", "TimeoutError")
    [bare] = causes(entry(direction="out", operation="kcis", status=422))
    assert bare["message"] == "the answer says no more"
