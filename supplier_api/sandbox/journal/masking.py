"""What of a call is kept: no secrets, and of a long body its beginning."""

import re
from collections.abc import Iterable

BODY_KEPT = 65_536  # bytes
MASK = "***"
_SECRET_HEADERS = frozenset({"authorization", "cookie", "proxy-authorization", "set-cookie"})
# A call is dated in business time; the real one would tell apart two runs that are the same.
_LEFT_OUT = frozenset({"date"})
_SCHEME = re.compile(r"(Basic|Bearer|Digest|DPoP) .*", re.IGNORECASE | re.DOTALL)
_NAMES = "access_token|refresh_token|id_token|client_secret|client_assertion|password"
_IN_JSON = re.compile(rf'("(?:{_NAMES})"\s*:\s*")(?:[^"\\]|\\.)*')
_IN_FORM = re.compile(rf"((?:^|[?&])(?:{_NAMES})=)[^&\s]*")


def headers_of(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return headers by name; of one that holds a secret only the scheme is left."""
    kept: dict[str, str] = {}
    for name, value in pairs:
        if name.lower() not in _LEFT_OUT:
            shown = _masked(value) if name.lower() in _SECRET_HEADERS else value
            kept[name] = f"{kept[name]}, {shown}" if name in kept else shown
    return kept


def text_of(body: bytes) -> str:
    """Return the beginning of a body as text, whatever its bytes are, without its secrets."""
    return without_secrets(body[:BODY_KEPT].decode("utf-8", errors="backslashreplace"))


def without_secrets(text: str) -> str:
    """Return a body or a URL with its tokens, secrets and passwords masked."""
    for secret in (_IN_JSON, _IN_FORM):
        text = secret.sub(rf"\1{MASK}", text)
    return text


def _masked(value: str) -> str:
    scheme = _SCHEME.fullmatch(value)
    return f"{scheme[1]} {MASK}" if scheme else MASK
