"""/admin/scenarios: what testers can choose, and what is played where a request chooses nothing."""

from collections.abc import Sequence
from typing import Any

from flask import Response, request
from flask_smorest import Blueprint

from supplier_api.contract import Invalid, load, read_json
from supplier_api.contract.fields import Items, Text
from supplier_api.contract.limits import HEADER_MAX
from supplier_api.contract.schemas import ERROR, make
from supplier_api.http.bodies import empty, json_response, read_body
from supplier_api.sandbox.admin.dependencies import AdminParts
from supplier_api.sandbox.admin.description import TENANT_IN_PATH, admin_blueprint, describe, query
from supplier_api.sandbox.admin.query_params import Strict, asked_text, read_tenant
from supplier_api.sandbox.catalogue import WrongChoice
from supplier_api.sandbox.scenarios.choice import read_scenario
from supplier_api.sandbox.scenarios.listing import listed
from supplier_api.sandbox.scenarios.model import ScenarioKind
from supplier_api.sandbox.scenarios.source import ScenarioRepository

CHOSEN = Items(
    Text("NAME or NAME?param=value&param=value", "SERVICE_PROBLEM_DELAYED?delay=5", maximum=4000),
    "At most one for problems, one for amendments and one for cancellations",
    required=True,
)
DEFAULTS = make("ScenarioDefaults", {"scenarios": CHOSEN}, Strict)
CONVERSATION = query(
    "conversation",
    "Only what comes under this X-Conversation-ID; it beats what is set for the whole tenant",
    {"type": "string", "minLength": 1, "maxLength": HEADER_MAX},
)
LISTED = {
    "type": "object",
    "required": ["scenarios"],
    "properties": {"scenarios": {"type": "array", "items": {"type": "object"}}},
}
WRONG = (ERROR, "There can be no such tenant or conversation, or there is no such scenario")
PARAMETERS = (TENANT_IN_PATH, CONVERSATION)


def routes(parts: AdminParts) -> Blueprint:
    """Return the routes of the scenarios."""
    blueprint = admin_blueprint("scenarios", "Outcomes that testers choose")
    store = parts.services.store

    @blueprint.route("/scenarios", methods=["GET"])
    @blueprint.doc(**describe("scenarios", {200: (LISTED, "Every scenario")}))
    def show_all() -> Response:
        """List every scenario: what it does, its parameters, and the updates that follow."""
        return json_response({"scenarios": listed()})

    @blueprint.route("/scenarios/<rest:tenant>", methods=["GET"])
    @blueprint.doc(**describe("scenario-defaults", _answers("What is set"), parameters=PARAMETERS))
    def show(tenant: str) -> Response:
        """Show what is played for a tenant where a request chooses nothing."""
        conversation = _conversation(tenant)
        names = store.read(lambda uow: ScenarioRepository(uow).get(tenant, conversation))
        return json_response({"scenarios": names})

    @blueprint.route("/scenarios/<rest:tenant>", methods=["PUT"])
    @blueprint.doc(
        **describe(
            "set-scenario-defaults",
            _answers("It is set"),
            request=DEFAULTS,
            parameters=PARAMETERS,
        )
    )
    def put(tenant: str) -> Response:
        """Set what is played for a tenant where a request chooses nothing.

        A choice by header or by the service's name beats it.
        """
        conversation = _conversation(tenant)
        body = read_json(read_body(request, parts.settings.server.max_body))
        names = load(DEFAULTS, body)["scenarios"]
        _check(names)
        store.write(lambda uow: ScenarioRepository(uow).put(tenant, conversation, names))
        return json_response({"scenarios": names})

    @blueprint.route("/scenarios/<rest:tenant>", methods=["DELETE"])
    @blueprint.doc(
        **describe(
            "forget-scenario-defaults",
            {204: (None, "Nothing is set"), 422: WRONG},
            parameters=PARAMETERS,
        )
    )
    def forget(tenant: str) -> Response:
        """Play nothing for a tenant where a request chooses nothing."""
        conversation = _conversation(tenant)
        store.write(lambda uow: ScenarioRepository(uow).delete(tenant, conversation))
        return empty(204)

    return blueprint


def _answers(text: str) -> dict[int, tuple[Any, str]]:
    return {200: (DEFAULTS, text), 422: WRONG}


def _conversation(tenant: str) -> str:
    """Return the conversation that the current request names, "" for none.

    Raises Invalid for one, or for a tenant, that there cannot be.
    """
    read_tenant(tenant)
    return asked_text("conversation") or ""


def _check(names: Sequence[str]) -> None:
    """Raise Invalid unless each is a scenario, and no two are for the same."""
    wrong: list[str] = []
    kinds: list[ScenarioKind] = []
    for number, name in enumerate(names):
        try:
            play = read_scenario(name)
        except WrongChoice as error:
            wrong += [f"scenarios[{number}]: {message}" for message in error.messages]
        else:
            kinds += [play.scenario.kind] if play else []
    if len(set(kinds)) < len(kinds):
        wrong.append(f"scenarios: expected at most one for each of {', '.join(ScenarioKind)}")
    if wrong:
        raise Invalid(wrong)
