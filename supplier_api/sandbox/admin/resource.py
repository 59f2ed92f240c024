"""How /admin is called: each route declared once, with its parameters, body and answers.

From a declaration come both its description in OpenAPI and what a view is called with. A parameter
or a field of another name is an error: one that is misspelt would be the very limit, and without it
everything would be selected.
"""

import re
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any

from flask import Response, request
from flask_smorest import Blueprint
from marshmallow import Schema, missing
from werkzeug.routing import BaseConverter

from supplier_api.contract import load, read_json
from supplier_api.contract.loading import Fields, make
from supplier_api.contract.schemas import ERROR
from supplier_api.http.openapi import BEARER, OAUTH2, Description, operation, response
from supplier_api.http.request_parsing import Findings, check_query, read_body
from supplier_api.sandbox.admin.access import SCOPE, check_access
from supplier_api.sandbox.admin.parts import bench

FLUSH = 2.0  # seconds for what was recorded to be stored
# What would otherwise be everybody's by mistake.
NOT_SAID_WHOSE = "tenant: expected a tenant, or for everybody ?all=true; not both"
PREFIX = "/admin"
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


class RestConverter(BaseConverter):
    """The rest of a path, whatever is in it: a name may have slashes."""

    regex = ".+"
    part_isolating = False


class AdminBlueprint(Blueprint):
    """The routes of one concern, below /admin."""

    def __init__(self, name: str, description: str) -> None:
        """Begin without a route."""
        super().__init__(f"admin-{name}", __name__, url_prefix=PREFIX, description=description)
        self.record(lambda state: state.app.url_map.converters.update(rest=RestConverter))
        self.before_request(check_access)
        self.before_request(_write_journal)

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
        defaults = {
            each: None if it.load_default is missing else it.load_default
            for each, it in in_query.fields.items()
        }
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
                asked: dict[str, Any] = {}
                if names:
                    asked = found.reading(lambda: load(in_path, names)) or {}
                given = found.reading(lambda: _query(in_query)) if request.args else {}
                if defaults:
                    asked["query"] = {**defaults, **(given or {})}
                if body is not None:
                    asked["body"] = found.reading(lambda: _body(body))
                if found.any():
                    raise found.worst()
                return view(**asked)

            return view

        return declare


def _write_journal() -> None:
    """Let what a tester does come behind the calls that were made before."""
    bench().recorder.flush(FLUSH)


def _query(schema: Schema) -> dict[str, Any]:
    check_query(request, schema.fields)
    return load(schema, request.args.to_dict())


def _body(schema: Schema) -> dict[str, Any]:
    return load(schema, read_json(read_body(request, bench().settings.server.max_body)))
