"""/admin/faults: what goes wrong on purpose, in our answers to the gateway and in our updates."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from flask import Response, request
from flask_smorest import Blueprint
from marshmallow import fields

from supplier_api.clock import to_wire
from supplier_api.contract import Invalid
from supplier_api.contract.errors import Structural
from supplier_api.contract.fields import Code, Id, Items, Number, Text
from supplier_api.contract.limits import HEADER_MAX
from supplier_api.contract.schemas import ERROR, make
from supplier_api.http.bodies import empty, json_response
from supplier_api.sandbox.admin.dependencies import AdminParts
from supplier_api.sandbox.admin.description import TENANT_SCHEMA, admin_blueprint, describe, query
from supplier_api.sandbox.admin.query_params import (
    Strict,
    asked_flag,
    asked_tenant,
    asked_text,
    read_document,
    tenant_name,
)
from supplier_api.sandbox.catalogue import WrongChoice
from supplier_api.sandbox.fault_injection.active_faults import (
    FaultRepository,
    NewFault,
    StoredFault,
)
from supplier_api.sandbox.fault_injection.catalogue import KINDS, read_parameters
from supplier_api.sandbox.fault_injection.listing import listed
from supplier_api.sandbox.fault_injection.model import Direction

WEEK = 7 * 86_400
# Behind the question mark, and the columns that they select by.
SELECTING = {
    "tenant": "tenant",
    "conversation": "conversation_id",
    "direction": "direction",
    "kind": "kind",
}


class _Parameters(fields.Dict):
    """An object whose fields depend on the kind."""

    def __init__(self) -> None:
        described = {p.name: p.description for kind in KINDS for p in kind.parameters}
        super().__init__(
            error_messages={
                "invalid": Structural("expected an object"),
                "null": Structural("expected an object, not null"),
            },
            metadata={
                "description": "What the kind's parameters are set to, where their defaults are"
                f" not wanted: {', '.join(sorted(described))}. GET /admin/faults/catalogue lists"
                " each kind's own.",
                "example": {"seconds": 2},
            },
        )


_DIRECTION = Code(
    Direction,
    "in: our answers to the gateway; out: our updates to it (KCIs)",
    "in",
    required=True,
)
FAULT = make(
    "Fault",
    {
        "tenant": tenant_name("Whose calls or updates"),
        "conversation": Text(
            "Only what comes under this X-Conversation-ID", "conversation-1", maximum=HEADER_MAX
        ),
        "direction": _DIRECTION,
        "operations": Items(
            Text("An operation", maximum=40),
            "Only these: names of the calls, or token; for updates their reason codes",
            ["service-problems"],
        ),
        "kind": Text(
            f"What goes wrong. in: {', '.join(k.name for k in KINDS if k.direction == 'in')}."
            f" out: {', '.join(k.name for k in KINDS if k.direction == 'out')}.",
            "latency",
            maximum=40,
            required=True,
        ),
        "parameters": _Parameters(),
        "calls": Id("It ends after so many calls, struck or not", 3),
        "forSeconds": Number("It ends after this time", 60, minimum=0.001, maximum=WEEK),
        "share": Number("Which share of the calls it strikes", 1, minimum=0, maximum=1),
        "seed": Id("Which of them: the same seed strikes the calls of the same numbers", 42),
    },
    Strict,
)
_COUNT = {"type": "integer", "minimum": 0}
SHOWN: dict[str, Any] = {
    "type": "object",
    "required": ["id", "direction", "kind", "operations", "parameters", "active", "seen", "hit"],
    "properties": {
        "id": {"type": "integer"},
        "tenant": {"type": "string"},
        "conversation": {"type": "string"},
        "direction": {"type": "string", "enum": list(Direction)},
        "kind": {"type": "string"},
        "operations": {"type": "array", "items": {"type": "string"}},
        "parameters": {"type": "object"},
        "calls": _COUNT,
        "ends": {"type": "string", "format": "date-time", "description": "Machine time"},
        "share": {"type": "number"},
        "seed": {"type": "integer"},
        "active": {"type": "boolean", "description": "false: it is over"},
        "seen": {**_COUNT, "description": "Calls that came under it"},
        "hit": {**_COUNT, "description": "Those of them that it struck"},
    },
}
ALL_SHOWN = {
    "type": "object",
    "required": ["faults"],
    "properties": {"faults": {"type": "array", "items": SHOWN}},
}
CATALOGUE = {
    "type": "object",
    "required": ["kinds"],
    "properties": {"kinds": {"type": "array", "items": {"type": "object"}}},
}
_WORD = {"type": "string", "minLength": 1, "maxLength": HEADER_MAX}
SELECTION = (
    query("tenant", "Only this tenant's", TENANT_SCHEMA, example="TENANT1"),
    query("conversation", "Only of this X-Conversation-ID", _WORD),
    query("direction", "Only this one", {"type": "string", "enum": list(Direction)}),
    query("kind", "Only this one", _WORD),
)
EVERYBODY = query("all", "true: everybody's", {"type": "boolean", "default": False})


def routes(parts: AdminParts) -> Blueprint:
    """Return the routes of the faults."""
    blueprint = admin_blueprint("faults", "What goes wrong on purpose")
    store, machine = parts.services.store, parts.services.machine

    @blueprint.route("/faults/catalogue", methods=["GET"])
    @blueprint.doc(**describe("fault-catalogue", {200: (CATALOGUE, "Every kind of fault")}))
    def show_catalogue() -> Response:
        """List every kind of fault: what happens, its parameters, the clause that it breaks."""
        return json_response({"kinds": listed()})

    @blueprint.route("/faults", methods=["GET"])
    @blueprint.doc(
        **describe(
            "faults",
            {200: (ALL_SHOWN, "They"), 422: (ERROR, "There can be none such")},
            parameters=SELECTION,
        )
    )
    def show_all() -> Response:
        """Show the faults that are set, those that are over as well."""
        found = store.read(lambda uow: FaultRepository(uow).find(**_selected()))
        return json_response({"faults": [_shown(each, parts) for each in found]})

    @blueprint.route("/faults", methods=["PUT"])
    @blueprint.doc(
        **describe("set-fault", {200: (SHOWN, "It is set, and counts from 0")}, request=FAULT)
    )
    def put() -> Response:
        """Let something go wrong, for so many calls or so long.

        It takes the place of an earlier one of the same kind and direction for the same tenant and
        conversation. Of several that could strike a call the oldest does.
        """
        asked = read_document(parts, FAULT)
        seconds = asked.get("forSeconds")
        ends = None if seconds is None else machine.now() + timedelta(seconds=seconds)
        new = _read(asked, ends)
        stored = store.write(lambda uow: FaultRepository(uow).put(new))
        return json_response(_shown(stored, parts))

    @blueprint.route("/faults", methods=["DELETE"])
    @blueprint.doc(
        **describe(
            "forget-faults",
            {204: (None, "They are gone"), 422: (ERROR, "It does not say whose")},
            parameters=[*SELECTION, EVERYBODY],
        )
    )
    def forget() -> Response:
        """Let faults be over: a tenant's, a conversation's, or with ?all=true everybody's.

        A call that hangs because of one is let go.
        """
        selected = _selected()
        whose = "tenant" in selected or "conversation_id" in selected
        if asked_flag("all") is whose:
            raise Invalid(["tenant: expected one, or a conversation, or else all=true"])
        store.write(lambda uow: FaultRepository(uow).delete(**selected))
        return empty(204)

    return blueprint


def _selected() -> dict[str, str]:
    """Return what the current request selects by, as columns with their values; raises Invalid."""
    asked_tenant()
    if request.args.get("direction", Direction.IN) not in set(Direction):
        raise Invalid([f"direction: expected one of {', '.join(Direction)}"])
    words = {column: asked_text(name) for name, column in SELECTING.items()}
    return {column: word for column, word in words.items() if word is not None}


def _read(asked: Mapping[str, Any], ends: Any) -> NewFault:
    """Return the fault that is asked for; raises Invalid with everything that is wrong."""
    wrong = []
    if "tenant" not in asked and "conversation" not in asked:
        wrong.append("tenant: expected one, or a conversation")
    if "calls" not in asked and ends is None:
        wrong.append("calls: expected a number of calls, or else forSeconds")
    operations, values = asked.get("operations", []), {}
    try:
        values = read_parameters(
            asked["direction"], asked["kind"], operations, asked.get("parameters", {})
        )
    except WrongChoice as error:
        wrong += error.messages
    if wrong:
        raise Invalid(wrong)
    return NewFault(
        tenant=asked.get("tenant", ""),
        conversation_id=asked.get("conversation", ""),
        direction=asked["direction"],
        kind=asked["kind"],
        operations=operations,
        parameters=values,
        calls=asked.get("calls"),
        ends=ends,
        share=asked.get("share", 1.0),
        seed=asked.get("seed", 1),
    )


def _shown(fault: StoredFault, parts: AdminParts) -> dict[str, Any]:
    shown = {
        "id": fault.id,
        "tenant": fault.tenant,
        "conversation": fault.conversation_id,
        "direction": fault.direction,
        "kind": fault.kind,
        "operations": list(fault.operations),
        "parameters": dict(fault.parameters),
        "calls": fault.calls,
        "ends": to_wire(fault.ends) if fault.ends else None,
        "share": fault.share,
        "seed": fault.seed,
        "active": not fault.is_over(parts.services.machine.now()),
        "seen": fault.seen,
        "hit": fault.hit,
    }
    return {name: value for name, value in shown.items() if value not in (None, "")}
