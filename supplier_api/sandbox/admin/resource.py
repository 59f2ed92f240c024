"""What /admin offers: each route declared once, with its parameters, body and answers.

From a declaration come both its description in OpenAPI and what a view is called with. A parameter
or a field of another name is an error: one that is misspelt would be the very limit, and without it
everything would be selected.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import wraps
from threading import BoundedSemaphore
from typing import Any, Generic, TypeVar

from flask import Response, request
from flask_smorest import Blueprint
from marshmallow import RAISE, Schema
from werkzeug.routing import BaseConverter

from supplier_api.audit import Audit
from supplier_api.auth import AccessTokens
from supplier_api.contract import envelope, load, read_json
from supplier_api.contract.codes import ErrorCode
from supplier_api.contract.loading import MessageSchema
from supplier_api.contract.schemas import ERROR
from supplier_api.http.openapi import BEARER, OAUTH2, Description, operation, response
from supplier_api.http.request_parsing import check_query, json_response, read_body
from supplier_api.problems.services import Services
from supplier_api.sandbox.admin.parameters import RequestParameter
from supplier_api.sandbox.clock_sync import GatewayClockSync
from supplier_api.sandbox.journal.recorder import Recorder
from supplier_api.sandbox.virtual_clock import VirtualClock
from supplier_api.settings import Settings

WAITING_MAX = 8
POLL = 0.02  # seconds between two looks at the database
PREFIX = "/admin"
SCOPE = "admin"
# On loopback no token is asked for.
SECURITY: list[dict[str, list[str]]] = [{}, {OAUTH2: [SCOPE]}, {BEARER: []}]

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

T = TypeVar("T")
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


class RestConverter(BaseConverter):
    """The rest of a path, whatever is in it: a name may have slashes."""

    regex = ".+"
    part_isolating = False


class StrictSchema(MessageSchema):
    """A message in which a field of another name is an error."""

    error_messages = {  # noqa: RUF012 - as marshmallow has it
        **MessageSchema.error_messages,
        "unknown": "unknown; there is no such field",
    }

    class Meta:
        """Settings of marshmallow."""

        unknown = RAISE


class AdminResource:
    """The routes of one concern, below /admin."""

    def __init__(self, parts: AdminParts, name: str, description: str) -> None:
        """Begin without a route."""
        self.blueprint = Blueprint(
            f"admin-{name}", __name__, url_prefix=PREFIX, description=description
        )
        self.blueprint.record(lambda state: state.app.url_map.converters.update(rest=RestConverter))
        self._max_body = parts.settings.server.max_body

    def route(
        self,
        method: str,
        path: str,
        name: str,
        answers: Mapping[int, Description],
        *,
        parameters: Sequence[RequestParameter] = (),
        body: Schema | None = None,
        example: Mapping[str, Any] | None = None,
    ) -> Callable[[AdminView], AdminView]:
        """Declare a view, which is called with the values of `parameters`, and with `body`.

        `name` is its id in OpenAPI. `answers` are by status, without the errors that every route
        has; `example` is a body where the fields' own examples make none together.
        """
        known = [each.name for each in parameters if not each.in_path]
        all_answers = {**ERRORS, **(BODY_ERRORS if body is not None else {}), **answers}
        described = operation(
            f"admin-{name}",
            dict(sorted(all_answers.items())),
            SECURITY,
            parameters=[each.described() for each in parameters],
            request=body,
            example=example,
        )

        def declare(view: AdminView) -> AdminView:
            @self.blueprint.route(path, methods=[method])
            @self.blueprint.doc(**described)
            @wraps(view)
            def answer(**in_path: str) -> Response:
                check_query(request, known)
                given = {**request.args.to_dict(), **in_path}
                asked = {each.argument or each.name: each.value(given) for each in parameters}
                if body is not None:
                    asked["body"] = load(body, read_json(read_body(request, self._max_body)))
                return view(**asked)

            return view

        return declare


@dataclass(frozen=True, slots=True)
class AnswerField(Generic[T]):
    """A field of an answer: its schema, and how it is made of what is shown.

    Without `value` it is given by name. One that is None is left out.
    """

    schema: Mapping[str, Any]
    value: Callable[[T], Any] | None = None
    required: bool = False


class AnswerShape(Generic[T]):
    """An object in an answer, from one declaration: how it is described, and how it is made."""

    def __init__(self, fields: Mapping[str, AnswerField[T]]) -> None:
        """Have these fields, in this order."""
        self._fields = fields
        self.schema: Description = {
            "type": "object",
            "required": [name for name, field in fields.items() if field.required],
            "properties": {name: field.schema for name, field in fields.items()},
        }

    def show(self, subject: T, **given: Any) -> dict[str, Any]:
        """Return `subject` as JSON, with the fields that are given by name."""
        shown = {
            name: field.value(subject) if field.value else given.get(name)
            for name, field in self._fields.items()
        }
        return {name: value for name, value in shown.items() if value is not None}


def listing(name: str, item: Mapping[str, Any]) -> Description:
    """Return the schema of an object with one list, of items of that schema."""
    return {
        "type": "object",
        "required": [name],
        "properties": {name: {"type": "array", "items": item}},
    }
