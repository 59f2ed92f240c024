"""The description of the calls, served at /openapi.json and shown by Swagger UI at /docs.

`python -m supplier_api.sandbox.gateway` prints it; docs/api/sandbox-gateway.json is that.
"""

from collections.abc import Sequence
from typing import Any

from flask import Flask
from flask_smorest import Api

from supplier_api.http.api_docs import TryClient
from supplier_api.http.openapi import BEARER, BEARER_SCHEME, DescribedApi, build_api
from supplier_api.sandbox.gateway.access import Party, Side
from supplier_api.sandbox.gateway.config import SandboxConfig
from supplier_api.sandbox.gateway.response_schemas import ERROR
from supplier_api.sandbox.gateway.routes import described

TITLE = "Sandbox gateway"
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


class GatewayApi(DescribedApi):
    """flask-smorest with the gateway's error answers, which the application registers itself."""

    ERROR_SCHEMA = ERROR

    def _register_error_handlers(self) -> None:
        """Leave the errors to the application."""


def describe_calls(app: Flask, config: SandboxConfig | None = None) -> Api:
    """Add the calls that are described to `app`, with their description.

    As `config` has it, the description is served, with a page of it.
    """
    api = build_api(
        app,
        GatewayApi,
        TITLE,
        TENANT_API,
        DESCRIPTION,
        docs=bool(config and config.docs),
        clients=_try_clients(config) if config else (),
    )
    for side, text in _TOKENS.items():
        flow = {"tokenUrl": _token_url(side), "scopes": {}}
        scheme = {"type": "oauth2", "description": text, "flows": {"clientCredentials": flow}}
        api.spec.components.security_scheme(side.value, scheme)
    api.spec.components.security_scheme(BEARER, BEARER_SCHEME)
    for blueprint in described:
        api.register_blueprint(blueprint)
    return api


def _try_clients(config: SandboxConfig) -> list[TryClient]:
    """Return the first party of each side, if its secret is one that may be shown."""
    sides: tuple[tuple[str, Side, Sequence[Party]], ...] = (
        ("/kcis", Side.SUPPLIER, config.suppliers),
        ("/admin/", Side.ADMIN, config.admins),
        ("/", Side.TENANT, config.tenants),
    )
    return [
        TryClient(path, party.client_id, party.client_secret, _token_url(side))
        for path, side, parties in sides
        for party in parties[:1]
        if party.client_secret in config.known_secrets
    ]


def _token_url(side: Side) -> str:
    return f"/auth/{side}/access-token"


def document() -> dict[str, Any]:
    """Return the OpenAPI document."""
    described_as: dict[str, Any] = describe_calls(Flask(__name__)).spec.to_dict()
    return described_as
