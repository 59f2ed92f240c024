"""The journal of calls, the newest first: what was sent and answered, and what was off contract."""

import json
from typing import Any

from flask import Blueprint, abort, render_template, request

from supplier_api.console.formats import pretty
from supplier_api.contract.limits import ID_MAX
from supplier_api.contract.personal import masked_inside
from supplier_api.db import UnitOfWork
from supplier_api.http.request_parsing import whole_number
from supplier_api.sandbox.console.bench import FLUSH, bench
from supplier_api.sandbox.fault_injection.model import CALLS, TOKEN
from supplier_api.sandbox.journal.entries import JournalDirection
from supplier_api.sandbox.journal.explain import explain
from supplier_api.sandbox.journal.repository import JournalFilter, JournalRepository

PAGE = 20  # calls
SHOWN = 1_200  # characters of a body in the list; the call's own page shows more
WHOLE = 20_000
FILTERS = ("tenant", "operation", "direction", "id", "outcome")
OPERATIONS = (*CALLS, "kcis", TOKEN, "back-office")


def add_to(blueprint: Blueprint) -> None:
    """Add the pages of the journal."""
    blueprint.add_url_rule("/journal", "journal", listed)
    blueprint.add_url_rule("/journal/<int:cursor>", "call", call)


def listed() -> str:
    """Show calls, the newest first; those that the filters in the address let through."""
    asked = {name: request.args.get(name, "").strip() for name in FILTERS}
    before = whole_number(request.args.get("before", ""), 1, ID_MAX)
    named: dict[str, Any] = {name: value for name, value in asked.items() if value}
    wanted = JournalFilter(**named)
    bench().parts.recorder.flush(FLUSH)

    def look(uow: UnitOfWork) -> list[dict[str, Any]]:
        return JournalRepository(uow).latest(wanted, 0, PAGE + 1, before)

    found = bench().parts.services.store.read(look)[::-1]
    calls, older = found[:PAGE], len(found) > PAGE
    return render_template(
        "sandbox/journal.html",
        calls=[_shown(each, SHOWN) for each in calls],
        asked=named,
        before=before,
        older=calls[-1]["cursor"] if older else None,
        tenants=bench().tenants.names,
        operations=OPERATIONS,
        directions=list(JournalDirection),
    )


def call(cursor: int) -> str:
    """Show one call: request, answer, and why it was answered so."""
    store = bench().parts.services.store
    found = store.read(lambda uow: JournalRepository(uow).get(cursor)) if cursor <= ID_MAX else None
    if found is None:
        abort(404, f"the journal has no call {cursor}; it keeps the latest ones")
    return render_template("sandbox/call.html", call=_shown(found, WHOLE), why=explain(found))


def _shown(entry: dict[str, Any], most: int) -> dict[str, Any]:
    """Return a call with its bodies as people read them, personal fields masked."""
    bodies = {name: _body(entry, name, most) for name in ("request", "answer")}
    level = "ok" if entry["status"] and entry["status"] < 400 else "bad"
    return {**entry, "bodies": bodies, "level": level}


def _body(entry: dict[str, Any], name: str, most: int) -> str:
    """Return a body masked and indented; one that is no JSON cannot be masked, and is left out."""
    text, size = entry[name]["body"], entry[name]["size"]
    if not text or entry["operation"] == TOKEN:
        return str(text)  # a request for a token holds nothing personal, and no secret is kept
    try:
        document = json.loads(text)
    except ValueError:
        return f"({size} bytes that are no JSON: /admin/journal has them)"
    whole = pretty(masked_inside(document))
    return whole if len(whole) <= most else f"{whole[:most]}\n... ({size} bytes)"
