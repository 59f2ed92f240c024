"""The description of the calls, served at /openapi.json and shown by Swagger UI at /docs.

`python -m supplier_api.http.gateway docs/api` writes it to where it is committed.
"""

from collections.abc import Sequence
from typing import Any

from flask import Flask

from supplier_api.contract import CONTRACT
from supplier_api.http.api_docs import TryClient, hide_docs, show_docs
from supplier_api.http.gateway import amendments, cancellations, problems, resolutions
from supplier_api.http.gateway.dependencies import RequestExtension
from supplier_api.http.gateway.description import BEARER, OAUTH2
from supplier_api.http.gateway.errors import SupplierApi
from supplier_api.http.gateway.tokens import TOKEN_PATH

TITLE = "Supplier API"
CALLS = (problems, amendments, cancellations, resolutions)

DESCRIPTION = f"""\
The supplier's side of the Fibre Cafe gateway: Supplier API {CONTRACT.supplier_api}. Updates (KCIs)
go to the gateway by the Supplier Updates API {CONTRACT.supplier_updates}.

Where something is missing or has a wrong JSON type (null is one, for every field) the answer is
400, where a value breaks a constraint or a rule of the supplier it is 422. Both list every error.
Fields that are not described are ignored. An unknown path is answered 404, a wrong method 405."""

_SECURITY_SCHEMES: dict[str, dict[str, Any]] = {
    OAUTH2: {
        "type": "oauth2",
        "description": "A token of the supplier's own issuer",
        "flows": {
            "clientCredentials": {
                "tokenUrl": TOKEN_PATH,
                "scopes": {
                    **{call.OPERATION: call.blueprint.description for call in CALLS},
                    "back-office": "What the supplier's own systems say",
                },
            }
        },
    },
    BEARER: {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
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
    app.config.update(
        API_TITLE=TITLE,
        API_VERSION=CONTRACT.supplier_api,
        OPENAPI_VERSION="3.0.3",
        OPENAPI_URL_PREFIX="/",
    )
    if docs:
        show_docs(app, TITLE, clients)
    else:
        hide_docs(app)
    api = SupplierApi(app, spec_kwargs={"info": {"description": DESCRIPTION}})
    for name, scheme in _SECURITY_SCHEMES.items():
        api.spec.components.security_scheme(name, scheme)
    for call in CALLS:
        api.register_blueprint(
            call.blueprint,
            url_prefix=prefix or None,
            parameters=list(extension.parameters) if extension else None,
        )
    return api


def document() -> dict[str, Any]:
    """Return the OpenAPI document of a supplier without a prefix."""
    described: dict[str, Any] = describe_calls(Flask(__name__), "").spec.to_dict()
    return described
