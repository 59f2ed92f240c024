"""What of a call may be kept: secrets are masked, long bodies cut."""

import re
from collections.abc import Iterable

MASK = "***"
SECRET_HEADERS = frozenset({"authorization", "cookie", "set-cookie", "proxy-authorization"})
_SECRET_IN_JSON = re.compile(r'("(?:access_token|client_secret|refresh_token)"\s*:\s*")[^"]*')
_SECRET_IN_FORM = re.compile(r"((?:^|&)(?:client_secret|assertion)=)[^&]*")


def headers_of(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return headers by name, those that hold secrets masked but for their scheme."""
    kept: dict[str, str] = {}
    for name, value in pairs:
        shown = _masked(value) if name.lower() in SECRET_HEADERS else value
        kept[name] = f"{kept[name]}, {shown}" if name in kept else shown
    return kept


def text_of(body: bytes, limit: int) -> str:
    """Return the beginning of a body as text, whatever its bytes are, without its secrets."""
    text = body[:limit].decode("utf-8", errors="backslashreplace")
    for secret in (_SECRET_IN_JSON, _SECRET_IN_FORM):
        text = secret.sub(rf"\1{MASK}", text)
    return text if len(body) <= limit else f"{text}... ({len(body)} bytes)"


def _masked(value: str) -> str:
    scheme, space, _ = value.partition(" ")
    return f"{scheme} {MASK}" if space else MASK
