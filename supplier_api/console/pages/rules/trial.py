"""A request is tried against the book in use: which rules are asked, what they read, the outcome.

Nothing is stored; the inventory is asked as for a request of the gateway.
"""

import re
from collections.abc import Mapping
from typing import Any

from flask import render_template, request

from supplier_api.console.access import Role, requires
from supplier_api.console.acts import ActRefused, field
from supplier_api.console.context import here
from supplier_api.console.formats import pretty
from supplier_api.console.pages.rules.blueprint import blueprint
from supplier_api.contract import MessageError
from supplier_api.contract.codes import Status
from supplier_api.problems.rule_trial import NOT_ASKED, Trial, example_request, read_request
from supplier_api.rules.facts import UNKNOWN, Service, Unknown
from supplier_api.rules.model import Operation, answer_in_words

TENANT_MAX = 255


@blueprint.get("/try")
@requires(Role.OPERATOR)
def try_form() -> str:
    """Show the form, with an example of a request."""
    operation = _operation(request.args.get("operation", Operation.PROBLEM))
    given = {"operation": operation, "request": pretty(example_request(operation))}
    return _page(given)


@blueprint.post("/try")
@requires(Role.OPERATOR)
def try_request() -> str | tuple[str, int]:
    """Show what the book decides."""
    given = request.form.to_dict()
    operation, tenant = _operation(field("operation")), field("tenant")
    if not 0 < len(tenant) <= TENANT_MAX:
        raise ActRefused(f"tenant: expected 1 to {TENANT_MAX} characters", status=422)
    if field("status") not in set(Status):
        raise ActRefused(f"status: expected one of {', '.join(Status)}", status=422)
    try:
        document = read_request(operation, request.form.get("request", "").encode())
    except MessageError as error:
        return _page(given, refused=[NOT_ASKED, *error.messages]), 422
    trial = Trial(
        operation=operation,
        request=document,
        tenant=tenant,
        open_problems=_words(field("open")),
        incidents=_words(field("incidents")),
        service_of_problem=field("service") or None,
        status=Status(field("status")),
    )
    book, service = here().rule_evaluator.book, _service(trial)
    decision = trial.decide(book, service, here().services.business.now(tenant))
    return _page(
        given,
        decision=decision,
        answer=answer_in_words(operation, decision.outcome),
        silent=service is UNKNOWN and trial.service_id is not None,
    )


def _service(trial: Trial) -> Service | Unknown | None:
    if trial.service_id is None:
        return UNKNOWN
    evaluator, seconds = here().rule_evaluator, here().settings.server.answer_budget / 2
    return evaluator.service(trial.tenant, trial.service_id, seconds, counts_as_failure=False)


def _page(given: Mapping[str, Any], **found: Any) -> str:
    values = {"tenant": "TENANT1", "status": Status.IN_PROGRESS} | dict(given)
    nothing = {"decision": None, "refused": (), "answer": "", "silent": False}
    return render_template(
        "rules/try.html",
        given={name: values.get(name, "") for name in _FIELDS},
        operations=list(Operation),
        statuses=list(Status),
        **(nothing | found),
    )


_FIELDS = ("operation", "request", "tenant", "open", "incidents", "service", "status")


def _operation(name: str) -> Operation:
    if name not in set(Operation):
        raise ActRefused(f"operation: expected one of {', '.join(Operation)}", status=422)
    return Operation(name)


def _words(text: str) -> tuple[str, ...]:
    return tuple(filter(None, re.split(r"[\s,]+", text)))
