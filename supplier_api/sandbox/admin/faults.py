"""/admin/faults: what goes wrong on purpose, in our answers to the gateway and in our updates."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from flask import Response
from marshmallow import fields

from supplier_api.clock import to_wire
from supplier_api.contract import Invalid
from supplier_api.contract.errors import Structural
from supplier_api.contract.fields import Code, Id, Items, Number, Text
from supplier_api.contract.limits import HEADER_MAX
from supplier_api.contract.loading import make
from supplier_api.contract.schemas import ERROR
from supplier_api.http.openapi import response
from supplier_api.http.request_parsing import empty, json_response
from supplier_api.sandbox.admin.parameters import choice, flag, named_tenant, tenant_name, word
from supplier_api.sandbox.admin.resource import (
    AdminParts,
    AdminResource,
    AnswerField,
    AnswerShape,
    StrictSchema,
    listing,
)
from supplier_api.sandbox.catalogue import WrongChoice
from supplier_api.sandbox.fault_injection.active_faults import (
    FaultRepository,
    NewFault,
    StoredFault,
)
from supplier_api.sandbox.fault_injection.catalogue import KINDS, listed, read_parameters
from supplier_api.sandbox.fault_injection.model import Direction

WEEK = 7 * 86_400


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
    StrictSchema,
)
_TEXT = {"type": "string"}
_COUNT = {"type": "integer", "minimum": 0}
SHOWN = AnswerShape[StoredFault](
    {
        "id": AnswerField({"type": "integer"}, lambda fault: fault.id, required=True),
        "tenant": AnswerField(_TEXT, lambda fault: fault.tenant or None),
        "conversation": AnswerField(_TEXT, lambda fault: fault.conversation_id or None),
        "direction": AnswerField(
            {"type": "string", "enum": list(Direction)},
            lambda fault: fault.direction,
            required=True,
        ),
        "kind": AnswerField(_TEXT, lambda fault: fault.kind, required=True),
        "operations": AnswerField(
            {"type": "array", "items": _TEXT}, lambda fault: list(fault.operations), required=True
        ),
        "parameters": AnswerField(
            {"type": "object"}, lambda fault: dict(fault.parameters), required=True
        ),
        "calls": AnswerField(_COUNT, lambda fault: fault.calls),
        "ends": AnswerField(
            {"type": "string", "format": "date-time", "description": "Machine time"},
            lambda fault: to_wire(fault.ends) if fault.ends else None,
        ),
        "share": AnswerField({"type": "number"}, lambda fault: fault.share),
        "seed": AnswerField({"type": "integer"}, lambda fault: fault.seed),
        "active": AnswerField(
            {"type": "boolean", "description": "false: it is over"}, required=True
        ),
        "seen": AnswerField(
            {**_COUNT, "description": "Calls that came under it"},
            lambda fault: fault.seen,
            required=True,
        ),
        "hit": AnswerField(
            {**_COUNT, "description": "Those of them that it struck"},
            lambda fault: fault.hit,
            required=True,
        ),
    }
)
# Those that are not given select nothing; a view gets each by the name of its column.
SELECTION = (
    named_tenant("Only this tenant's"),
    word("conversation", "Only of this X-Conversation-ID", argument="conversation_id"),
    choice("direction", "Only this one", Direction),
    word("kind", "Only this one"),
)


def declare(parts: AdminParts) -> AdminResource:
    """Return the routes of the faults."""
    resource = AdminResource(parts, "faults", "What goes wrong on purpose")
    store, machine = parts.services.store, parts.services.machine

    def shown(fault: StoredFault) -> dict[str, Any]:
        return SHOWN.show(fault, active=not fault.is_over(machine.now()))

    @resource.route(
        "GET",
        "/faults/catalogue",
        "fault-catalogue",
        {200: response("Every kind of fault", listing("kinds", {"type": "object"}))},
    )
    def show_catalogue() -> Response:
        """List every kind of fault: what happens, its parameters, the clause that it breaks."""
        return json_response({"kinds": listed()})

    @resource.route(
        "GET",
        "/faults",
        "faults",
        {
            200: response("They", listing("faults", SHOWN.schema)),
            422: response("There can be none such", ERROR),
        },
        parameters=SELECTION,
    )
    def show_all(**asked: str | None) -> Response:
        """Show the faults that are set, those that are over as well."""
        found = store.read(lambda uow: FaultRepository(uow).find(**_selected(asked)))
        return json_response({"faults": [shown(each) for each in found]})

    @resource.route(
        "PUT",
        "/faults",
        "set-fault",
        {200: response("It is set, and counts from 0", SHOWN.schema)},
        body=FAULT,
    )
    def put(body: dict[str, Any]) -> Response:
        """Let something go wrong, for so many calls or so long.

        It takes the place of an earlier one of the same kind and direction for the same tenant and
        conversation. Of several that could strike a call the oldest does.
        """
        new = new_fault(body, machine.now())
        return json_response(shown(store.write(lambda uow: FaultRepository(uow).put(new))))

    @resource.route(
        "DELETE",
        "/faults",
        "forget-faults",
        {204: response("They are gone"), 422: response("It does not say whose", ERROR)},
        parameters=[*SELECTION, flag("all", "true: everybody's", "everybody")],
    )
    def forget(*, everybody: bool, **asked: str | None) -> Response:
        """Let faults be over: a tenant's, a conversation's, or with ?all=true everybody's.

        A call that hangs because of one is let go.
        """
        selected = _selected(asked)
        if everybody is ("tenant" in selected or "conversation_id" in selected):
            raise Invalid(["tenant: expected one, or a conversation, or else all=true"])
        store.write(lambda uow: FaultRepository(uow).delete(**selected))
        return empty(204)

    return resource


def _selected(asked: Mapping[str, str | None]) -> dict[str, str]:
    """Return what a request selects by, as columns with their values."""
    return {column: value for column, value in asked.items() if value is not None}


def new_fault(asked: Mapping[str, Any], now: datetime) -> NewFault:
    """Return the fault that is asked for at `now` (machine time), as FAULT reads it.

    Raises Invalid with everything that is wrong.
    """
    seconds = asked.get("forSeconds")
    ends = None if seconds is None else now + timedelta(seconds=seconds)
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
