"""The two documents: what is served at /openapi.json, and the updates (KCIs) that we send.

`python -m supplier_api.http.gateway docs/api` writes them to where they are committed.
"""

from collections.abc import Sequence
from typing import Any

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from flask import Flask

from supplier_api.contract import CONTRACT, KCI
from supplier_api.contract.kci import KCI_EXAMPLE
from supplier_api.http.api_docs import TryClient
from supplier_api.http.gateway.calls import CALLS
from supplier_api.http.gateway.errors import SupplierApi
from supplier_api.http.gateway.handler import RequestExtension
from supplier_api.http.gateway.tokens import TOKEN_PATH
from supplier_api.http.openapi import OPENAPI, build_api, describe_access
from supplier_api.http.request_parsing import JSON

TITLE = "Supplier API"

DESCRIPTION = f"""\
The supplier's side of the Fibre Cafe gateway: Supplier API {CONTRACT.supplier_api}. Updates (KCIs)
go to the gateway by the Supplier Updates API {CONTRACT.supplier_updates}.

Where something is missing or has a wrong JSON type (null is one, for every field) the answer is
400, where a value breaks a constraint or a rule of the supplier it is 422. Both list every error.
Fields that are not described are ignored. An unknown path is answered 404, a wrong method 405."""

_SCOPES = {
    **{call.name: call.description for call in CALLS},
    "back-office": "What the supplier's own systems say",
}


def describe_calls(
    app: Flask,
    prefix: str,
    extension: RequestExtension | None = None,
    *,
    docs: bool = True,
    clients: Sequence[TryClient] = (),
) -> SupplierApi:
    """Add the four calls below `prefix` to `app`, with their description.

    It tells the headers of `extension` too. With `docs` it is served, and a page of it, on which
    calls are made as these clients.
    """
    api = build_api(
        app,
        SupplierApi,
        TITLE,
        CONTRACT.supplier_api,
        DESCRIPTION,
        docs=docs,
        clients=clients,
    )
    describe_access(api, TOKEN_PATH, _SCOPES)
    for call in CALLS:
        api.register_blueprint(
            call,
            url_prefix=prefix or None,
            parameters=list(extension.parameters) if extension else None,
        )
    return api


def supplier_document() -> dict[str, Any]:
    """Return the OpenAPI document of a supplier without a prefix."""
    described: dict[str, Any] = describe_calls(Flask(__name__), "").spec.to_dict()
    return described


def updates_document() -> dict[str, Any]:
    """Return the OpenAPI document of the gateway's door for updates, which we call."""
    spec = APISpec(
        "Supplier Updates API",
        CONTRACT.supplier_updates,
        OPENAPI,
        plugins=[MarshmallowPlugin()],
        info={"description": "What a supplier sends about its service problems, in order."},
    )
    spec.path(
        "/kcis",
        operations={
            "post": {
                "operationId": "kcis",
                "summary": "Take an update (KCI) about a service problem.",
                "requestBody": {
                    "required": True,
                    "content": {JSON: {"schema": KCI, "example": KCI_EXAMPLE}},
                },
                "responses": {"204": {"description": "The update is taken"}},
            }
        },
    )
    described: dict[str, Any] = spec.to_dict()
    return described
