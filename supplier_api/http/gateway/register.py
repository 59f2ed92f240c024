"""Puts the gateway's door into a Flask application."""

from flask import Flask, g, request

from supplier_api.http.gateway import tokens
from supplier_api.http.gateway.dependencies import EXTENSION, Dependencies
from supplier_api.http.gateway.errors import SupplierApi, register_errors
from supplier_api.http.gateway.handler import log_answer
from supplier_api.http.gateway.openapi import describe_calls
from supplier_api.http.request_times import times_of


def register(app: Flask, parts: Dependencies) -> SupplierApi:
    """Add the four calls, the token endpoint and the description to `app`.

    It comes before other routes are added: error answers are shaped for the whole application, and
    in all of it paths and methods are taken as they come (no OPTIONS of its own, no redirects).
    Returns the description, to which other doors add themselves.
    """
    app.extensions[EXTENSION] = parts
    # One byte more than is allowed, or a body in chunks would be cut to what is allowed.
    app.config["MAX_CONTENT_LENGTH"] = parts.server.max_body + 1
    app.config["PROVIDE_AUTOMATIC_OPTIONS"] = False
    app.url_map.merge_slashes = False

    @app.before_request
    def note_entry() -> None:
        g.times = times_of(request.environ, parts.machine.monotonic())

    app.after_request(log_answer)
    register_errors(app)
    api = describe_calls(
        app,
        parts.server.prefix,
        parts.extension,
        docs=parts.server.docs,
        clients=parts.try_clients,
    )
    app.register_blueprint(tokens.blueprint)
    return api
