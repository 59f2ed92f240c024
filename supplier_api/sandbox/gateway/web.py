"""The gateway as a Flask application: its errors, and its description.

The description is served at /openapi.json and shown by Swagger UI at /docs.
`python -m supplier_api.sandbox.gateway` prints it; docs/api/sandbox-gateway.json is that.
"""

from collections.abc import Callable, Sequence
from typing import Any

import requests
from flask import Flask, Response, jsonify, request
from flask_smorest import Api
from werkzeug.exceptions import HTTPException

from supplier_api.audit import UNKNOWN
from supplier_api.clock import BusinessClock, MachineClock
from supplier_api.contract import Invalid, Malformed
from supplier_api.contract.headers import CONVERSATION_ID, REQUEST_ID
from supplier_api.contract.limits import MESSAGE_MAX
from supplier_api.db import StoreUnavailable
from supplier_api.http.api_docs import TryClient
from supplier_api.http.openapi import BEARER, BEARER_SCHEME, DescribedApi, build_api
from supplier_api.http.request_parsing import check_requests
from supplier_api.http_client.connections import new_session
from supplier_api.ids import IdSource
from supplier_api.logging import get_logger
from supplier_api.sandbox.gateway.access import Party, Side, WrongSide
from supplier_api.sandbox.gateway.assembly import build_gateway
from supplier_api.sandbox.gateway.calls import gateway
from supplier_api.sandbox.gateway.codes import GatewayErrorCode, GatewayRefusal, invalid
from supplier_api.sandbox.gateway.config import SandboxConfig
from supplier_api.sandbox.gateway.openapi import ERROR
from supplier_api.sandbox.gateway.routes import described, routes, tokens

log = get_logger(__name__)

TITLE = "Sandbox gateway"
TENANT_API = "1.17"

DESCRIPTION = """\
A gateway to try suppliers against: the tenants' calls, and the suppliers' door for updates (KCIs).

Where something is missing or has a wrong JSON type (null is one, for every field) the answer is
400, where a value breaks a constraint it is 422. Both list every error. Fields that are not
described are ignored, but for testers they are an error (422). An unknown path is answered 404, a
wrong method 405.

A problem, an amendment, a cancellation and an answer to a resolution are answered before the
supplier is called. What came of it is seen in the problem's updates."""

_TOKENS = {
    Side.TENANT: "A token for tenants",
    Side.SUPPLIER: "A token for suppliers",
    Side.ADMIN: "A token of scope admin; not needed from this machine to a loopback address",
}

RETRY_AFTER = "5"  # seconds

# What Flask itself refuses. All other statuses mean that the request could not be read.
FRAMEWORK_CODES = {
    404: GatewayErrorCode.NOT_FOUND,
    405: GatewayErrorCode.INVALID_REQUEST,
}


class GatewayApi(DescribedApi):
    """flask-smorest with the gateway's error answers, which the application registers itself."""

    ERROR_SCHEMA = ERROR

    def _register_error_handlers(self) -> None:
        """Leave the errors to the application."""


def create_app(
    config: SandboxConfig,
    machine_clock: MachineClock,
    id_source: IdSource,
    *,
    business_clock: BusinessClock | None = None,
    session_factory: Callable[[], requests.Session] = new_session,
) -> Flask:
    """Return the gateway's application; `app.extensions["sandbox"]` is its SandboxGateway.

    Business time is what testers make it unless a clock for it is given. Nothing is sent to a
    supplier or tenant until the gateway is started.
    """
    app = Flask("supplier_api.sandbox.gateway", static_folder=None)
    parts = build_gateway(config, machine_clock, business_clock, id_source, session_factory)
    app.extensions["sandbox"] = parts
    app.config["MAX_CONTENT_LENGTH"] = config.max_body
    app.config["PROVIDE_AUTOMATIC_OPTIONS"] = False
    app.url_map.merge_slashes = False
    app.json.sort_keys = False  # type: ignore[attr-defined]  # the default provider has it
    describe_calls(app, config)
    app.register_blueprint(routes)
    app.register_blueprint(tokens)
    check_requests(app)
    _register_errors(app)
    return app


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


def openapi_document() -> dict[str, Any]:
    """Return the OpenAPI document."""
    described_as: dict[str, Any] = describe_calls(Flask(__name__)).spec.to_dict()
    return described_as


def _register_errors(app: Flask) -> None:
    app.register_error_handler(GatewayRefusal, _on_refusal)
    app.register_error_handler(Malformed, _on_malformed)
    app.register_error_handler(Invalid, _on_invalid)
    app.register_error_handler(WrongSide, _on_wrong_side)
    app.register_error_handler(StoreUnavailable, _on_database_unavailable)
    app.register_error_handler(HTTPException, _on_framework_error)
    app.register_error_handler(Exception, _on_fault)


def _on_refusal(refusal: GatewayRefusal) -> Response:
    """Answer in the published envelope, under a uuid that traces it."""
    cut = [message[:MESSAGE_MAX] for message in refusal.messages]
    answer = jsonify(uuid=refusal.uuid or _new_uuid(), code=refusal.code, messages=cut)
    answer.status_code = refusal.status
    if refusal.status == 401:
        _audit(401)
        answer.headers["WWW-Authenticate"] = "Bearer"
    return answer


def _new_uuid() -> str:
    return str(gateway().id_source.uuid(""))


def _on_wrong_side(_: WrongSide) -> Response:
    _audit(403)
    return Response(status=403)


def _audit(status: int) -> None:
    """Log that somebody was not let in, and where: the name of the route."""
    gateway().audit.refused(
        "access.refused",
        client=UNKNOWN,
        address=request.remote_addr,
        status=status,
        route=request.endpoint,
    )


def _on_malformed(error: Malformed) -> Response:
    return _on_refusal(GatewayRefusal(400, GatewayErrorCode.MALFORMED_REQUEST, error.messages))


def _on_invalid(error: Invalid) -> Response:
    return _on_refusal(invalid(*error.messages))


def _on_framework_error(error: HTTPException) -> Response:
    status = error.code if error.code in FRAMEWORK_CODES else 400
    code = FRAMEWORK_CODES.get(status, GatewayErrorCode.MALFORMED_REQUEST)
    answer = _on_refusal(GatewayRefusal(status, code, [error.name]))
    answer.headers.extend({name: value for name, value in error.get_headers() if name == "Allow"})
    return answer


def _on_database_unavailable(error: StoreUnavailable) -> Response:
    """Say that the database cannot work now (it is locked, or the disk is full)."""
    log.error("database unavailable", exc_info=error)
    return Response(status=503, headers={"Retry-After": RETRY_AFTER})


def _on_fault(error: Exception) -> Response:
    uuid = _new_uuid()
    log.error(
        "unforeseen error",
        error_uuid=uuid,
        request_id=request.headers.get(REQUEST_ID),
        conversation_id=request.headers.get(CONVERSATION_ID),
        exc_info=error,
    )
    messages = ["The gateway has encountered an unexpected error"]
    return _on_refusal(GatewayRefusal(500, GatewayErrorCode.GATEWAY_FAULT, messages, uuid))
