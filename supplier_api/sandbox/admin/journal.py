"""/admin/journal: the calls in and out, to filter, to wait for, to export, and to ask why."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from typing import Any

import orjson
from flask import Response, request
from flask_smorest import Blueprint

from supplier_api.contract import Invalid
from supplier_api.contract.codes import ErrorCode
from supplier_api.contract.limits import ID_MAX
from supplier_api.contract.schemas import ERROR
from supplier_api.db import Store, UnitOfWork
from supplier_api.http.responses import JSON, empty, json_response
from supplier_api.sandbox.admin.dependencies import AdminParts
from supplier_api.sandbox.admin.description import (
    TENANT_IN_QUERY,
    admin_blueprint,
    describe,
    path,
    query,
)
from supplier_api.sandbox.admin.journal_filters import (
    CURSOR,
    FILTERS,
    asked_calls,
    asked_number,
    whole_number,
)
from supplier_api.sandbox.admin.query_params import (
    WAIT,
    asked_flag,
    asked_tenant,
    asked_wait,
    wait_until,
)
from supplier_api.sandbox.journal.explain import explain
from supplier_api.sandbox.journal.export import har, ndjson
from supplier_api.sandbox.journal.repository import JournalFilter, JournalRepository
from supplier_api.sandbox.journal.schema import ENTRY, PAGE, WHY

PAGE_SIZE = 100
PAGE_MAX = 500
NEAR = 3  # close misses told for each filter
NDJSON = "application/x-ndjson"
SCHEMA = "application/schema+json"
COUNT = query(
    "count",
    f"How many calls to return at most ({PAGE_SIZE}); with `wait`, how many to wait for (1)",
    {"type": "integer", "minimum": 1, "maximum": PAGE_MAX},
)
# Here, nothing is waited for without it.
WAITING = WAIT | {"schema": {"type": "string", "pattern": WAIT["schema"]["pattern"]}}
FORM = query(
    "format", "In which form", {"type": "string", "enum": ["ndjson", "har"], "default": "ndjson"}
)
EVERYBODY = query(
    "all", "true: everybody's; then no tenant is named", {"type": "boolean", "default": False}
)
WRONG = (ERROR, "A filter says nothing that can be looked for")


def routes(parts: AdminParts) -> Blueprint:
    """Return the routes of the journal."""
    blueprint = admin_blueprint("journal", "The record of calls in and out")
    _add_reading(blueprint, parts)
    _add_export(blueprint, parts.services.store)
    _add_why(blueprint, parts)
    return blueprint


def _add_reading(blueprint: Blueprint, parts: AdminParts) -> None:
    store = parts.services.store

    @blueprint.route("/journal", methods=["GET"])
    @blueprint.doc(
        **describe(
            "journal",
            {
                200: (PAGE, "The calls, the oldest first"),
                408: (PAGE, "There are not so many after that time; `nearest` are close misses"),
                422: WRONG,
            },
            parameters=[*FILTERS, COUNT, WAITING],
        )
    )
    def read() -> Response:
        """Show calls, or with `wait` answer as soon as there are so many of them.

        Without `wait` it is a page, and the next one is behind its `cursor`.
        """
        wanted, after = asked_calls()
        if "wait" not in request.args:
            count = asked_number("count", PAGE_SIZE, least=1, most=PAGE_MAX)
            return json_response(store.read(lambda uow: _page(uow, wanted, after, count)))
        count, seconds = asked_number("count", 1, least=1, most=PAGE_MAX), asked_wait()

        def are_there() -> bool:
            return store.read(lambda uow: JournalRepository(uow).count(wanted, after)) >= count

        there = wait_until(are_there, seconds, parts)
        page = store.read(lambda uow: _page(uow, wanted, after, count))
        if there:
            return json_response(page)
        found = {entry["cursor"] for entry in page["entries"]}
        nearest = store.read(lambda uow: _nearest(uow, wanted, after, found))
        return json_response({**page, "nearest": nearest}, 408)

    @blueprint.route("/journal", methods=["DELETE"])
    @blueprint.doc(
        **describe(
            "forget-journal",
            {204: (None, "Forgotten"), 422: (ERROR, "It does not say whose")},
            parameters=[TENANT_IN_QUERY, EVERYBODY],
        )
    )
    def forget() -> Response:
        """Forget a tenant's calls, or with ?all=true everybody's."""
        tenant = asked_tenant()
        if asked_flag("all") is (tenant is not None):
            raise Invalid(["tenant: expected one, or none and ?all=true"])
        store.write(lambda uow: JournalRepository(uow).delete(tenant))
        return empty(204)


def _add_export(blueprint: Blueprint, store: Store) -> None:
    exported = describe(
        "export-journal",
        {200: (None, "One JSON object a line, or an HTTP Archive"), 422: WRONG},
        parameters=[*FILTERS, FORM],
    )
    kinds = {NDJSON: {"type": "string"}, JSON: {"type": "object", "required": ["log"]}}

    @blueprint.route("/journal/export", methods=["GET"])
    @blueprint.doc(**_answering(exported, kinds))
    def export() -> Response:
        """Return calls as NDJSON, or as HAR 1.2 for any tool that reads it."""
        wanted, after = asked_calls()
        calls = _all(store, wanted, after)
        match request.args.get("format", "ndjson"):
            case "ndjson":
                return Response(ndjson(calls), content_type=NDJSON)
            case "har":
                return Response(har(calls), content_type=JSON)
        raise Invalid(["format: expected one of ndjson, har"])

    described = describe("journal-schema", {200: (None, "The JSON Schema, draft 2020-12")})

    @blueprint.route("/journal/schema", methods=["GET"])
    @blueprint.doc(**_answering(described, {SCHEMA: {"type": "object"}}))
    def schema() -> Response:
        """Return the JSON Schema of a call in the journal, and so of a line of NDJSON."""
        return Response(orjson.dumps(ENTRY), content_type=SCHEMA)


def _add_why(blueprint: Blueprint, parts: AdminParts) -> None:
    store = parts.services.store

    @blueprint.route("/journal/<cursor>/why", methods=["GET"])
    @blueprint.doc(
        **describe(
            "why",
            {200: (WHY, "What led to the answer"), 404: (ERROR, "There is no such call")},
            parameters=[path("cursor", "The number of the call", CURSOR)],
        )
    )
    def why(cursor: str) -> Response:
        """Say why a request was refused: by which field, rule and section of which document."""
        number = whole_number(cursor, 1, ID_MAX)
        found = number and store.read(lambda uow: JournalRepository(uow).get(number))
        if not found:
            return parts.refuse(404, ErrorCode.NOT_FOUND, "cursor: no such call")
        return json_response(explain(found))


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


def _answering(described: dict[str, Any], kinds: Mapping[str, Any]) -> dict[str, Any]:
    """Return the description of an operation with these content types of its good answer."""
    content = {name: {"schema": schema} for name, schema in kinds.items()}
    described["responses"]["200"]["content"] = content
    return described
