"""/admin/journal: the calls in and out, to filter, to wait for, to export, and to ask why."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from typing import Any

import orjson
from flask import Response

from supplier_api.contract import Invalid
from supplier_api.contract.codes import ErrorCode
from supplier_api.contract.limits import ID_MAX
from supplier_api.contract.schemas import ERROR
from supplier_api.db import Store, UnitOfWork
from supplier_api.http.openapi import Description, response
from supplier_api.http.request_parsing import whole_number
from supplier_api.http.responses import JSON, empty, json_response
from supplier_api.sandbox.admin.parameters import (
    TENANT_IN_QUERY,
    RequestParameter,
    choice,
    flag,
    moment,
    number,
    waiting,
    word,
)
from supplier_api.sandbox.admin.resource import AdminParts, AdminResource
from supplier_api.sandbox.journal.entries import JournalDirection
from supplier_api.sandbox.journal.explain import explain
from supplier_api.sandbox.journal.export import har, ndjson
from supplier_api.sandbox.journal.repository import JournalFilter, JournalRepository
from supplier_api.sandbox.journal.schema import ENTRY, PAGE, WHY

PAGE_SIZE = 100
PAGE_MAX = 500
NEAR = 3  # close misses shown for each filter
NDJSON = "application/x-ndjson"
SCHEMA = "application/schema+json"
AFTER = number("after", "Only behind this cursor", 0, ID_MAX, default=0)
# Which calls are wanted; but for `after`, a view gets each by the name that JournalFilter has.
FILTERS = (
    TENANT_IN_QUERY,
    word("operation", "As in service-problems; back-office, kcis, token, unknown"),
    choice("direction", "in: called by others", JournalDirection),
    word("id", "Any id: the gateway's, our reference, X-Request-ID, an error's uuid"),
    word("conversation", "X-Conversation-ID"),
    word("outcome", "A status, or an outcome of the rule book such as reject"),
    moment("since", "From this business time on"),
    moment("until", "Before this business time"),
    AFTER,
)
COUNT = number(
    "count",
    f"How many calls to return at most ({PAGE_SIZE}); with `wait`, how many to wait for (1)",
    1,
    PAGE_MAX,
)
FORM = choice("format", "In which form", ("ndjson", "har"), default="ndjson", argument="form")
EVERYBODY = flag("all", "true: everybody's; then no tenant is named", "everybody")
CURSOR = RequestParameter(
    "cursor",
    "The number of the call",
    AFTER.schema,
    lambda digits: whole_number(digits, 1, ID_MAX),
    in_path=True,
)
WRONG = response("A filter says nothing that can be looked for", ERROR)


def declare(parts: AdminParts) -> AdminResource:
    """Return the routes of the journal."""
    resource = AdminResource(parts, "journal", "The record of calls in and out")
    _declare_reading(resource, parts)
    _declare_export(resource, parts.services.store)
    _declare_why(resource, parts)
    return resource


def _declare_reading(resource: AdminResource, parts: AdminParts) -> None:
    store = parts.services.store

    @resource.route(
        "GET",
        "/journal",
        "journal",
        {
            200: response("The calls, the oldest first", PAGE),
            408: response(
                "There are not so many after that time; `nearest` are close misses", PAGE
            ),
            422: WRONG,
        },
        # Here, nothing is waited for without it.
        parameters=[*FILTERS, COUNT, waiting(default=None)],
    )
    def read(count: int | None, wait: float | None, after: int, **filters: Any) -> Response:
        """Show calls, or with `wait` answer as soon as there are so many of them.

        Without `wait` it is a page, and the next one is behind its `cursor`.
        """
        wanted = _wanted(filters)
        most = count or (PAGE_SIZE if wait is None else 1)

        def are_there() -> bool:
            return store.read(lambda uow: JournalRepository(uow).count(wanted, after)) >= most

        there = wait is None or parts.wait_until(are_there, wait)
        page = store.read(lambda uow: _page(uow, wanted, after, most))
        if there:
            return json_response(page)
        found = {entry["cursor"] for entry in page["entries"]}
        nearest = store.read(lambda uow: _nearest(uow, wanted, after, found))
        return json_response({**page, "nearest": nearest}, 408)

    @resource.route(
        "DELETE",
        "/journal",
        "forget-journal",
        {204: response("Forgotten"), 422: response("It does not say whose", ERROR)},
        parameters=[TENANT_IN_QUERY, EVERYBODY],
    )
    def forget(tenant: str | None, *, everybody: bool) -> Response:
        """Forget a tenant's calls, or with ?all=true everybody's."""
        if everybody is (tenant is not None):
            raise Invalid(["tenant: expected one, or none and ?all=true"])
        store.write(lambda uow: JournalRepository(uow).delete(tenant))
        return empty(204)


def _declare_export(resource: AdminResource, store: Store) -> None:
    exported = {NDJSON: {"type": "string"}, JSON: {"type": "object", "required": ["log"]}}

    @resource.route(
        "GET",
        "/journal/export",
        "export-journal",
        {200: _of_types("One JSON object a line, or an HTTP Archive", exported), 422: WRONG},
        parameters=[*FILTERS, FORM],
    )
    def export(form: str, after: int, **filters: Any) -> Response:
        """Return calls as NDJSON, or as HAR 1.2 for any tool that reads it."""
        calls = _all(store, _wanted(filters), after)
        if form == "har":
            return Response(har(calls), content_type=JSON)
        return Response(ndjson(calls), content_type=NDJSON)

    @resource.route(
        "GET",
        "/journal/schema",
        "journal-schema",
        {200: _of_types("The JSON Schema, draft 2020-12", {SCHEMA: {"type": "object"}})},
    )
    def schema() -> Response:
        """Return the JSON Schema of a call in the journal, and so of a line of NDJSON."""
        return Response(orjson.dumps(ENTRY), content_type=SCHEMA)


def _declare_why(resource: AdminResource, parts: AdminParts) -> None:
    store = parts.services.store

    @resource.route(
        "GET",
        "/journal/<cursor>/why",
        "why",
        {
            200: response("What led to the answer", WHY),
            404: response("There is no such call", ERROR),
        },
        parameters=[CURSOR],
    )
    def why(cursor: int | None) -> Response:
        """Say why a request was refused: by which field, rule and section of which document."""
        found = cursor and store.read(lambda uow: JournalRepository(uow).get(cursor))
        if not found:
            return parts.refuse(404, ErrorCode.NOT_FOUND, "cursor: no such call")
        return json_response(explain(found))


def _wanted(filters: Mapping[str, Any]) -> JournalFilter:
    """Return the filters that a request names; raises Invalid."""
    wanted = JournalFilter(**filters)
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


def _of_types(text: str, schemas: Mapping[str, Any]) -> Description:
    """Return the description of an answer that comes in these content types."""
    return {
        "description": text,
        "content": {name: {"schema": schema} for name, schema in schemas.items()},
    }
