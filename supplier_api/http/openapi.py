"""What OpenAPI says of a call, and of an application: the same for every door.

Views are described by flask-smorest's `Blueprint.doc(**operation(...))`. Its decorators `arguments`
and `response` are not used: the one reads a body without seeing a key that stands twice in it, and
answers 422 for whatever is wrong; the other would stand around the view once for each status.
"""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from flask import Flask, Response
from flask_smorest import Api
from marshmallow import Schema

from supplier_api.contract.errors import ErrorAnswer
from supplier_api.contract.limits import HEADER_MAX
from supplier_api.contract.refusals import answers_of
from supplier_api.contract.schemas import ERROR
from supplier_api.http.api_docs import TryClient, guard, show_docs
from supplier_api.http.request_parsing import JSON

OPENAPI = "3.0.3"
OAUTH2 = "oauth2"
BEARER = "bearer"
BEARER_SCHEME = {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
CHALLENGE = {
    "WWW-Authenticate": {
        "description": "What a caller has to show (RFC 6750)",
        "schema": {"type": "string"},
    }
}
# A header that has to be there.
VISIBLE = {"type": "string", "minLength": 1, "maxLength": HEADER_MAX, "pattern": "^[!-~]+$"}

Description = dict[str, Any]
# A marshmallow schema, or one as OpenAPI has it; None for no body.
AnySchema = Schema | Mapping[str, Any] | None
Security = Sequence[Mapping[str, Sequence[str]]]


class DescribedApi(Api):
    """flask-smorest, where a call has no error answers but those that are described."""

    DEFAULT_ERROR_RESPONSE_NAME = None

    def _register_pagination_header(self) -> None:
        """Describe no pages: nothing here comes in pages."""

    def _openapi_json(self) -> Response:
        """Return the description, as the page /docs is guarded."""
        return guard(super()._openapi_json())


ApiType = TypeVar("ApiType", bound=DescribedApi)


def describe_access(api: Api, token_path: str, scopes: Mapping[str, str]) -> None:
    """Describe how callers of `api` show who they are: by a token of ours for these scopes.

    `scopes` say what each opens.
    """
    schemes = api.spec.components
    schemes.security_scheme(
        OAUTH2,
        {
            "type": "oauth2",
            "description": "A token of the supplier's own issuer",
            "flows": {"clientCredentials": {"tokenUrl": token_path, "scopes": dict(scopes)}},
        },
    )
    schemes.security_scheme(BEARER, BEARER_SCHEME)


def needs_scope(scope: str) -> Security:
    """Return what opens a call that needs a token of that scope."""
    return [{OAUTH2: [scope]}, {BEARER: []}]


def retry_after(**schema: Any) -> Description:
    """Return the description of a header that says when to try again."""
    described = {"type": "integer", **schema}
    return {"Retry-After": {"description": "Seconds after which to try again", "schema": described}}


def header(name: str, description: str, example: str | None = None) -> Description:
    """Return the description of a header, which is required if it has an example."""
    described: Description = {"name": name, "in": "header", "required": example is not None}
    described["description"] = description
    described["schema"] = {"type": "string"} if example is None else VISIBLE
    return described if example is None else {**described, "example": example}


def in_path(name: str, description: str, schema: Mapping[str, Any], example: str) -> Description:
    """Return the description of a part of the path."""
    return {
        "name": name,
        "in": "path",
        "required": True,
        "description": description,
        "schema": schema,
        "example": example,
    }


def response(
    description: str, schema: AnySchema = None, headers: Mapping[str, Any] | None = None
) -> Description:
    """Return the description of an answer; without a schema it has no body."""
    described: Description = {"description": description}
    if schema is not None:
        described["content"] = {JSON: {"schema": schema}}
    if headers:
        described["headers"] = dict(headers)
    return described


def error_responses(
    name: str,
    texts: Mapping[ErrorAnswer, str] | None = None,
    headers: Mapping[ErrorAnswer, Mapping[str, Any]] | None = None,
) -> dict[int, Description]:
    """Return the descriptions of the error answers that a call can give, by its refusals.

    `name` is its id; `texts` say in other words what an answer means, `headers` are the answers'.
    """
    texts, headers = texts or {}, headers or {}
    return {
        error.status: response(
            texts.get(error, error.description), ERROR if error.code else None, headers.get(error)
        )
        for error in answers_of(name)
    }


def operation(
    name: str,
    responses: Mapping[int, Description],
    security: Security,
    *,
    parameters: Sequence[Mapping[str, Any]] | None = None,
    request: AnySchema = None,
    example: Mapping[str, Any] | None = None,
) -> Description:
    """Return the OpenAPI operation object of a call, for `blueprint.doc(**operation(...))`.

    `name` is its id, `request` the schema of its body if it takes one, and `example` such a body
    where the fields' own examples make none together.
    """
    described: Description = {"operationId": name}
    if parameters is not None:
        described["parameters"] = list(parameters)
    if request is not None:
        content = {"schema": request} | ({"example": dict(example)} if example else {})
        described["requestBody"] = {"required": True, "content": {JSON: content}}
    described["responses"] = {str(status): each for status, each in responses.items()}
    described["security"] = list(security)
    return described


def build_api(
    app: Flask,
    kind: type[ApiType],
    title: str,
    version: str,
    description: str,
    *,
    docs: bool,
    clients: Sequence[TryClient] = (),
) -> ApiType:
    """Return what describes the calls of `app`.

    With `docs` the description is served, and a page of it, on which calls are made as `clients`.
    """
    app.config.update(
        API_TITLE=title,
        API_VERSION=version,
        OPENAPI_VERSION=OPENAPI,
        # Without it flask-smorest serves neither a description nor a page.
        OPENAPI_URL_PREFIX="/" if docs else None,
    )
    if docs:
        show_docs(app, title, clients)
    return kind(app, spec_kwargs={"info": {"description": description}})
