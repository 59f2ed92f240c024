"""What the HTTP applications answer with: JSON, or no body at all."""

from typing import Any

import orjson
from flask import Response

JSON = "application/json"


def json_response(body: Any, status: int = 200) -> Response:
    """Return a response with `body` as JSON."""
    return Response(orjson.dumps(body), status, content_type=JSON)


def empty(status: int) -> Response:
    """Return a response without a body, and so without a content type."""
    response = Response(status=status)
    del response.headers["Content-Type"]
    return response
