"""/back-office/v1/problems: one problem as it is now, and those that changed."""

from typing import Any

from flask import Response, request

from supplier_api.clock import from_wire
from supplier_api.contract import load, refusals
from supplier_api.contract.codes import Status
from supplier_api.contract.errors import ErrorAnswer
from supplier_api.contract.fields import InstantField, Text
from supplier_api.contract.limits import SERVICE_ID_MAX
from supplier_api.contract.loading import make
from supplier_api.http.backoffice.door import (
    ETAG,
    REFERENCE,
    admit,
    blueprint,
    describe,
    door,
    etag,
    is_name,
)
from supplier_api.http.backoffice.schemas import NAME_MAX
from supplier_api.http.openapi import response
from supplier_api.http.request_parsing import check_query, json_response, query_number
from supplier_api.problems import view
from supplier_api.problems.backoffice_events import references_of
from supplier_api.problems.changes_feed import FeedCursor, WantedChanges, changed
from supplier_api.problems.model import Base, ServiceProblem

LIMIT = 50
LIMIT_MAX = 500
STATES = [Base.UNDECIDED.value, *(status.value for status in Status)]
# What is in the query, but for the numbers.
_QUERY = make(
    "ProblemQuery",
    {
        "changed-since": InstantField("Changed since", "2026-01-05T12:00:00.000Z"),
        "ticket": Text("The back office's ticket", maximum=NAME_MAX),
        "service": Text("The service", maximum=SERVICE_ID_MAX),
    },
)
_TEXT = {"type": "string"}
_MAYBE = {"type": "string", "nullable": True}
_TIME = {"type": "string", "format": "date-time"}
_THINGS = {"type": "array", "items": {"type": "object"}}
SUMMARY: dict[str, Any] = {
    "reference": {**_TEXT, "description": "Our reference of the problem"},
    "tenant": _TEXT,
    "gatewayId": {"type": "integer"},
    "serviceId": _TEXT,
    "status": {**_TEXT, "enum": STATES, "description": "Where the problem stands"},
    "created": _TIME,
    "updated": {**_TIME, "description": "When it last changed"},
}
PROBLEM = {
    "type": "object",
    "required": [*SUMMARY, "legalEvents", "mustCarry", "document", "timeline"],
    "properties": {
        **SUMMARY,
        "base": {**_TEXT, "description": "The progress of the work"},
        "waiting": {**_MAYBE, "description": "What the work waits for"},
        "asked": {**_MAYBE, "description": "Which change is undecided"},
        "waitsFor": {**_MAYBE, "description": "Whom and what it waits for, in words"},
        "heldUp": {"type": "array", "items": _TEXT, "description": "What holds it up, in words"},
        "legalEvents": {"type": "array", "items": _TEXT, "description": "What is possible now"},
        "mustCarry": {
            "type": "object",
            "additionalProperties": {"type": "array", "items": _TEXT},
            "description": "The fields that each of these events must carry",
        },
        "pendingChange": {
            "type": "object",
            "nullable": True,
            "description": "The amendment or cancellation that is undecided",
        },
        "change": {
            "type": "object",
            "nullable": True,
            "description": "The undecided change as a KCI would carry it",
        },
        "backOfficeId": {**_MAYBE, "description": "The back office's ticket"},
        "backOfficeUrl": _MAYBE,
        "incident": _MAYBE,
        "area": {**_MAYBE, "description": "Where the service is, as the inventory had it"},
        "exchange": {**_MAYBE, "description": "Where the service is, as the inventory had it"},
        "parent": {**_MAYBE, "description": "Our reference of its parent problem"},
        "parentUnknown": {
            **_MAYBE,
            "description": "Which parent the tenant named that is no problem of it, in words",
        },
        "document": {"type": "object", "description": "The problem in the words of the contract"},
        "timeline": {
            **_THINGS,
            "description": "Requests, events, KCIs, work orders and operators' actions, in order",
        },
        "timers": _THINGS,
        "version": {"type": "integer", "description": "The number in the ETag"},
    },
}
LISTED = {
    "type": "object",
    "required": ["problems", "cursor", "more"],
    "properties": {
        "problems": {
            "type": "array",
            "items": {"type": "object", "required": list(SUMMARY), "properties": SUMMARY},
        },
        "cursor": {**_MAYBE, "description": "Where the next page begins, now or later"},
        "more": {"type": "boolean", "description": "Whether there may be more already"},
    },
}
_MEANINGS: dict[str, tuple[str, dict[str, Any]]] = {
    "state": ("Only those in this state", {**_TEXT, "enum": STATES}),
    "changed-since": ("Only those that changed then or later", _TIME),
    "ticket": ("Only those with this ticket", {**_TEXT, "maxLength": NAME_MAX}),
    "service": ("Only those on this service", {**_TEXT, "maxLength": SERVICE_ID_MAX}),
    "limit": (
        "At most so many",
        {"type": "integer", "minimum": 1, "maximum": LIMIT_MAX, "default": LIMIT},
    ),
    "cursor": ("The cursor of the page before", _TEXT),
}
QUERY = [
    {"name": name, "in": "query", "description": text, "schema": schema}
    for name, (text, schema) in _MEANINGS.items()
]
_TEXTS = {
    ErrorAnswer.INVALID: "A parameter is unknown or wrong",
    ErrorAnswer.CONFLICT: "Several problems are called that: the references are named",
}


