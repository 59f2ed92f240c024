"""Why a call was answered as it was, in a tester's words."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from supplier_api.contract import refusals
from supplier_api.contract.limits import MESSAGE_MAX
from supplier_api.sandbox.journal.violations import (
    CONTENT_TYPE,
    DOCUMENTS,
    HEADER_PARAMETERS,
    HEADERS,
    REQUEST_FIELDS,
    UPDATES,
    parted,
)
from supplier_api.sandbox.scenarios.choice import HEADERS as SCENARIO_HEADERS

RefusalCause = dict[str, str]
OURS = "/openapi.json"
LIFECYCLE = "lifecycle"
# What is answered whatever the body says, by status.
_BY_STATUS = {
    cause.answer.status: (cause.source, cause.explained)
    for cause in refusals.ALL.values()
    if cause.explained
}


def explain(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return what led to the answer of a journal's entry: fields, rules, sections of documents."""
    status = entry["status"]
    refused = status is None or status >= 400
    return {
        "cursor": entry["cursor"],
        "direction": entry["direction"],
        "operation": entry["operation"],
        "status": status,
        "refused": refused,
        "causes": list(_causes(entry)) if refused else [],
        "remarks": entry["remarks"],
        "decision": entry["decision"],
    }


def _causes(entry: Mapping[str, Any]) -> Iterator[RefusalCause]:
    if entry["deliberate"]:
        yield _on_purpose(entry)
    elif entry["status"] is None:
        yield _cause("fault", "-", entry["trouble"] or "an answer", _document(entry), "Responses")
    elif entry["direction"] == "in" and entry["status"] in _BY_STATUS:
        source, means = _BY_STATUS[entry["status"]]
        document, _, section = source.rpartition(", ")
        yield _cause(means.kind, means.field, means.expected, document or _document(entry), section)
    else:
        for message in _messages(entry):
            yield _refusal(entry, message)


def _refusal(entry: Mapping[str, Any], message: str) -> RefusalCause:
    """Return which of our rules a message of a 400, 409 or 422 comes from."""
    document, (field, text) = _document(entry), parted(message)
    if reason := _reason(entry, message):
        kind = "state" if reason["rule"] == LIFECYCLE else "rule"
        section = _section(entry, field)
        cause = _cause(kind, field, text, document, section)
        return cause | {"rule": reason["rule"], "code": reason["code"]}
    if field in SCENARIO_HEADERS:
        return _cause("contract", field, text, OURS, HEADER_PARAMETERS)
    if field in HEADERS:
        return _cause("contract", field, text, document, HEADER_PARAMETERS)
    if field == CONTENT_TYPE or any(remark["field"] == field for remark in entry["remarks"]):
        return _cause("contract", field, text, document, REQUEST_FIELDS)
    return _cause("state", field, text, document, _section(entry, field))


def _reason(entry: Mapping[str, Any], message: str) -> Mapping[str, str] | None:
    reasons = (entry["decision"] or {}).get("reasons") or []
    return next((each for each in reasons if each["message"][:MESSAGE_MAX] == message), None)


def _messages(entry: Mapping[str, Any]) -> list[str]:
    """Return the messages of the answer, or that there are none."""
    try:
        messages = json.loads(entry["answer"]["body"])["messages"]
    except (ValueError, TypeError, KeyError):
        return ["the answer says no more"]
    return [message for message in messages if isinstance(message, str)]


def _section(entry: Mapping[str, Any], field: str) -> str:
    document = DOCUMENTS.get(entry["operation"])
    name = field.partition(".")[0].partition("[")[0]
    is_field = document is not None and name in document.schema.fields
    return REQUEST_FIELDS if is_field else f"Response {entry['status']}"


def _document(entry: Mapping[str, Any]) -> str:
    if entry["operation"] == "kcis":
        return UPDATES
    document = DOCUMENTS.get(entry["operation"])
    return document.name if document else OURS


def _on_purpose(entry: Mapping[str, Any]) -> RefusalCause:
    done = entry["deliberate"]
    clause = done.get("clause", f"{OURS}: PUT /admin/faults")
    section = clause.removeprefix(f"{UPDATES}, ")
    document = UPDATES
    if section == clause:
        document, _, section = clause.partition(": ")
    message = done["description"]
    if chosen := done.get("parameters"):
        message += f" Set to {', '.join(f'{name} {value}' for name, value in chosen.items())}."
    if "expected" in done:
        message += f" The contract expects {done['expected']} in answer."
    return _cause("deliberate", "-", message, document, section)


def _cause(kind: str, field: str, message: str, document: str, section: str) -> RefusalCause:
    return {
        "kind": kind,
        "field": field,
        "message": message,
        "document": document,
        "section": section,
    }
