"""How the gateway is called: each call declared once, with its path, body and answer.

From a declaration come its description in OpenAPI, the check of who calls, with which headers, and
the document that its view is called with.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Any, cast

from flask import Response, current_app, jsonify, request
from flask_smorest import Blueprint
from marshmallow import Schema

from supplier_api.contract import KCI, Invalid, load, load_kci, read_json
from supplier_api.contract.headers import CONVERSATION_ID, REQUEST_ID, TENANT
from supplier_api.contract.limits import ID_MAX
from supplier_api.http.openapi import (
    BEARER,
    CHALLENGE,
    header,
    in_path,
    operation,
    response,
    retry_after,
)
from supplier_api.http.request_parsing import Findings, check_query, read_body, read_headers
from supplier_api.http_client.sessions import is_loopback
from supplier_api.sandbox.gateway.access import BadToken, Party, Side
from supplier_api.sandbox.gateway.assembly import SandboxGateway
from supplier_api.sandbox.gateway.codes import GatewayErrorCode, GatewayRefusal
from supplier_api.sandbox.gateway.model import Document
from supplier_api.sandbox.gateway.openapi import ERROR

REQUIRED_HEADERS = (REQUEST_ID, CONVERSATION_ID)
TOO_LONG = "body: longer than {limit} bytes"
HEADERS = [
    header(
        REQUEST_ID,
        "Unique identifier to identify request and response events across the gateway",
        "0a35ba44-0bdf-4a2c-8f9c-2f4c51a4b6a1",
    ),
    header(
        CONVERSATION_ID,
        "Identifier to track message journey across the gateway",
        "5b6c4b0e-1d1c-4c4a-9c38-0d2f0fd8c1ab",
    ),
]
# Passed on to the supplier as they are.
SCENARIO = [
    header("X-Scenario", "The outcome to play: NAME or NAME?param=value"),
    header("X-Problem-Code", "The problemCode of that outcome"),
    header("X-Kci-Delay", "Seconds between its KCIs"),
]
# The published call has no such header.
OUR_SUPPLIERS = [
    header(
        TENANT,
        "Whose problem it is: named by the supplier that comes with this gateway alone, so that a"
        " problem that was raised past it can be taken in",
    )
]
ERRORS = {
    400: response("Bad request - malformed, or missing mandatory parameters", ERROR),
    401: response("Unauthorised access - no token, or not a good one", ERROR, CHALLENGE),
    403: response("The client is not permitted to access this resource"),
    404: response("There is no such service problem", ERROR),
    422: response("Unprocessable entity - invalid data was provided", ERROR),
    500: response("Unexpected gateway error - the uuid is in its log", ERROR),
    503: response("The gateway is temporarily unavailable", None, retry_after()),
}
SCENARIO_HEADERS = tuple(each["name"] for each in SCENARIO)
OF_SIDE = {Side.TENANT: HEADERS, Side.SUPPLIER: HEADERS + OUR_SUPPLIERS, Side.ADMIN: []}

View = Callable[..., Document | None]
Answer = tuple[Response | str, int]


def gateway() -> SandboxGateway:
    """Return the gateway that the current application serves."""
    return cast("SandboxGateway", current_app.extensions["sandbox"])


class SideBlueprint(Blueprint):
    """The calls that a token of one side opens."""

    def __init__(self, side: Side, name: str, description: str) -> None:
        """Begin without a call."""
        super().__init__(name, __name__, description=description)
        self._side = side

    def call(
        self,
        method: str,
        path: str,
        name: str,
        good: tuple[int, str, Schema | None],
        *,
        errors: Sequence[int] = (400, 401, 403, 422, 500, 503),
        path_id: str | None = None,
        body: Schema | None = None,
        example: Mapping[str, Any] | None = None,
        scenario: bool = False,
    ) -> Callable[[View], View]:
        """Declare a view; it returns the body of the answer `good`.

        It is called with who calls, with the `id` in its path (`path_id` describes it) and with the
        `document` that the request brings. `name` is its id in OpenAPI; `example` is a body, where
        the examples of the fields make none together; with `scenario` the testers' headers are
        named.
        """
        status, text, schema = good
        security: list[dict[str, list[str]]] = [{self._side.value: []}, {BEARER: []}]
        described = operation(
            name,
            {status: response(text, schema), **{each: ERRORS[each] for each in errors}},
            [*security, {}] if self._side is Side.ADMIN else security,
            parameters=OF_SIDE[self._side] + (SCENARIO if scenario else []),
            request=body,
            example=example,
        )

        def declare(view: View) -> View:
            @self.route(path, methods=[method], parameters=_in_path(path_id))
            @self.doc(**described)
            @wraps(view)
            def answer(**names: str) -> Answer:
                party = _admin() if self._side is Side.ADMIN else _caller(self._side)
                asked = _read(body, with_headers=self._side is not Side.ADMIN)
                made = view(party, **names, **asked)
                return ("" if made is None else jsonify(made)), status

            return view

        return declare


def _in_path(description: str | None) -> list[dict[str, Any]]:
    if description is None:
        return []
    schema = {"type": "string", "pattern": "^[0-9]+$", "maxLength": len(str(ID_MAX))}
    return [in_path("id", description, schema, "123")]


def _caller(side: Side) -> Party:
    """Return whose token the current request bears. Raises GatewayRefusal (401), or WrongSide."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    try:
        if scheme.lower() != "bearer":
            raise BadToken
        return gateway().access.party(side, token.strip())
    except BadToken:
        message = "Authorization: expected a bearer token of this gateway that has not ended"
        raise GatewayRefusal(401, GatewayErrorCode.NOT_AUTHORISED, [message]) from None


def _admin() -> Party | None:
    """Return who uses the admin door, None for somebody at this machine.

    Raises GatewayRefusal (401), or WrongSide; Invalid for parameters behind the question mark: none
    is known there.

    From this machine it needs no token, as long as the process listens on loopback only. The name
    that it was called by must be this machine's, too: a page of another site cannot choose it.
    """
    called_by = request.host.rsplit(":", 1)[0]
    here = (request.remote_addr or "", str(request.environ.get("SERVER_NAME", "")), called_by)
    local = all(is_loopback(name.strip("[]")) for name in here)
    party = None if local else _caller(Side.ADMIN)
    check_query(request, known=())
    return party


def _read(schema: Schema | None, *, with_headers: bool) -> dict[str, Document]:
    """Return the current request's document, if `schema` says that it brings one.

    Raises Malformed with all that is missing or of a wrong type, or else Invalid with all the rest,
    in the headers too.
    """
    found, asked = Findings(), {}
    if with_headers:
        found.reading(lambda: read_headers(request, REQUIRED_HEADERS))
        found.reading(_check_scenario_headers)
    if schema is not None:
        asked = {"document": found.reading(lambda: _document(schema)) or {}}
    if found.any():
        raise found.worst()
    return asked


def _document(schema: Schema) -> Document:
    data = read_json(read_body(request, current_app.config["MAX_CONTENT_LENGTH"], TOO_LONG))
    return load_kci(data) if schema is KCI else load(schema, data)


def _check_scenario_headers() -> None:
    wrong = [name for name in SCENARIO_HEADERS if not request.headers.get(name, "").isascii()]
    if wrong:
        raise Invalid([f"{name}: expected ASCII characters" for name in wrong])