@blueprint.route("/problems/<reference>", methods=["GET"])
@blueprint.doc(
    **describe(
        refusals.SHOW_PROBLEM,
        {200: response("The problem", PROBLEM, ETAG)},
        _TEXTS,
        parameters=[REFERENCE],
    )
)
def show(reference: str) -> Response:
    """Show a problem: where it stands, what it waits for, what is possible, and its history.

    It may be named by anything that is one problem's: our reference of it, of a change or of
    its resolution, the gateway's id, the ticket, the service, the conversation.
    """
    admit()
    services, problem_id = door().services, find_one(reference).id
    now = services.machine.now()
    problem, seen = services.store.read(lambda uow: view.whole(uow, problem_id, now))
    answer = json_response(seen)
    answer.headers["ETag"] = etag(problem.version)
    return answer


@blueprint.route("/problems", methods=["GET"])
@blueprint.doc(
    **describe(
        refusals.LIST_PROBLEMS,
        {200: response("The problems", LISTED)},
        _TEXTS,
        parameters=QUERY,
    )
)
def listed() -> Response:
    """List problems in the order in which they last changed.

    What changed in the last five seconds is left out, so that nobody who goes on from a cursor
    misses a change. One that changes again comes again. Times are business time. Of one state
    a page may hold few problems, or none, and yet `more`: go on with its cursor.
    """
    admit()
    services = door().services
    wanted, now = _wanted(), services.business.now("")
    page = services.store.read(lambda uow: changed(uow, wanted, now))
    return json_response(
        {
            "problems": [view.summary(problem) for problem in page.problems],
            "cursor": str(page.cursor) if page.cursor else None,
            "more": page.more,
        }
    )


def find_one(name: str) -> ServiceProblem:
    """Return the one problem of a name; raises RequestRefused."""
    store = door().services.store
    found = store.read(lambda uow: view.find(uow, name)) if is_name(name) else []
    if not found:
        raise refusals.UNKNOWN_REFERENCE.error()
    if len(found) > 1:
        several = references_of(found, len(found))
        raise refusals.SEVERAL_PROBLEMS.error(count=len(found), references=several)
    return found[0]


def _wanted() -> WantedChanges:
    """Return what the query asks for; raises contract.Invalid."""
    check_query(request, _MEANINGS)
    given = request.args
    fields = load(_QUERY, {name: given[name] for name in _QUERY.fields if name in given})
    if "state" in given and given["state"] not in STATES:
        raise refusals.UNKNOWN_CODE.error(path="state", codes=", ".join(STATES))
    limit = query_number(request, "limit", LIMIT, 1, LIMIT_MAX)
    after = FeedCursor.parse(given["cursor"]) if "cursor" in given else None
    if "cursor" in given and after is None:
        raise refusals.UNKNOWN_CURSOR.error()
    since = fields.get("changed-since")
    return WantedChanges(
        limit=limit,
        state=given.get("state"),
        since=from_wire(since) if since else None,
        ticket=fields.get("ticket"),
        service=fields.get("service"),
        after=after,
    )
