"""HTTP as the gateway calls it: four calls, a token endpoint, and a description of them all.

Each concern has its file: the way of a call in `handler`, the four of them in `calls`, errors in
`errors`, the two OpenAPI documents in `openapi`.
"""

from flask import Flask

from supplier_api.http.gateway import tokens
from supplier_api.http.gateway.errors import SupplierApi, register_errors
from supplier_api.http.gateway.handler import (
    EXTENSION,
    LAST_CALL,
    Dependencies,
    GatewayRequests,
    log_answer,
)
from supplier_api.http.gateway.openapi import describe_calls

__all__ = ["LAST_CALL", "Dependencies", "GatewayRequests", "add_tokens", "prepare", "register"]


def prepare(app: Flask, parts: Dependencies) -> None:
    """Have `app` answer as all our doors do; done before any routes are added.

    Error answers are shaped for the whole application, and in all of it paths and methods are
    taken as they come (no OPTIONS of its own, no redirects).
    """
    app.extensions[EXTENSION] = parts
    # One byte more than is allowed, or a body in chunks would be cut to what is allowed.
    app.config["MAX_CONTENT_LENGTH"] = parts.server.max_body + 1
    app.config["PROVIDE_AUTOMATIC_OPTIONS"] = False
    app.url_map.merge_slashes = False
    app.after_request(log_answer)
    register_errors(app)


def register(app: Flask, parts: Dependencies) -> SupplierApi:
    """Add the four calls, the token endpoint and the description to `app`, prepared here.

    Returns the description, to which other doors add themselves.
    """
    prepare(app, parts)
    api = describe_calls(
        app,
        parts.server.prefix,
        parts.extension,
        docs=parts.server.docs,
        clients=parts.try_clients,
    )
    add_tokens(app)
    return api


def add_tokens(app: Flask) -> None:
    """Add the token endpoint and the public keys to `app`, which was prepared."""
    app.register_blueprint(tokens.blueprint)
