"""The description of the calls, served at /openapi.json and shown by Swagger UI at /docs.

`python -m supplier_api.sandbox` prints it; docs/api/sandbox-gateway.json is that, committed.
"""

from typing import Any

from flask import Blueprint, Flask, Response, send_from_directory
from flask_smorest import Api
from swagger_ui_bundle import swagger_ui_path

from supplier_api.sandbox.access import Side
from supplier_api.sandbox.description import BEARER
from supplier_api.sandbox.routes import described
from supplier_api.sandbox.shown import ERROR

TENANT_API = "1.17"

DESCRIPTION = """\
A gateway to try suppliers against: the tenants' calls, and the suppliers' door for updates (KCIs).

Where something is missing or has a wrong JSON type (null is one, for every field) the answer is
400, where a value breaks a constraint it is 422. Both list every error. Fields that are not
described are ignored. An unknown path is answered 404, a wrong method 405.

A problem, an amendment, a cancellation and an answer to a resolution are answered before the
supplier is called. What came of it is seen in the problem's updates."""

_TOKENS = {
    Side.TENANT: "A token for tenants",
    Side.SUPPLIER: "A token for suppliers",
    Side.ADMIN: "A token of scope admin; not needed from this machine to a loopback address",
}

_assets = Blueprint("docs-assets", __name__)


class GatewayApi(Api):
    """flask-smorest with the gateway's error answers, which the application registers itself."""

    DEFAULT_ERROR_RESPONSE_NAME = None
    ERROR_SCHEMA = ERROR

    def _register_error_handlers(self) -> None:
        """Leave the errors to the application."""

    def _register_pagination_header(self) -> None:
        """Describe no pages: nothing here comes in pages."""


@_assets.get("/docs/assets/<path:name>")
def swagger_ui(name: str) -> Response:
    """Return a file of Swagger UI."""
    return send_from_directory(swagger_ui_path, name)


def describe_calls(app: Flask) -> Api:
    """Add the calls that are described to `app`, with their description."""
    app.config.update(
        API_TITLE="Sandbox gateway",
        API_VERSION=TENANT_API,
        OPENAPI_VERSION="3.0.3",
        OPENAPI_URL_PREFIX="/",
        OPENAPI_SWAGGER_UI_PATH="docs",
        OPENAPI_SWAGGER_UI_URL="/docs/assets/",
    )
    api = GatewayApi(app, spec_kwargs={"info": {"description": DESCRIPTION}})
    for side, text in _TOKENS.items():
        flow = {"tokenUrl": f"/auth/{side}/access-token", "scopes": {}}
        scheme = {"type": "oauth2", "description": text, "flows": {"clientCredentials": flow}}
        api.spec.components.security_scheme(side.value, scheme)
    bearer = {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
    api.spec.components.security_scheme(BEARER, bearer)
    for blueprint in described:
        api.register_blueprint(blueprint)
    app.register_blueprint(_assets)
    return api


def document() -> dict[str, Any]:
    """Return the OpenAPI document."""
    described_as: dict[str, Any] = describe_calls(Flask(__name__)).spec.to_dict()
    return described_as
