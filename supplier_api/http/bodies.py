"""What all HTTP applications share: reading a JSON body, writing a JSON answer."""

from typing import Any

import orjson
from flask import Request, Response
from werkzeug.exceptions import ClientDisconnected, RequestEntityTooLarge

from supplier_api.contract import RequestRefused, refusals

JSON = "application/json"


def read_body(request: Request, limit: int) -> bytes:
    """Return the body of at most `limit` bytes.

    Raises Malformed if it is no JSON by its type, too long or cut short.
    """
    if request.mimetype != JSON:
        raise refusals.WRONG_CONTENT_TYPE.error(expected=JSON)
    try:
        body = request.get_data(cache=False)
    except ClientDisconnected:
        raise refusals.BODY_CUT_SHORT.error() from None
    except RequestEntityTooLarge:
        raise _too_long(limit) from None
    # The server cuts a chunked body at its own limit, which is set one byte higher.
    if len(body) > limit:
        raise _too_long(limit)
    return body


def json_response(body: Any, status: int = 200) -> Response:
    """Return a response with `body` as JSON."""
    return Response(orjson.dumps(body), status, content_type=JSON)


def empty(status: int) -> Response:
    """Return a response without a body, and so without a content type."""
    response = Response(status=status)
    del response.headers["Content-Type"]
    return response


def _too_long(limit: int) -> RequestRefused:
    return refusals.BODY_TOO_LONG.error(limit=limit)
