"""The access token request and its response (RFC 6749, sections 2.3.1, 4.4 and 5).

Token endpoints differ. What the standard leaves open or optional is accepted, with a note for
operators; a response that cannot be used is an error that says why.
"""

import base64
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import quote_plus, urlencode

import orjson

GRANT_LIMIT = 262_144  # bytes of a token endpoint's answer
USUAL_LIFETIME = 3600.0  # seconds, if the token endpoint does not say
DOUBTFUL_LIFETIME = 60.0  # seconds, if its expires_in is no valid number
# Section 5.2, and RFC 8707.
ERRORS = frozenset(
    {
        "invalid_request",
        "invalid_client",
        "invalid_grant",
        "unauthorized_client",
        "unsupported_grant_type",
        "invalid_scope",
        "invalid_target",
    }
)
SHOWN = 40  # characters of a value that cannot be used


@dataclass(frozen=True, slots=True)
class TokenTerms:
    """What a token endpoint expects: where the secret is sent, and further fields."""

    auth: Literal["form", "basic"] = "form"
    fields: tuple[tuple[str, str], ...] = ()


BY_FORM = TokenTerms()


@dataclass(frozen=True, slots=True)
class TokenGrant:
    """A token and for how many seconds it is valid; `notes` say what was unusual."""

    token: str
    expires_in: float
    notes: tuple[str, ...] = ()


class NoTokenError(Exception):
    """There is no token now; the text says why, and contains no secret.

    `code` is the token endpoint's error code, if it is one of the standard's.
    """

    def __init__(self, text: str, code: str | None = None) -> None:
        """Keep text and code."""
        super().__init__(text)
        self.code = code


def token_request(
    client_id: str, client_secret: str, terms: TokenTerms
) -> tuple[dict[str, str], bytes]:
    """Return headers and body of the request for a token (section 4.4)."""
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
    form = [("grant_type", "client_credentials")]
    if terms.auth == "basic":
        # Both are encoded before they are joined: section 2.3.1.
        named = f"{quote_plus(client_id)}:{quote_plus(client_secret)}".encode()
        headers["Authorization"] = f"Basic {base64.b64encode(named).decode()}"
    else:
        form += [("client_id", client_id), ("client_secret", client_secret)]
    return headers, urlencode([*form, *terms.fields]).encode()


def read_grant(status: int, body: bytes) -> TokenGrant:
    """Parse a token endpoint's response (section 5); raises NoTokenError."""
    document = _document(body)
    if not 200 <= status < 300:
        code = document.get("error") if document else None
        known = code if isinstance(code, str) and code in ERRORS else None
        raise NoTokenError(f"token endpoint: {status} {known or ''}".rstrip(), known)
    if document is None:
        raise NoTokenError(f"token endpoint: no token in its answer ({_what(body)})")
    token = document.get("access_token")
    if not isinstance(token, str) or not (token and token.isascii() and token.isprintable()):
        what = "it has no access_token" if token is None else "its access_token is no such text"
        raise NoTokenError(f"token endpoint: no token in its answer ({what})")
    _check_type(document.get("token_type", "Bearer"))
    lifetime, notes = _lifetime(document.get("expires_in"))
    return TokenGrant(token, lifetime, notes)


def _document(body: bytes) -> Mapping[str, Any] | None:
    try:
        document = orjson.loads(body.removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError:
        return None
    return document if isinstance(document, dict) else None


def _what(body: bytes) -> str:
    if len(body) >= GRANT_LIMIT:
        return f"it is longer than {GRANT_LIMIT} bytes"
    return "it is no JSON object" if body.strip() else "it is empty"


def _check_type(kind: object) -> None:
    """Accept only bearer tokens, in upper or lower case (section 5.1)."""
    if not isinstance(kind, str) or kind.strip().lower() != "bearer":
        named = kind[:SHOWN] if isinstance(kind, str) and kind.isprintable() else "no text"
        raise NoTokenError(f"token endpoint: its token_type is {named}, expected Bearer")


def _lifetime(said: object) -> tuple[float, tuple[str, ...]]:
    """Return how many seconds to use a token, and a note if that is our own assumption."""
    if said is None:
        return USUAL_LIFETIME, (f"it does not say for how long: {USUAL_LIFETIME:.0f} s are taken",)
    try:
        seconds = math.nan if isinstance(said, bool) else float(said)  # type: ignore[arg-type]
    except (ValueError, TypeError):
        seconds = math.nan
    if math.isfinite(seconds) and seconds > 0:
        return seconds, ("expires_in is a text",) if isinstance(said, str) else ()
    note = f"its expires_in is no number of seconds: {DOUBTFUL_LIFETIME:.0f} s are taken"
    return DOUBTFUL_LIFETIME, (note,)
