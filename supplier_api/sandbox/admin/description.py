"""What OpenAPI says of the testers' door, the same for all of its routes."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

from flask_smorest import Api, Blueprint
from werkzeug.routing import BaseConverter

from supplier_api.contract.limits import HEADER_MAX
from supplier_api.contract.schemas import ERROR
from supplier_api.http.responses import JSON
from supplier_api.sandbox.admin.access import SCOPE

PREFIX = "/admin"
# What the published calls take in the header `Tenant`.
TENANT_PATTERN = f"[!-~]{{1,{HEADER_MAX}}}"
# On loopback no token is asked for.
SECURITY: list[dict[str, list[str]]] = [{}, {"oauth2": [SCOPE]}, {"bearer": []}]


class RestConverter(BaseConverter):
    """The rest of a path, whatever is in it: a name may have slashes."""

    regex = ".+"
    part_isolating = False


ERRORS: Mapping[int, tuple[object, str]] = {
    401: (ERROR, "Beyond loopback: no token, or not a good one"),
    403: (None, "The token is not good for this, or the Host is not one of ours"),
    422: (ERROR, "There is no such parameter, or it cannot be that"),
    503: (None, "Temporarily unavailable"),
}
BODY_ERRORS: Mapping[int, tuple[object, str]] = {
    400: (ERROR, "The request cannot be read"),
    422: (ERROR, "Something is missing or wrong"),
}


def admin_blueprint(name: str, description: str) -> Blueprint:
    """Return the blueprint of one concern, below /admin."""
    blueprint = Blueprint(f"admin-{name}", __name__, url_prefix=PREFIX, description=description)
    blueprint.record(lambda state: state.app.url_map.converters.update(rest=RestConverter))
    return blueprint


def describe(
    operation: str,
    answers: Mapping[int, tuple[object, str]],
    *,
    request: object = None,
    example: Mapping[str, Any] | None = None,
    parameters: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """Return the OpenAPI operation object of a route, for `blueprint.doc(**describe(...))`.

    `operation` is its id. `answers` are a schema (or None) and a text by status, without the errors
    that every route has; `request` is the schema of the body, if it takes one, and `example` such a
    body where the fields' own examples make none together.
    """
    all_answers = {**ERRORS, **(BODY_ERRORS if request is not None else {}), **answers}
    described: dict[str, Any] = {
        "operationId": f"admin-{operation}",
        "parameters": list(parameters),
        "responses": {
            str(status): _answer(schema, text)
            for status, (schema, text) in sorted(all_answers.items())
        },
        "security": SECURITY,
    }
    if request is not None:
        content = {"schema": request} | ({"example": dict(example)} if example else {})
        described["requestBody"] = {"required": True, "content": {JSON: content}}
    return described


def query(name: str, description: str, schema: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """Return the description of a parameter behind the question mark."""
    return {"name": name, "in": "query", "description": description, "schema": schema, **more}


def path(name: str, description: str, schema: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """Return the description of a part of the path."""
    return {**query(name, description, schema, **more), "in": "path", "required": True}


TENANT_SCHEMA = {"type": "string", "pattern": f"^{TENANT_PATTERN}$"}
TENANT_IN_PATH = path("tenant", "Whose", TENANT_SCHEMA, example="TENANT1")
TENANT_IN_QUERY = query(
    "tenant", "Whose; without it, all tenants'", TENANT_SCHEMA, example="TENANT1"
)


def describe_scope(api: Api) -> None:
    """Offer the scope `admin` in the description's own token form."""
    schemes = api.spec.components.security_schemes
    oauth2 = deepcopy(schemes["oauth2"])
    oauth2["flows"]["clientCredentials"]["scopes"][SCOPE] = "Switches for testers"
    schemes["oauth2"] = oauth2


def _answer(schema: object, text: str) -> dict[str, Any]:
    content = {"content": {JSON: {"schema": schema}}} if schema is not None else {}
    return {"description": text, **content}
