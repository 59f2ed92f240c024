"""What goes wrong on purpose: switched on and off."""

import json
from typing import Any

from flask import Blueprint, Response, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from supplier_api.console import live
from supplier_api.console.acts import ActRefused, done, field, refusals
from supplier_api.contract import load
from supplier_api.contract.limits import ID_MAX
from supplier_api.db import UnitOfWork
from supplier_api.http.request_parsing import whole_number
from supplier_api.sandbox.admin.faults import FAULT, new_fault
from supplier_api.sandbox.console.bench import bench, note
from supplier_api.sandbox.fault_injection.active_faults import FaultRepository, StoredFault
from supplier_api.sandbox.fault_injection.catalogue import ANSWERS, BY_NAME, DELIVERY
from supplier_api.sandbox.fault_injection.mutations import MUTATIONS

# The catalogue in groups, each with what its faults strike.
GROUPS = (
    ("Our answers to the gateway", ANSWERS),
    ("Our updates to the gateway (KCIs)", DELIVERY),
    ("KCIs off the contract, sent beside the real one", MUTATIONS),
)
MOST = 100  # faults in the list


def add_to(blueprint: Blueprint) -> None:
    """Add the page of the faults, and its acts."""
    blueprint.add_url_rule("/faults", "faults", show)
    blueprint.add_url_rule("/faults/news", "faults_news", news)
    blueprint.add_url_rule("/faults", "set_fault", switch_on, methods=["POST"])
    blueprint.add_url_rule("/faults/off", "forget_fault", switch_off, methods=["POST"])


def show() -> str:
    """Show the faults that are set, and those that there are."""
    chosen = request.args.get("kind", "")
    direction, _, name = chosen.partition("/")
    return render_template(
        "sandbox/faults.html",
        part=live.region("faults", url_for(".faults_news"), _part),
        faults=_set(),
        groups=GROUPS,
        chosen=chosen,
        kind=BY_NAME.get((direction, name)),
        tenants=bench().tenants.names,
    )


def news() -> Response:
    """Answer which are set, and how often they struck."""
    return live.answer("faults", url_for(".faults_news"), _part)


def switch_on() -> AnyResponse:
    """Let something go wrong, for so many calls."""
    direction, _, kind = field("kind").partition("/")
    body: dict[str, Any] = {
        "tenant": field("tenant"),
        "direction": direction,
        "kind": kind,
        "calls": _value(field("calls")),
        "operations": [each for each in field("operations").replace(",", " ").split() if each],
        "parameters": {
            name.removeprefix("parameters."): _value(value)
            for name, value in request.form.items()
            if name.startswith("parameters.")
        },
    }
    parts = bench().parts
    with refusals():
        new = new_fault(load(FAULT, body), parts.services.machine.now())

    def work(uow: UnitOfWork) -> None:
        FaultRepository(uow).put(new)
        note(uow, "fault-on", new.tenant, {"kind": new.kind, "direction": new.direction})

    parts.services.store.write(work)
    return done(f"{kind} is on for {new.calls} calls of {new.tenant}.", "sandbox.faults")


def switch_off() -> AnyResponse:
    """Let a fault be over; a call that hangs because of it is let go."""
    number = whole_number(field("fault"), 1, ID_MAX)
    if number is None:
        raise ActRefused("fault: expected its number", status=422)

    def work(uow: UnitOfWork) -> StoredFault | None:
        found = FaultRepository(uow).find(id=number)
        FaultRepository(uow).delete(id=number)
        for each in found:
            note(uow, "fault-off", each.tenant or None, {"kind": each.kind, "hit": each.hit})
        return found[0] if found else None

    gone = bench().parts.services.store.write(work)
    if gone is None:
        raise ActRefused("this fault is not set any more")
    return done(f"{gone.kind} is off.", "sandbox.faults")


def _set() -> list[StoredFault]:
    store = bench().parts.services.store
    return store.read(lambda uow: FaultRepository(uow).find())[:MOST]


def _part() -> str:
    now = bench().parts.services.machine.now()
    lines = [(each, each.is_over(now)) for each in _set()]
    return render_template("sandbox/faults_set.html", lines=lines)


def _value(text: str) -> Any:
    """Return a number as such, and anything else as text."""
    try:
        found = json.loads(text)
    except ValueError:
        return text
    return found if isinstance(found, int | float) and not isinstance(found, bool) else text
