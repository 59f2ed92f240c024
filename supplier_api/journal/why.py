"""Why a call was answered as it was, in a tester's words."""

from collections.abc import Mapping
from typing import Any

from supplier_api.journal.remarks import DOCUMENTS, REQUEST_FIELDS

ACCESS = "RFC 6750, section 3.1"
MEANINGS = {
    401: ("access", "Authorization", ACCESS, "a bearer token of our own issuer"),
    403: ("access", "scope", ACCESS, "a token that is good for this operation"),
    404: ("path", "path", "Endpoint", "a published path"),
    405: ("path", "method", "Endpoint", "the published method of this path"),
    501: ("settings", "server.operations", "Response 501", "an operation that is switched on"),
    503: ("time", "-", "Response 503", "another try after Retry-After"),
    500: ("fault", "-", "Response 500", "a look into the log for the answer's uuid"),
}


def explain(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return what led to the answer of a journal's entry: fields, rules, sections of documents."""
    status = entry["status"]
    causes = [{"kind": "contract", **remark} for remark in entry["remarks"]]
    if status in MEANINGS:
        kind, field, section, expected = MEANINGS[status]
        causes = [{"kind": kind, "field": field, "section": section, "expected": expected}]
    decision = entry.get("decision")
    if decision and status == 422:
        document = DOCUMENTS.get(entry["operation"])
        causes = [_cause(reason, document.name if document else "") for reason in decision["reasons"]]
    return {
        "cursor": entry["cursor"],
        "operation": entry["operation"],
        "status": status,
        "answer": entry["answer"]["body"],
        "causes": causes,
        "decision": decision,
    }


def _cause(reason: Mapping[str, str], document: str) -> dict[str, str]:
    field, separator, text = reason["message"].partition(": ")
    return {
        "kind": "rule",
        "rule": reason["rule"],
        "code": reason["code"],
        "field": field if separator else "-",
        "expected": text or field,
        "document": document,
        "section": REQUEST_FIELDS,
    }
