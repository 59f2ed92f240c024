"""Takes down every call that comes in, for the journal: after it is answered, outside of it."""

import contextlib
import re

from flask import Flask, Response, g, request
from werkzeug.exceptions import ClientDisconnected, RequestEntityTooLarge

from supplier_api.clock import BusinessClock, MachineClock
from supplier_api.journal.masking import headers_of, text_of
from supplier_api.journal.recorder import Recorder
from supplier_api.journal.remarks import on_request
from supplier_api.problems.limits import HEADER_MAX
from supplier_api.store.journal import Call, Direction, Half

# The calls of testers and monitors are not what is tested.
NOT_RECORDED = re.compile(r"/(admin|docs|health|metrics)(/|$)|/openapi\.json$")
BODY_KEPT = 65_536  # bytes


def record_calls(
    app: Flask, recorder: Recorder, business: BusinessClock, machine: MachineClock
) -> None:
    """Record what comes in at any door of `app` but the testers' own."""

    @app.before_request
    def keep_body() -> None:
        if not NOT_RECORDED.match(request.path):
            g.began = machine.monotonic()
            # Kept by the framework for whoever reads it next; what cannot be read is judged there.
            with contextlib.suppress(ClientDisconnected, RequestEntityTooLarge):
                request.get_data(cache=True)

    @app.after_request
    def take_down(response: Response) -> Response:
        if "began" in g:
            milliseconds = round((machine.monotonic() - g.began) * 1000, 1)
            recorder.record(_call(response, business, milliseconds))
        return response


def _call(response: Response, business: BusinessClock, milliseconds: float) -> Call:
    body = b""
    with contextlib.suppress(ClientDisconnected, RequestEntityTooLarge):
        body = request.get_data(cache=True)
    headers = headers_of(request.headers.items())
    tenant = _short(request.headers.get("Tenant")) or ""
    operation = g.get("operation") or request.path.strip("/").partition("/")[0] or "/"
    remarks = on_request(operation, headers, body) if "operation" in g else []
    gateway_id = g.get("gateway_id")
    return Call(
        at=business.now(tenant),
        direction=Direction.IN,
        operation=operation,
        tenant=tenant,
        method=request.method,
        url=request.full_path.rstrip("?"),
        request=Half(headers, text_of(body, BODY_KEPT)),
        answer=Half(headers_of(response.headers.items()), text_of(response.get_data(), BODY_KEPT)),
        status=response.status_code,
        milliseconds=milliseconds,
        conversation_id=_short(request.headers.get("X-Conversation-ID")),
        request_id=_short(request.headers.get("X-Request-ID")),
        gateway_id=gateway_id if isinstance(gateway_id, int) else None,
        reference=_short((request.view_args or {}).get("reference")),
        remarks=tuple(remark.plain() for remark in remarks),
    )


def _short(value: str | None) -> str | None:
    return value[:HEADER_MAX] if value else None
