"""/admin/scenarios: what testers can choose, and what is played where a request chooses nothing."""

from collections.abc import Sequence
from typing import Any

from flask import Response

from supplier_api.contract import Invalid
from supplier_api.contract.fields import Items, Text
from supplier_api.contract.loading import StrictSchema, make
from supplier_api.contract.schemas import ERROR
from supplier_api.http.openapi import Description, response
from supplier_api.http.request_parsing import empty, json_response
from supplier_api.rules.model import Operation
from supplier_api.sandbox.admin.parameters import WHOSE, Word
from supplier_api.sandbox.admin.parts import bench
from supplier_api.sandbox.admin.resource import AdminBlueprint
from supplier_api.sandbox.catalogue import WrongChoice
from supplier_api.sandbox.json_schemas import array, object_of
from supplier_api.sandbox.scenarios.choice import read_scenario
from supplier_api.sandbox.scenarios.listing import listed
from supplier_api.sandbox.scenarios.source import ScenarioRepository

CHOSEN = Items(
    Text("NAME or NAME?param=value&param=value", "SERVICE_PROBLEM_DELAYED?delay=5", maximum=4000),
    "At most one for problems, one for amendments and one for cancellations",
    required=True,
)
DEFAULTS = make("ScenarioDefaults", {"scenarios": CHOSEN}, StrictSchema)
CONVERSATION = Word(
    "Only what comes under this X-Conversation-ID; it beats what is set for the whole tenant"
)
WRONG = response("There can be no such tenant or conversation, or there is no such scenario", ERROR)
PARAMETERS = {**WHOSE, "conversation": CONVERSATION}
PATH = "/scenarios/<rest:tenant>"

scenarios = AdminBlueprint("scenarios", "Outcomes that testers choose")


def _answers(text: str) -> dict[int, Description]:
    return {200: response(text, DEFAULTS), 422: WRONG}


@scenarios.call(
    "GET",
    "/scenarios",
    "scenarios",
    {200: response("Every scenario", object_of({"scenarios": array()}))},
)
def show_all() -> Response:
    """List every scenario: what it does, its parameters, and the updates that follow."""
    return json_response({"scenarios": listed()})


@scenarios.call("GET", PATH, "scenario-defaults", _answers("What is set"), parameters=PARAMETERS)
def show(tenant: str, query: dict[str, Any]) -> Response:
    """Show what is played for a tenant where a request chooses nothing."""
    conversation = query["conversation"] or ""
    names = bench().services.store.read(
        lambda uow: ScenarioRepository(uow).get(tenant, conversation)
    )
    return json_response({"scenarios": names})


@scenarios.call(
    "PUT",
    PATH,
    "set-scenario-defaults",
    _answers("It is set"),
    parameters=PARAMETERS,
    body=DEFAULTS,
)
def put(tenant: str, query: dict[str, Any], body: dict[str, Any]) -> Response:
    """Set what is played for a tenant where a request chooses nothing.

    A choice by header or by the service's name beats it.
    """
    names, conversation = body["scenarios"], query["conversation"] or ""
    _check(names)
    bench().services.store.write(
        lambda uow: ScenarioRepository(uow).put(tenant, conversation, names)
    )
    return json_response({"scenarios": names})


@scenarios.call(
    "DELETE",
    PATH,
    "forget-scenario-defaults",
    {204: response("Nothing is set"), 422: WRONG},
    parameters=PARAMETERS,
)
def forget(tenant: str, query: dict[str, Any]) -> Response:
    """Play nothing for a tenant where a request chooses nothing."""
    conversation = query["conversation"] or ""
    bench().services.store.write(lambda uow: ScenarioRepository(uow).delete(tenant, conversation))
    return empty(204)


def _check(names: Sequence[str]) -> None:
    """Raise Invalid unless each is a scenario, and no two are for the same."""
    wrong: list[str] = []
    kinds: list[Operation] = []
    for number, name in enumerate(names):
        try:
            play = read_scenario(name)
        except WrongChoice as error:
            wrong += [f"scenarios[{number}]: {message}" for message in error.messages]
        else:
            kinds += [play.scenario.kind] if play else []
    if len(set(kinds)) < len(kinds):
        wrong.append(f"scenarios: expected at most one for each of {', '.join(Operation)}")
    if wrong:
        raise Invalid(wrong)
