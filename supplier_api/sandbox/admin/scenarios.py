"""/admin/scenarios: what testers can choose, and what is played where a request chooses nothing."""

from collections.abc import Sequence
from typing import Any

from flask import Response

from supplier_api.contract import Invalid
from supplier_api.contract.fields import Items, Text
from supplier_api.contract.loading import make
from supplier_api.contract.schemas import ERROR
from supplier_api.http.openapi import Description, response
from supplier_api.http.responses import empty, json_response
from supplier_api.sandbox.admin.parameters import TENANT_IN_PATH, word
from supplier_api.sandbox.admin.resource import AdminParts, AdminResource, StrictSchema, listing
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
DEFAULTS = make("ScenarioDefaults", {"scenarios": CHOSEN}, StrictSchema)
CONVERSATION = word(
    "conversation",
    "Only what comes under this X-Conversation-ID; it beats what is set for the whole tenant",
    default="",
)
WRONG = response("There can be no such tenant or conversation, or there is no such scenario", ERROR)
PARAMETERS = (TENANT_IN_PATH, CONVERSATION)
PATH = "/scenarios/<rest:tenant>"


def declare(parts: AdminParts) -> AdminResource:
    """Return the routes of the scenarios."""
    resource = AdminResource(parts, "scenarios", "Outcomes that testers choose")
    store = parts.services.store

    @resource.route(
        "GET",
        "/scenarios",
        "scenarios",
        {200: response("Every scenario", listing("scenarios", {"type": "object"}))},
    )
    def show_all() -> Response:
        """List every scenario: what it does, its parameters, and the updates that follow."""
        return json_response({"scenarios": listed()})

    @resource.route(
        "GET", PATH, "scenario-defaults", _answers("What is set"), parameters=PARAMETERS
    )
    def show(tenant: str, conversation: str) -> Response:
        """Show what is played for a tenant where a request chooses nothing."""
        names = store.read(lambda uow: ScenarioRepository(uow).get(tenant, conversation))
        return json_response({"scenarios": names})

    @resource.route(
        "PUT",
        PATH,
        "set-scenario-defaults",
        _answers("It is set"),
        parameters=PARAMETERS,
        body=DEFAULTS,
    )
    def put(tenant: str, conversation: str, body: dict[str, Any]) -> Response:
        """Set what is played for a tenant where a request chooses nothing.

        A choice by header or by the service's name beats it.
        """
        names = body["scenarios"]
        _check(names)
        store.write(lambda uow: ScenarioRepository(uow).put(tenant, conversation, names))
        return json_response({"scenarios": names})

    @resource.route(
        "DELETE",
        PATH,
        "forget-scenario-defaults",
        {204: response("Nothing is set"), 422: WRONG},
        parameters=PARAMETERS,
    )
    def forget(tenant: str, conversation: str) -> Response:
        """Play nothing for a tenant where a request chooses nothing."""
        store.write(lambda uow: ScenarioRepository(uow).delete(tenant, conversation))
        return empty(204)

    return resource


def _answers(text: str) -> dict[int, Description]:
    return {200: response(text, DEFAULTS), 422: WRONG}


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
