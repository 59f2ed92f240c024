"""What a tenant does: it raises a problem, amends or cancels it, answers a resolution."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from flask import Blueprint
from werkzeug.wrappers import Response

from supplier_api.console.acts import ActRefused, done, field
from supplier_api.contract.codes import CancellationReason, ProblemType
from supplier_api.rules.model import Operation, Outcome
from supplier_api.sandbox.console.bench import bench, note_done
from supplier_api.sandbox.scenarios.catalogue import SCENARIOS
from supplier_api.sandbox.scenarios.choice import KCI_DELAY, SCENARIO
from supplier_api.sandbox.scenarios.model import Scenario
from supplier_api.sandbox.tenant_client import (
    Document,
    GatewayCallFailed,
    any_service_test,
    sample,
)

NO_ANSWER = 502
DELAY = 2  # seconds between updates: a newcomer watches them come
QUESTION = "question"
# The scenarios of problems in groups, by what is answered, and whether the tenant is asked.
GROUPS: Mapping[str, str] = {
    Outcome.ACKNOWLEDGE: "Answered 201 ACKNOWLEDGED; then the updates come.",
    QUESTION: "Answered 201 too; then the tenant is asked for something: amend it to go on.",
    Outcome.COMMIT: "Answered 201 IN_PROGRESS: work has begun.",
    Outcome.DEFER: "Answered 202: the supplier decides later.",
    Outcome.REJECT: "Answered 422: nothing comes of it.",
}
# Longer, a number is certainly none that the gateway can read; it says so itself.
DIGITS = 30


def add_to(blueprint: Blueprint) -> None:
    """Add the acts."""
    blueprint.add_url_rule("/raise", "raise_problem", raise_problem, methods=["POST"])
    for name, view in (("amend", amend), ("cancel", cancel), ("answer", answer)):
        blueprint.add_url_rule(f"/<tenant>/<int:problem>/{name}", name, view, methods=["POST"])


def choices(tenant: str) -> dict[str, Any]:
    """Return what the forms offer: a new problem of `tenant` is proposed."""
    tools = bench()
    service_test = any_service_test(tools.parts.services.id_source)
    return {
        "tenants": tools.tenants.names,
        "proposed": {**sample(service_test), "tenant": tenant},
        "delay": DELAY,
        "groups": _groups(),
        "change_scenarios": _change_scenarios(),
        "problem_types": list(ProblemType),
        "reasons": list(CancellationReason),
    }


def _groups() -> dict[str, list[Scenario]]:
    """Return the scenarios of problems, by the sentence of their group."""
    found: dict[str, list[Scenario]] = {sentence: [] for sentence in GROUPS.values()}
    for each in SCENARIOS:
        if each.kind is Operation.PROBLEM:
            found[GROUPS[QUESTION if each.question else each.answer]].append(each)
    return {sentence: group for sentence, group in found.items() if group}


def _change_scenarios() -> dict[str, list[Scenario]]:
    """Return the scenarios of amendments and of cancellations, by the name of the change."""
    return {
        str(kind): [each for each in SCENARIOS if each.kind is kind]
        for kind in (Operation.AMENDMENT, Operation.CANCELLATION)
    }


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
