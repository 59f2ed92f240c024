"""/admin/journal: the calls in and out, to filter, to wait for, to export, and to ask why."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from flask import Response, request
from flask_smorest import Blueprint

from supplier_api.admin_api.asking import WAIT, asked_tenant, asked_wait, wait_until
from supplier_api.admin_api.description import (
    TENANT_IN_QUERY,
    admin_blueprint,
    describe,
    path,
    query,
)
from supplier_api.admin_api.parts import AdminParts
from supplier_api.clock import from_wire
from supplier_api.journal.export import har, ndjson
from supplier_api.journal.schema import ENTRY, PAGE
from supplier_api.journal.why import explain
from supplier_api.problems.codes import ErrorCode
from supplier_api.store.journal import Wanted
from supplier_api.web import empty, json_response
from supplier_api.wire import Invalid
from supplier_api.wire.messages import ERROR

PAGE_MAX = 500
EXPORT_MAX = 10_000
FLUSH = 2.0  # seconds for this process's own calls to be written
TEXT = {"type": "string", "minLength": 1, "maxLength": 255}
MOMENT = {"type": "string", "format": "date-time"}
CURSOR = {"type": "integer", "minimum": 0, "maximum": 2**63 - 1}
FILTERS = (
    TENANT_IN_QUERY,
    query("operation", "As in service-problems, or kcis", TEXT),
    query("direction", "Who called", {"type": "string", "enum": ["in", "out"]}),
    query("id", "The gateway's id, or our reference", TEXT),
    query("conversation", "X-Conversation-ID", TEXT),
    query("outcome", "A status, or an outcome of the rule book such as reject", TEXT),
    query("since", "From this business time on", MOMENT),
    query("until", "Before this business time", MOMENT),
    query("after", "Only behind this cursor", CURSOR),
)
COUNT = query(
    "count",
    "With wait: how many calls to wait for; without: how many to return at most",
    {"type": "integer", "minimum": 1, "maximum": PAGE_MAX},
)
WRONG = (ERROR, "A filter is none")


def routes(parts: AdminParts) -> Blueprint:
    """Return the routes of the journal."""
    blueprint = admin_blueprint("journal", "The record of calls in and out")
    store = parts.office.store

    def page(wanted: Wanted, after: int, limit: int) -> list[dict[str, Any]]:
        parts.recorder.flush(FLUSH)
        return store.read(lambda uow: uow.journal.page(wanted, after, limit))

    @blueprint.route("/journal", methods=["GET"])
    @blueprint.doc(
        **describe(
            "journal",
            {
                200: (PAGE, "The calls, the oldest first"),
                408: (PAGE, "There are not so many after that time; `nearest` are close misses"),
                422: WRONG,
            },
            parameters=[*FILTERS, COUNT, WAIT],
        )
    )
    def read() -> Response:
        """Show calls, or wait until there are so many behind a cursor."""
        wanted, after = _asked()
        count = _whole("count", PAGE_MAX, PAGE_MAX)
        if "wait" not in request.args:
            return json_response(_paged(page(wanted, after, count), after))

        def enough() -> bool:
            parts.recorder.flush(FLUSH)
            return store.read(lambda uow: uow.journal.count(wanted, after)) >= count

        there = wait_until(enough, asked_wait(), parts.office.machine)
        found = _paged(page(wanted, after, count), after)
        if there:
            return json_response(found)
        return json_response({**found, "nearest": _nearest(page, wanted, after)}, 408)

    @blueprint.route("/journal", methods=["DELETE"])
    @blueprint.doc(
        **describe(
            "forget-journal",
            {204: (None, "Forgotten"), 422: WRONG},
            parameters=[TENANT_IN_QUERY],
        )
    )
    def forget() -> Response:
        """Forget a tenant's calls, or with ?all=true everybody's."""
        tenant = asked_tenant()
        if tenant is None and request.args.get("all") != "true":
            raise Invalid(["tenant: missing; expected one, or all=true"])
        parts.recorder.flush(FLUSH)
        store.write(lambda uow: uow.journal.delete(tenant))
        return empty(204)

    @blueprint.route("/journal/export", methods=["GET"])
    @blueprint.doc(
        **describe(
            "export-journal",
            {200: (None, "One JSON object a line, or a HAR document"), 422: WRONG},
            parameters=[
                *FILTERS,
                query("format", "In which form", {"type": "string", "enum": ["ndjson", "har"]}),
            ],
        )
    )
    def export() -> Response:
        """Return calls as NDJSON, or as HAR 1.2 for any tool that reads it."""
        wanted, after = _asked()
        entries = page(wanted, after, EXPORT_MAX)
        form = request.args.get("format", "ndjson")
        if form == "har":
            return json_response(har(entries))
        if form != "ndjson":
            raise Invalid(["format: expected one of ndjson, har"])
        return Response(ndjson(entries), content_type="application/x-ndjson")

    @blueprint.route("/journal/schema", methods=["GET"])
    @blueprint.doc(**describe("journal-schema", {200: ({"type": "object"}, "The JSON Schema")}))
    def schema() -> Response:
        """Return the JSON Schema of a call in the journal."""
        return Response(json.dumps(ENTRY), content_type="application/schema+json")

    @blueprint.route("/journal/<int:cursor>/why", methods=["GET"])
    @blueprint.doc(
        **describe(
            "why",
            {
                200: ({"type": "object"}, "What led to the answer"),
                404: (ERROR, "There is no such call"),
            },
            parameters=[path("cursor", "The number of the call", CURSOR)],
        )
    )
    def why(cursor: int) -> Response:
        """Say why a request was refused: by which field, rule and section of which document."""
        parts.recorder.flush(FLUSH)
        # A number that no row can have is asked for in vain, not wrongly.
        entry = store.read(lambda uow: uow.journal.get(min(cursor, 2**63 - 1)))
        if entry is None:
            return parts.refuse(404, ErrorCode.NOT_FOUND, "cursor: no such call")
        return json_response(explain(entry))

    return blueprint


def _asked() -> tuple[Wanted, int]:
    """Return the filters that the current request names, and the cursor; raises Invalid."""
    asked = request.args
    direction = asked.get("direction")
    if direction not in (None, "in", "out"):
        raise Invalid(["direction: expected one of in, out"])
    wanted = Wanted(
        tenant=asked_tenant(),
        operation=asked.get("operation"),
        direction=direction,
        name=asked.get("id"),
        conversation=asked.get("conversation"),
        outcome=asked.get("outcome"),
        since=_moment("since"),
        until=_moment("until"),
    )
    return wanted, _whole("after", 0, 2**63 - 1)


def _whole(name: str, otherwise: int, most: int) -> int:
    text = request.args.get(name)
    if text is None:
        return otherwise
    if not (text.isascii() and text.isdigit()) or len(text) > 19 or int(text) > most:
        raise Invalid([f"{name}: expected a whole number up to {most}"])
    return int(text)


def _moment(name: str) -> datetime | None:
    text = request.args.get(name)
    try:
        return from_wire(text.replace(" ", "+")) if text else None
    except ValueError:
        expected = "expected a date-time with an offset, as in 2026-01-05T12:00:00.000Z"
        raise Invalid([f"{name}: {expected}"]) from None


def _paged(entries: list[dict[str, Any]], after: int) -> dict[str, Any]:
    return {"entries": entries, "cursor": entries[-1]["cursor"] if entries else after}


def _nearest(
    page: Callable[[Wanted, int, int], list[dict[str, Any]]], wanted: Wanted, after: int
) -> Mapping[str, list[dict[str, Any]]]:
    """Return, for each filter that was set, a few calls that fulfil all others."""
    near: dict[str, list[dict[str, Any]]] = {}
    for name in ("outcome", "operation", "direction", "name", "conversation"):
        if getattr(wanted, name) is not None:
            found = page(replace(wanted, **{name: None}), after, 3)
            if found:
                near["id" if name == "name" else name] = found
    return near
