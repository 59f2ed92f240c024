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
from supplier_api.contract.loading import Fields, StrictSchema, make
from supplier_api.contract.schemas import ERROR
from supplier_api.http.openapi import response
from supplier_api.http.request_parsing import empty, json_response
from supplier_api.sandbox.admin.parameters import TrueOrFalse, Word, tenant_name
from supplier_api.sandbox.admin.parts import bench
from supplier_api.sandbox.admin.resource import AdminBlueprint
from supplier_api.sandbox.catalogue import WrongChoice
from supplier_api.sandbox.fault_injection.active_faults import (
    FaultRepository,
    NewFault,
    StoredFault,
)
from supplier_api.sandbox.fault_injection.catalogue import KINDS, listed, read_parameters
from supplier_api.sandbox.fault_injection.model import Direction
from supplier_api.sandbox.json_schemas import array, count, flag, moment, object_of, text

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


FAULT = make(
    "Fault",
    {
        "tenant": tenant_name("Whose calls or updates"),
        "conversation": Text(
            "Only what comes under this X-Conversation-ID", "conversation-1", maximum=HEADER_MAX
        ),
        "direction": Code(
            Direction,
            "in: our answers to the gateway; out: our updates to it (KCIs)",
            "in",
            required=True,
        ),
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
SHOWN = object_of(
    {
        "id": {"type": "integer"},
        "tenant": text(),
        "conversation": text(),
        "direction": text(enum=list(Direction)),
        "kind": text(),
        "operations": array(text()),
        "parameters": {"type": "object"},
        "calls": count(),
        "ends": moment("Machine time"),
        "share": {"type": "number"},
        "seed": {"type": "integer"},
        "active": flag("false: it is over"),
        "seen": count("Calls that came under it"),
        "hit": count("Those of them that it struck"),
    },
    *("tenant", "conversation", "calls", "ends", "share", "seed"),
)
# Those that are not given select nothing.
SELECTION: Fields = {
    "tenant": tenant_name("Only this tenant's"),
    "conversation": Word("Only of this X-Conversation-ID"),
    "direction": Code(Direction, "Only this one"),
    "kind": Word("Only this one"),
}

faults = AdminBlueprint("faults", "What goes wrong on purpose")


@faults.call(
    "GET",
    "/faults/catalogue",
    "fault-catalogue",
    {200: response("Every kind of fault", object_of({"kinds": array()}))},
)
def show_catalogue() -> Response:
    """List every kind of fault: what happens, its parameters, the clause that it breaks."""
    return json_response({"kinds": listed()})


@faults.call(
    "GET",
    "/faults",
    "faults",
    {
        200: response("They", object_of({"faults": array(SHOWN)})),
        422: response("There can be none such", ERROR),
    },
    parameters=SELECTION,
)
def show_all(query: dict[str, Any]) -> Response:
    """Show the faults that are set, those that are over as well."""
    store = bench().services.store
    found = store.read(lambda uow: FaultRepository(uow).find(**_selected(query)))
    return json_response({"faults": [_shown(each) for each in found]})


@faults.call(
    "PUT",
    "/faults",
    "set-fault",
    {200: response("It is set, and counts from 0", SHOWN)},
    body=FAULT,
)
def put(body: dict[str, Any]) -> Response:
    """Let something go wrong, for so many calls or so long.

    It takes the place of an earlier one of the same kind and direction for the same tenant and
    conversation. Of several that could strike a call the oldest does.
    """
    services = bench().services
    new = new_fault(body, services.machine.now())
    return json_response(_shown(services.store.write(lambda uow: FaultRepository(uow).put(new))))


@faults.call(
    "DELETE",
    "/faults",
    "forget-faults",
    {204: response("They are gone"), 422: response("It does not say whose", ERROR)},
    parameters={**SELECTION, "all": TrueOrFalse("true: everybody's")},
)
def forget(query: dict[str, Any]) -> Response:
    """Let faults be over: a tenant's, a conversation's, or with ?all=true everybody's.

    A call that hangs because of one is let go.
    """
    selected = _selected(query)
    if query["all"] is ("tenant" in selected or "conversation_id" in selected):
        raise Invalid(
            ["tenant: expected a tenant or a conversation, or for everybody ?all=true; not both"]
        )
    bench().services.store.write(lambda uow: FaultRepository(uow).delete(**selected))
    return empty(204)


def _selected(query: Mapping[str, Any]) -> dict[str, str]:
    """Return what a request selects by, as columns with their values."""
    columns = {"conversation_id" if name == "conversation" else name: name for name in SELECTION}
    return {column: query[name] for column, name in columns.items() if query[name] is not None}


def _shown(fault: StoredFault) -> dict[str, Any]:
    shown = {
        "id": fault.id,
        "tenant": fault.tenant or None,
        "conversation": fault.conversation_id or None,
        "direction": fault.direction,
        "kind": fault.kind,
        "operations": fault.operations,
        "parameters": fault.parameters,
        "calls": fault.calls,
        "ends": to_wire(fault.ends) if fault.ends else None,
        "share": fault.share,
        "seed": fault.seed,
        "active": not fault.is_over(bench().services.machine.now()),
        "seen": fault.seen,
        "hit": fault.hit,
    }
    return {name: value for name, value in shown.items() if value is not None}


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
