"""What we use of flask-smorest, which has no annotations of its own."""

from collections.abc import Callable
from typing import Any, TypeVar

from apispec import APISpec
from flask import Blueprint as FlaskBlueprint
from flask import Flask, Response
from flask.typing import ResponseReturnValue
from marshmallow import Schema
from werkzeug.exceptions import HTTPException

View = TypeVar("View", bound=Callable[..., Any])

class Api:
    DEFAULT_ERROR_RESPONSE_NAME: str | None
    ERROR_SCHEMA: Schema
    spec: APISpec
    def __init__(
        self,
        app: Flask | None = ...,
        *,
        spec_kwargs: dict[str, Any] | None = ...,
        config_prefix: str = ...,
    ) -> None: ...
    def init_app(self, app: Flask, *, spec_kwargs: dict[str, Any] | None = ...) -> None: ...
    def register_blueprint(self, blp: Blueprint, **options: Any) -> None: ...
    def _openapi_json(self) -> Response: ...
    def handle_http_exception(self, error: HTTPException) -> ResponseReturnValue: ...

class Blueprint(FlaskBlueprint):
    description: str
    def __init__(
        self, name: str, import_name: str, *, description: str = ..., **kwargs: Any
    ) -> None: ...
    def doc(self, **kwargs: Any) -> Callable[[View], View]: ...
    def arguments(self, schema: type[Schema]) -> Callable[[View], View]: ...
    def response(self, status_code: int, schema: type[Schema]) -> Callable[[View], View]: ...
