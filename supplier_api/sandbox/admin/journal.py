"""/admin/journal: the calls in and out, to filter, to wait for, to export, and to ask why."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import fields, replace
from enum import StrEnum
from typing import Any

import orjson
from flask import Response

from supplier_api.contract import Invalid
from supplier_api.contract.codes import ErrorCode
from supplier_api.contract.fields import Code
from supplier_api.contract.limits import ID_MAX
from supplier_api.contract.schemas import ERROR
from supplier_api.db import Store, UnitOfWork
from supplier_api.http.openapi import Description, response
from supplier_api.http.request_parsing import JSON, empty, json_response, whole_number
from supplier_api.sandbox.admin.parameters import (
    OF_TENANT,
    Moment,
    TrueOrFalse,
    Wait,
    WholeNumber,
    Word,
)
from supplier_api.sandbox.admin.parts import bench
from supplier_api.sandbox.admin.resource import NOT_SAID_WHOSE, AdminBlueprint
from supplier_api.sandbox.journal.entries import JournalDirection
from supplier_api.sandbox.journal.explain import explain
from supplier_api.sandbox.journal.export import har, ndjson
from supplier_api.sandbox.journal.repository import JournalFilter, JournalRepository
from supplier_api.sandbox.journal.schema import ENTRY, PAGE, WHY
from supplier_api.sandbox.json_schemas import text

PAGE_SIZE = 100
PAGE_MAX = 500
NEAR = 3  # close misses shown for each filter
NDJSON = "application/x-ndjson"
SCHEMA = "application/schema+json"


class ExportFormat(StrEnum):
    """The forms of an export."""

    NDJSON = "ndjson"
    HAR = "har"


# Which calls are wanted: the fields of JournalFilter, and where to begin.
FILTERS = {
    **OF_TENANT,
    "operation": Word("As in service-problems; back-office, kcis, token, unknown"),
    "direction": Code(JournalDirection, "in: called by others"),
    "id": Word("Any id: the gateway's, our reference, X-Request-ID, an error's uuid"),
    "conversation": Word("X-Conversation-ID"),
    "outcome": Word("A status, or an outcome of the rule book such as reject"),
    "since": Moment("From this business time on"),
    "until": Moment("Before this business time"),
    "after": WholeNumber("Only behind this cursor", 0, ID_MAX, default=0),
}
COUNT = WholeNumber(
    f"How many calls to return at most ({PAGE_SIZE}); with `wait`, how many to wait for (1)",
    1,
    PAGE_MAX,
)
FORM = Code(ExportFormat, f"In which form; {ExportFormat.NDJSON} by default")
EVERYBODY = TrueOrFalse("true: everybody's; then no tenant is named")
CURSOR = Word("The number of the call", "1")
WRONG = response("A filter says nothing that can be looked for", ERROR)

journal = AdminBlueprint("journal", "The record of calls in and out")


def _of_types(description: str, schemas: Mapping[str, Any]) -> Description:
    """Return the description of an answer that comes in these content types."""
    return {
        "description": description,
        "content": {name: {"schema": schema} for name, schema in schemas.items()},
    }


@journal.call(
    "GET",
    "/journal",
    "journal",
    {
        200: response("The calls, the oldest first", PAGE),
        408: response("There are not so many after that time; `nearest` are close misses", PAGE),
        422: WRONG,
    },
    # Here, nothing is waited for without it.
    parameters={**FILTERS, "count": COUNT, "wait": Wait(None)},
)
def read(query: dict[str, Any]) -> Response:
    """Show calls, or with `wait` answer as soon as there are so many of them.

    Without `wait` it is a page, and the next one is behind its `cursor`.
    """
    store, wanted, after, wait = (
        bench().services.store,
        _wanted(query),
        query["after"],
        query["wait"],
    )
    most = query["count"] or (PAGE_SIZE if wait is None else 1)

    def are_there() -> bool:
        return store.read(lambda uow: JournalRepository(uow).count(wanted, after)) >= most

    there = wait is None or bench().wait_until(are_there, wait)
    page = store.read(lambda uow: _page(uow, wanted, after, most))
    if there:
        return json_response(page)
    found = {entry["cursor"] for entry in page["entries"]}
    nearest = store.read(lambda uow: _nearest(uow, wanted, after, found))
    return json_response({**page, "nearest": nearest}, 408)


@journal.call(
    "DELETE",
    "/journal",
    "forget-journal",
    {204: response("Forgotten"), 422: response("It does not say whose", ERROR)},
    parameters={**OF_TENANT, "all": EVERYBODY},
)
def forget(query: dict[str, Any]) -> Response:
    """Forget a tenant's calls, or with ?all=true everybody's."""
    tenant = query["tenant"]
    if query["all"] is (tenant is not None):
        raise Invalid([NOT_SAID_WHOSE])
    bench().services.store.write(lambda uow: JournalRepository(uow).delete(tenant))
    return empty(204)


@journal.call(
    "GET",
    "/journal/export",
    "export-journal",
    {
        200: _of_types(
            "One JSON object a line, or an HTTP Archive",
            {NDJSON: text(), JSON: {"type": "object", "required": ["log"]}},
        ),
        422: WRONG,
    },
    parameters={**FILTERS, "format": FORM},
)
def export(query: dict[str, Any]) -> Response:
    """Return calls as NDJSON, or as HAR 1.2 for any tool that reads it."""
    calls = _all(bench().services.store, _wanted(query), query["after"])
    if query["format"] == ExportFormat.HAR:
        return Response(har(calls), content_type=JSON)
    return Response(ndjson(calls), content_type=NDJSON)


@journal.call(
    "GET",
    "/journal/schema",
    "journal-schema",
    {200: _of_types("The JSON Schema, draft 2020-12", {SCHEMA: {"type": "object"}})},
)
def schema() -> Response:
    """Return the JSON Schema of a call in the journal, and so of a line of NDJSON."""
    return Response(orjson.dumps(ENTRY), content_type=SCHEMA)


@journal.call(
    "GET",
    "/journal/<cursor>/why",
    "why",
    {
        200: response("What led to the answer", WHY),
        404: response("There is no such call", ERROR),
    },
    parameters={"cursor": CURSOR},
)
def why(cursor: str) -> Response:
    """Say why a request was refused: by which field, rule and section of which document."""
    number = whole_number(cursor, 1, ID_MAX)
    found = number and bench().services.store.read(lambda uow: JournalRepository(uow).get(number))
    if not found:
        return bench().refuse(404, ErrorCode.NOT_FOUND, "cursor: no such call")
    return json_response(explain(found))


def _wanted(query: Mapping[str, Any]) -> JournalFilter:
    """Return the filters that a request names; raises Invalid."""
    wanted = JournalFilter(**{each.name: query[each.name] for each in fields(JournalFilter)})
    if wanted.since and wanted.until and wanted.since >= wanted.until:
        raise Invalid(["until: expected a time after since"])
    return wanted


def _page(uow: UnitOfWork, wanted: JournalFilter, after: int, limit: int) -> dict[str, Any]:
    entries = JournalRepository(uow).page(wanted, after, limit)
    cursor = entries[-1]["cursor"] if entries else after
    return {"entries": entries, "cursor": cursor, "end": JournalRepository(uow).end()}


def _all(store: Store, wanted: JournalFilter, after: int) -> Iterator[Mapping[str, Any]]:
    """Return every call, read page by page."""

    def page(behind: int) -> list[dict[str, Any]]:
        return store.read(lambda uow: JournalRepository(uow).page(wanted, behind, PAGE_MAX))

    while entries := page(after):
        yield from entries
        after = entries[-1]["cursor"]


def _nearest(
    uow: UnitOfWork, wanted: JournalFilter, after: int, found: Collection[int]
) -> dict[str, list[dict[str, Any]]]:
    """Return, for each filter that was set, the newest calls that only it keeps out."""
    most = NEAR + len(found)
    near = {
        name: JournalRepository(uow).latest(replace(wanted, **{name: None}), after, most)
        for name in ("operation", "direction", "id", "conversation", "outcome", "since", "until")
        if getattr(wanted, name) is not None
    }
    if after:
        near["after"] = JournalRepository(uow).latest(wanted, 0, most)
    missed = {
        name: [entry for entry in entries if entry["cursor"] not in found][-NEAR:]
        for name, entries in near.items()
    }
    return {name: entries for name, entries in missed.items() if entries}
