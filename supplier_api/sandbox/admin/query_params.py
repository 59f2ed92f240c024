"""What testers say in a request: whose, how long to wait, yes or no."""

import re
import threading
from collections.abc import Callable
from typing import Any

from flask import current_app, request
from marshmallow import RAISE, Schema

from supplier_api.contract import Invalid, load, read_json
from supplier_api.contract.fields import Text
from supplier_api.contract.limits import HEADER_MAX
from supplier_api.contract.loading import MessageSchema
from supplier_api.http.request_parsing import read_body
from supplier_api.sandbox.admin.dependencies import AdminParts
from supplier_api.sandbox.admin.description import TENANT_PATTERN, query

WAIT_DEFAULT = 10.0
WAIT_MAX = 60.0
POLL = 0.02  # seconds between two looks at the database
_WAIT = re.compile(r"([0-9]{1,6})(s|ms|)")
WAIT = query(
    "wait",
    "How long to wait at most: seconds, as in 10 or 10s, or milliseconds, as in 500ms",
    {"type": "string", "pattern": f"^{_WAIT.pattern}$", "default": f"{WAIT_DEFAULT:.0f}s"},
    example="500ms",
)


class Strict(MessageSchema):
    """A message in which a field of another name is an error: it may be the very limit."""

    error_messages = {  # noqa: RUF012 - as marshmallow has it
        **MessageSchema.error_messages,
        "unknown": "unknown; there is no such field",
    }

    class Meta:
        """Settings of marshmallow."""

        unknown = RAISE


def check_parameters() -> None:
    """Raise Invalid if the current request has parameters that its route does not describe.

    One that is misspelt would select everything, and nobody would see it.
    """
    view: Any = current_app.view_functions[str(request.endpoint)]
    # What `blueprint.doc` was told; flask-smorest has no other way to ask for it.
    described = view._apidoc["manual_doc"]["parameters"]  # noqa: SLF001
    known = [each["name"] for each in described if each["in"] == "query"]
    expected = f"one of {', '.join(known)}" if known else "none"
    wrong = []
    for name, values in request.args.lists():
        if name not in known:
            wrong.append(f"{name[:HEADER_MAX]}: unknown; expected {expected}")
        elif len(values) > 1:
            wrong.append(f"{name}: expected once")
    if wrong:
        raise Invalid(wrong)


def tenant_name(description: str) -> Text:
    """Return the field for a tenant's name; a tenant need not be made before it is named."""
    return Text(description, "TENANT1", pattern=TENANT_PATTERN)


def read_tenant(name: str) -> str:
    """Return a tenant's name; raises Invalid if there can be no such tenant."""
    if not re.fullmatch(TENANT_PATTERN, name):
        raise Invalid([f"tenant: expected to match {TENANT_PATTERN}"])
    return name


def asked_tenant() -> str | None:
    """Return the tenant behind the question mark; None for none. Raises Invalid."""
    name = request.args.get("tenant")
    return None if name is None else read_tenant(name)


def asked_wait() -> float:
    """Return for how many seconds the current request wants to wait. Raises Invalid."""
    text = request.args.get("wait")
    if text is None:
        return WAIT_DEFAULT
    found = _WAIT.fullmatch(text)
    seconds = int(found[1]) / (1000 if found[2] == "ms" else 1) if found else WAIT_MAX + 1
    if seconds > WAIT_MAX:
        raise Invalid([f"wait: expected at most {WAIT_MAX:.0f}s, as in 10s or 500ms"])
    return seconds


def asked_text(name: str) -> str | None:
    """Return a word behind the question mark that may be anybody's; None for none. Raises Invalid.

    It can be looked for in every database: PostgreSQL knows no NUL.
    """
    text = request.args.get(name)
    if text is not None and not (1 <= len(text) <= HEADER_MAX and text.isprintable()):
        raise Invalid([f"{name}: expected 1 to {HEADER_MAX} printable characters"])
    return text


def asked_flag(name: str) -> bool:
    """Return whether the current request says `name=true`. Raises Invalid."""
    text = request.args.get(name, "false")
    if text not in {"true", "false"}:
        raise Invalid([f"{name}: expected true or false"])
    return text == "true"


def read_document(parts: AdminParts, schema: Schema) -> dict[str, Any]:
    """Return the body of the current request; raises contract.Malformed or contract.Invalid."""
    return load(schema, read_json(read_body(request, parts.settings.server.max_body)))


def wait_until(is_so: Callable[[], bool], seconds: float, parts: AdminParts) -> bool:
    """Look again and again, for up to `seconds`; return whether it became so.

    While as many wait as may, a further one is answered as if it did not want to wait.
    """
    if is_so():
        return True
    if not parts.waiting.acquire(blocking=False):
        return False
    machine = parts.services.machine
    until, pause = machine.monotonic() + seconds, threading.Event()
    try:
        while not is_so():
            left = until - machine.monotonic()
            if left <= 0:
                return False
            pause.wait(min(POLL, left))
        return True
    finally:
        parts.waiting.release()
