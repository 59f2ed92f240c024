"""The OpenAPI document of the back office's door alone.

Where it shares a listener with the gateway's door, /openapi.json has both.
"""

from collections.abc import Sequence
from typing import Any, cast

from flask import Flask

from supplier_api.contract import CONTRACT
from supplier_api.http.api_docs import TryClient
from supplier_api.http.backoffice.events import SCOPE, register
from supplier_api.http.gateway.errors import SupplierApi
from supplier_api.http.openapi import BEARER, BEARER_SCHEME, OAUTH2, build_api

TITLE = "The back office's door"
DESCRIPTION = """\
What the supplier's own systems say and ask about service problems.

Where something is missing or has a wrong JSON type the answer is 400, where a value is not one of
those that are possible it is 422; messages begin with the field's path. What a problem's state
forbids is answered 409, with the state and what is possible there. Fields that are not described
are ignored, parameters of the query are not."""
_SECURITY_SCHEMES: dict[str, dict[str, Any]] = {
    OAUTH2: {
        "type": "oauth2",
        "description": "A token of the supplier's own issuer",
        "flows": {
            "clientCredentials": {
                "tokenUrl": "/oauth2/token",
                "scopes": {SCOPE: "What the supplier's own systems say"},
            }
        },
    },
    BEARER: BEARER_SCHEME,
}


def describe_door(app: Flask, *, docs: bool, clients: Sequence[TryClient] = ()) -> SupplierApi:
    """Return the description of `app` where it has the back office's door alone.

    With `docs` it is served, and a page of it, on which calls are made as these clients.
    """
    version = CONTRACT.supplier_api
    api = build_api(app, SupplierApi, TITLE, version, DESCRIPTION, docs=docs, clients=clients)
    for name, scheme in _SECURITY_SCHEMES.items():
        api.spec.components.security_scheme(name, scheme)
    return api


def backoffice_document() -> dict[str, Any]:
    """Return the OpenAPI document of the door."""
    api = describe_door(Flask(__name__), docs=False)
    # A view is described without what it works with.
    nothing = cast("Any", None)
    register(api, nothing, nothing, 0, nothing, nothing)
    described: dict[str, Any] = api.spec.to_dict()
    return described
