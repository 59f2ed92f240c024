"""The calls of the back office's door, and its OpenAPI document where it stands alone.

Where it shares a listener with the gateway's door, /openapi.json has both.
"""

from collections.abc import Sequence
from typing import Any

from flask import Flask
from flask_smorest import Api

from supplier_api.contract import CONTRACT
from supplier_api.http.api_docs import TryClient

# Each adds its calls to the blueprint: in this order they are described.
from supplier_api.http.backoffice import events, problems, snapshots, incidents, hooks, work_orders  # noqa: F401 # isort: skip
from supplier_api.http.backoffice.door import SCOPE, blueprint
from supplier_api.http.gateway.errors import SupplierApi
from supplier_api.http.gateway.tokens import TOKEN_PATH
from supplier_api.http.openapi import build_api, describe_access

TITLE = "The back office's door"
DESCRIPTION = """\
What the supplier's own systems say and ask about service problems.

Where something is missing or has a wrong JSON type the answer is 400, where a value is not one of
those that are possible it is 422; messages begin with the field's path. What a problem's state
forbids is answered 409, with the state and what is possible there. Fields that are not described
are ignored, parameters of the query are not."""


def describe_door(app: Flask, *, docs: bool, clients: Sequence[TryClient] = ()) -> SupplierApi:
    """Return the description of `app` where it has the back office's door alone.

    With `docs` it is served, and a page of it, on which calls are made as these clients.
    """
    version = CONTRACT.supplier_api
    api = build_api(app, SupplierApi, TITLE, version, DESCRIPTION, docs=docs, clients=clients)
    describe_access(api, TOKEN_PATH, {SCOPE: blueprint.description})
    return api


def add_calls(api: Api) -> None:
    """Add the calls to the application that `api` describes; door.EXTENSION has their parts."""
    api.register_blueprint(blueprint)


def backoffice_document() -> dict[str, Any]:
    """Return the OpenAPI document of the door."""
    api = describe_door(Flask(__name__), docs=False)
    add_calls(api)
    described: dict[str, Any] = api.spec.to_dict()
    return described
