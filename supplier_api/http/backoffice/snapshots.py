"""PUT /back-office/v1/problems/{name}/snapshot: what the problem's ticket is now."""

from collections.abc import Mapping
from typing import Any

from flask import Response, g

from supplier_api.contract import load, refusals
from supplier_api.contract.codes import ProblemCode
from supplier_api.contract.errors import ErrorAnswer
from supplier_api.contract.fields import Code, Text, Version
from supplier_api.contract.loading import make
from supplier_api.http.backoffice.door import (
    ETAG,
    IF_MATCH,
    PROBLEM_CHANGED,
    REFERENCE,
    admit,
    blueprint,
    describe,
    door,
    etag,
    event_response,
    read_document,
    wanted_versions,
)
from supplier_api.http.backoffice.problems import find_one
from supplier_api.http.backoffice.schemas import EVENT, NAME_MAX, URL_MAX
from supplier_api.http.openapi import response
from supplier_api.http.request_parsing import json_response
from supplier_api.problems.lifecycle import DECIDES_CHANGE, Event
from supplier_api.problems.model import Awaits
from supplier_api.problems.services import EventAnswer
from supplier_api.problems.snapshot import (
    ChangeDecision,
    Snapshot,
    TicketState,
    Wanted,
    version_from,
)
from supplier_api.problems.snapshots import SnapshotResult

SNAPSHOT = make(
    "TicketSnapshot",
    {
        "ticket": Text("The ticket's number", "INC0012345", maximum=NAME_MAX, required=True),
        "version": Version(
            "Rises with each change of the ticket: a whole number, or the time of the change",
            "2026-01-05T12:00:00.000Z",
            required=True,
        ),
        "state": Code(TicketState, "The state that the ticket stands for", "HELD"),
        "awaits": Code(Awaits, "With PENDING: what the tenant is asked for", "information"),
        "decision": Code(
            Event,
            "What the ticket decides of the undecided change",
            "accept-change",
            without=tuple(event for event in Event if event not in DECIDES_CHANGE),
        ),
        "status": Text("The ticket system's own word, for people", "On hold", maximum=NAME_MAX),
        "url": Text("Where the ticket can be seen", maximum=URL_MAX),
        **{
            name: EVENT.fields[name]
            for name in ("problemCode", "text", "supplierCodes", "note", "resolution")
        },
    },
)
TAKEN = {
    "type": "object",
    "required": ["reference", "status", "result"],
    "properties": {
        "reference": {"type": "string", "description": "Our reference of the problem"},
        "status": {"type": "string", "description": "Where the problem stands now"},
        "result": {
            "type": "string",
            "enum": [SnapshotResult.APPLIED, SnapshotResult.NOTHING, SnapshotResult.OLD],
            "description": "Whether it made events, made none, or is not newer than is known",
        },
    },
}


@blueprint.route("/problems/<reference>/snapshot", methods=["PUT"])
@blueprint.doc(
    **describe(
        refusals.SNAPSHOT,
        {
            200: response("Taken", TAKEN, ETAG),
            ErrorAnswer.PRECONDITION.status: PROBLEM_CHANGED,
        },
        {
            ErrorAnswer.CONFLICT: (
                "It cannot be followed now, or the name is that of several problems"
            )
        },
        parameters=[REFERENCE, IF_MATCH],
        request=SNAPSHOT,
    )
)
def put_snapshot(reference: str) -> Response:
    """Say what the problem's ticket is now; the events that lead there follow by themselves.

    All of them are applied, or none: then the ticket is apart until a later snapshot fits. One
    that is not newer than what is known of the ticket does nothing, so it may come again. With
    If-Match it is applied to that version of the problem only.
    """
    g.event = {"client": admit(), "kind": "snapshot"}
    snapshot = read_snapshot(read_document())
    problem = find_one(reference)
    g.event["reference"] = problem.reference
    taken = door().snapshots.take_of(problem.id, reference, snapshot, wanted_versions())
    if taken is None:
        raise refusals.SNAPSHOT_OF_ANOTHER.error()
    if isinstance(taken, EventAnswer):
        return event_response(taken)
    if taken.result is SnapshotResult.WAITS:
        raise refusals.SNAPSHOT_WAITS.error()
    if taken.result is SnapshotResult.APART:
        raise refusals.SNAPSHOT_APART.error(reason=taken.reason)
    state = taken.problem.state
    answer = json_response(
        {
            "reference": taken.problem.reference,
            "status": state.status or state.base,
            "result": taken.result,
        }
    )
    answer.headers["ETag"] = etag(taken.problem.version)
    return answer


def read_snapshot(document: object) -> Snapshot:
    """Return the snapshot that `document` describes; raises Malformed or Invalid."""
    fields = load(SNAPSHOT, document)
    if "state" not in fields and "decision" not in fields:
        raise refusals.SNAPSHOT_OF_NOTHING.error()
    try:
        version = version_from(fields["version"])
        return Snapshot(
            ticket=fields["ticket"],
            version=version,
            status=fields.get("status") or fields.get("state") or fields["decision"],
            wanted=_wanted(fields),
            decision=_decision(fields),
            url=fields.get("url"),
        )
    except (ValueError, OverflowError):
        raise refusals.TICKET_VERSION.error() from None


def _content(fields: Mapping[str, Any]) -> dict[str, Any]:
    code = fields.get("problemCode")
    return {
        "problem_code": ProblemCode(code) if code else None,
        "text": fields.get("text"),
        "supplier_codes": tuple(fields.get("supplierCodes", ())),
        "note": fields.get("note"),
    }


def _wanted(fields: Mapping[str, Any]) -> Wanted | None:
    if "state" not in fields:
        return None
    return Wanted(
        TicketState(fields["state"]),
        awaits=Awaits(fields.get("awaits", Awaits.INFORMATION)),
        resolution=fields.get("resolution"),
        **_content(fields),
    )


def _decision(fields: Mapping[str, Any]) -> ChangeDecision | None:
    if "decision" not in fields:
        return None
    return ChangeDecision(fields["decision"] == Event.ACCEPT_CHANGE, **_content(fields))
