"""How /admin is called: each route declared once, with its parameters, body and answers.

From a declaration come both its description in OpenAPI and what a view is called with. A parameter
or a field of another name is an error: one that is misspelt would be the very limit, and without it
everything would be selected.
"""

import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import wraps
from threading import BoundedSemaphore
from typing import Any, cast

from flask import Response, current_app, request
from flask_smorest import Blueprint
from marshmallow import RAISE, Schema, missing
from werkzeug.routing import BaseConverter

from supplier_api.audit import Audit
from supplier_api.auth import AccessTokens
from supplier_api.contract import envelope, load, read_json
from supplier_api.contract.codes import ErrorCode
from supplier_api.contract.loading import Fields, MessageSchema, make
from supplier_api.contract.schemas import ERROR
from supplier_api.http.openapi import BEARER, OAUTH2, Description, operation, response
from supplier_api.http.request_parsing import Findings, check_query, json_response, read_body
from supplier_api.problems.services import Services
from supplier_api.sandbox.clock_sync import GatewayClockSync
from supplier_api.sandbox.journal.recorder import Recorder
from supplier_api.sandbox.virtual_clock import VirtualClock
from supplier_api.settings import Settings

EXTENSION = "admin"
# What would otherwise be everybody's by mistake.
NOT_SAID_WHOSE = "tenant: expected a tenant, or for everybody ?all=true; not both"
WAITING_MAX = 8
POLL = 0.02  # seconds between two looks at the database
PREFIX = "/admin"
SCOPE = "admin"
# On loopback no token is asked for.
SECURITY: list[dict[str, list[str]]] = [{}, {OAUTH2: [SCOPE]}, {BEARER: []}]
_IN_PATH = re.compile(r"<(?:\w+:)?(\w+)>")

ERRORS = {
    401: response("Beyond loopback: no token, or not a good one", ERROR),
    403: response("The token is not good for this, or the Host is not one of ours"),
    422: response("There is no such parameter, or it cannot be that", ERROR),
    503: response("Temporarily unavailable"),
}
BODY_ERRORS = {
    400: response("The request cannot be read", ERROR),
    422: response("Something is missing or wrong", ERROR),
}

AdminView = Callable[..., Response]


@dataclass(frozen=True, slots=True)
class AdminParts:
    """All that the routes need."""

    services: Services
    settings: Settings
    tokens: AccessTokens
    audit: Audit
    virtual_clock: VirtualClock
    clock_sync: GatewayClockSync
    recorder: Recorder
    # Asks the token endpoint of a destination; raises http_client.grants.NoTokenError.
    try_token: Callable[[Mapping[str, str]], object]
    # Held by each request that is kept waiting on purpose, so that some threads are left for all
    # others: at most half of them.
    waiting: BoundedSemaphore = field(init=False)

    def __post_init__(self) -> None:
        """Let as many requests wait as the settings have threads for."""
        most = min(WAITING_MAX, max(1, self.settings.server.threads // 2))
        object.__setattr__(self, "waiting", BoundedSemaphore(most))

    def refuse(self, status: int, code: ErrorCode, *messages: str) -> Response:
        """Return an error answer in the published envelope."""
        uuid = str(self.services.id_source.uuid(""))
        return json_response(envelope(code, messages, uuid), status)

    def wait_until(self, is_so: Callable[[], bool], seconds: float) -> bool:
        """Look again and again, for up to `seconds`; return whether it became so.

        While as many wait as may, a further one is answered as if it did not want to wait.
        """
        if is_so():
            return True
        if not self.waiting.acquire(blocking=False):
            return False
        machine = self.services.machine
        until, pause = machine.monotonic() + seconds, threading.Event()
        try:
            while not is_so():
                left = until - machine.monotonic()
                if left <= 0:
                    return False
                pause.wait(min(POLL, left))
            return True
        finally:
            self.waiting.release()


def bench() -> AdminParts:
    """Return the parts of the application that answers the current request."""
    return cast("AdminParts", current_app.extensions[EXTENSION])


class RestConverter(BaseConverter):
    """The rest of a path, whatever is in it: a name may have slashes."""

    regex = ".+"
    part_isolating = False


class StrictSchema(MessageSchema):
    """A message in which a field of another name is an error."""

    class Meta:
        """Settings of marshmallow."""

        unknown = RAISE

    def __init__(self) -> None:
        """Name the fields that there are to whoever names another."""
        super().__init__()
        known = {"unknown": f"unknown; expected one of {', '.join(self.fields)}"}
        self.error_messages = {**self.error_messages, **known}


class AdminBlueprint(Blueprint):
    """The routes of one concern, below /admin."""

    def __init__(self, name: str, description: str) -> None:
        """Begin without a route."""
        super().__init__(f"admin-{name}", __name__, url_prefix=PREFIX, description=description)

    def call(
        self,
        method: str,
        path: str,
        name: str,
        answers: Mapping[int, Description],
        *,
        parameters: Fields | None = None,
        body: Schema | None = None,
        example: Mapping[str, Any] | None = None,
    ) -> Callable[[AdminView], AdminView]:
        """Declare a view, which is called with the names in its path, with `query`, with `body`.

        `parameters` are those in the path, by their names there, and else in the query, all of
        which are in `query`, as None where neither the request nor a default has a value. `name` is
        the route's id in OpenAPI. `answers` are by status, without the errors that every route has;
        `example` is a body where the fields' own examples make none together.
        """
        in_path = make("Path", {each: (parameters or {})[each] for each in _IN_PATH.findall(path)})
        in_query = make(
            "Query",
            {each: it for each, it in (parameters or {}).items() if each not in in_path.fields},
        )
        all_answers = {**ERRORS, **(BODY_ERRORS if body is not None else {}), **answers}
        described = operation(
            f"admin-{name}",
            dict(sorted(all_answers.items())),
            SECURITY,
            parameters=[{"in": "path", "schema": in_path}, {"in": "query", "schema": in_query}],
            request=body,
            example=example,
        )

        def declare(view: AdminView) -> AdminView:
            @self.route(path, methods=[method])
            @self.doc(**described)
            @wraps(view)
            def answer(**names: str) -> Response:
                found = Findings()
                asked = found.reading(lambda: load(in_path, names)) or {}
                query = found.reading(lambda: _query(in_query))
                if in_query.fields:
                    asked["query"] = query
                if body is not None:
                    asked["body"] = found.reading(lambda: _body(body))
                if found.any():
                    raise found.worst()
                return view(**asked)

            return view

        return declare


def _query(schema: Schema) -> dict[str, Any]:
    check_query(request, schema.fields)
    defaults = {
        name: None if each.load_default is missing else each.load_default
        for name, each in schema.fields.items()
    }
    return defaults | load(schema, request.args.to_dict())


def _body(schema: Schema) -> dict[str, Any]:
    return load(schema, read_json(read_body(request, bench().settings.server.max_body)))
