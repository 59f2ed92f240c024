"""What a tenant does: it raises a problem, amends or cancels it, answers a resolution."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from flask import Blueprint
from werkzeug.wrappers import Response

from supplier_api.console.acts import ActRefused, done, field
from supplier_api.sandbox.console.bench import bench, note_done
from supplier_api.sandbox.scenarios.choice import KCI_DELAY, SCENARIO
from supplier_api.sandbox.tenant_client import Document, GatewayCallFailed, sample

NO_ANSWER = 502
# Longer, a number is certainly none that the gateway can read; it says so itself.
DIGITS = 30


def add_to(blueprint: Blueprint) -> None:
    """Add the acts."""
    blueprint.add_url_rule("/raise", "raise_problem", raise_problem, methods=["POST"])
    for name, view in (("amend", amend), ("cancel", cancel), ("answer", answer)):
        blueprint.add_url_rule(f"/<tenant>/<int:problem>/{name}", name, view, methods=["POST"])


def raise_problem() -> Response:
    """Raise a problem as a tenant, and lead to where it can be watched."""
    tenant = field("tenant")
    body = {
        **sample(0),
        "externalIdentifier": f"SAMPLE-{field('service_test')}",
        "serviceTestId": _number(field("service_test")),
        "problemType": field("problem_type"),
        "problemText": field("text"),
        "notes": "Raised on the console's sandbox page.",
    }
    raised = _ask(tenant, "POST", "/service-problems", body)
    detail = {"id": raised["id"], "scenario": field("scenario") or None}
    note_done("raise", tenant, detail)
    text = f"{tenant} has raised service problem {raised['id']}: watch it travel."
    return done(text, "sandbox.show", tenant=tenant, id=raised["id"])


def amend(tenant: str, problem: int) -> Response:
    """Amend a problem as its tenant."""
    fields = {
        "problemText": field("text"),
        "notes": field("notes"),
        "appointmentReservationId": _number(field("appointment")),
    }
    body = {name: value for name, value in fields.items() if value != ""}
    if not body:
        raise ActRefused("name something to amend", status=422)
    return _change(tenant, problem, "amendment", body)


def cancel(tenant: str, problem: int) -> Response:
    """Cancel a problem as its tenant."""
    text = field("text")
    body = {"reasonCode": field("reason_code")} | ({"text": text} if text else {})
    return _change(tenant, problem, "cancellation", body)


def answer(tenant: str, problem: int) -> Response:
    """Accept or reject the resolution of a problem as its tenant."""
    notes = field("notes")
    body = {"status": field("status")} | ({"tenantNotes": notes} if notes else {})
    with _refusals():
        answered = bench().tenants.answer_resolution(tenant, problem, body)
    return _done("answer", tenant, problem, f"resolution {answered['id']} is {answered['status']}")


def _change(tenant: str, problem: int, kind: str, body: Mapping[str, Any]) -> Response:
    document = {"serviceProblemId": problem, **body}
    asked = _ask(tenant, "POST", f"/service-problem-{kind}s", document)
    return _done(kind, tenant, problem, f"{kind} {asked['id']} is {asked['status']}")


def _done(what: str, tenant: str, problem: int, said: str) -> Response:
    note_done(what, tenant, {"id": problem, "scenario": field("scenario") or None})
    return done(f"The gateway has it: {said}.", "sandbox.show", tenant=tenant, id=problem)


def _ask(tenant: str, method: str, path: str, body: Mapping[str, Any]) -> Document:
    chosen = {SCENARIO: field("scenario"), KCI_DELAY: field("delay")}
    choices = {name: value for name, value in chosen.items() if value}
    with _refusals():
        return bench().tenants.ask(tenant, method, path, body, choices)


@contextmanager
def _refusals() -> Iterator[None]:
    """Turn what the gateway refuses into ActRefused, in the command's words."""
    try:
        yield
    except GatewayCallFailed as failed:
        status = failed.status or NO_ANSWER
        raise ActRefused(failed.headline, *failed.findings, status=status) from None


def _number(digits: str) -> int | str:
    """Return a number as such; anything else as it is, for the gateway to refuse."""
    is_number = digits.isascii() and digits.isdigit() and len(digits) <= DIGITS
    return int(digits) if is_number else digits
