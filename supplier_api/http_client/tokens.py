"""Access tokens that others issue to us: asked for (RFC 6749), read, and shared by all threads.

Token endpoints differ. What the standard leaves open or optional is accepted, with a note for
operators; a response that cannot be used is an error that says why.

Plain requests and no OAuth2 library: it is one POST (RFC 6749, section 4.4), and the available
libraries read the host's clock instead of being given one.
"""

import base64
import math
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol
from urllib.parse import quote_plus, urlencode

import orjson

from supplier_api.clock import MachineClock
from supplier_api.http_client.calls import (
    BYTE_ORDER_MARK,
    NETWORK_ERRORS,
    Observer,
    Post,
    error_cause,
    send,
)
from supplier_api.http_client.sessions import Sessions
from supplier_api.http_client.watchdog import Watchdog

TOKEN_SECONDS = 10.0  # for the whole call to the token endpoint
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
EARLY = 60.0  # seconds before its end in which a token is replaced while the old one still serves
EARLY_PAUSE = 10.0  # seconds between two attempts to do so


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
        document = orjson.loads(body.removeprefix(BYTE_ORDER_MARK))
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


class TokenClient(Protocol):
    """Our credentials at a token endpoint, and the request format it expects."""

    @property
    def token_url(self) -> str:
        """The endpoint's URL."""

    @property
    def client_id(self) -> str:
        """Our client id there."""

    @property
    def client_secret(self) -> str:
        """The client secret."""

    @property
    def token_terms(self) -> TokenTerms:
        """How the endpoint wants to be asked."""


def fetch_grant(
    client: TokenClient,
    sessions: Sessions,
    watchdog: Watchdog,
    patience: float,
    observer: Observer | None = None,
) -> TokenGrant:
    """Get a token (RFC 6749, section 4.4) within `patience` seconds; raises NoTokenError."""
    headers, body = token_request(client.client_id, client.client_secret, client.token_terms)
    post = Post(client.token_url, headers, body)
    # A limit of its own, so that a silent token endpoint leaves time to use the old token.
    with watchdog.limit(min(patience, TOKEN_SECONDS)) as call:
        try:
            answered = send(sessions, post, call, observer, GRANT_LIMIT)
        except NETWORK_ERRORS as error:
            raise NoTokenError(f"token endpoint: {error_cause(error, call)}") from error
    if not answered.complete:
        raise NoTokenError("token endpoint: its answer broke off")
    return read_grant(answered.status, answered.body)


@dataclass(frozen=True, slots=True)
class _Held:
    """The current token and its times on the monotonic clock; replaced as a whole."""

    token: str
    since: float
    early_from: float
    ends: float


class SharedToken:
    """The current token, shared by threads."""

    def __init__(self, fetch: Callable[[float], TokenGrant], clock: MachineClock) -> None:
        """Share what `fetch` returns within the seconds given to it; it may raise NoTokenError."""
        self._fetch = fetch
        self._clock = clock
        self._fetching = threading.Lock()
        self._held: _Held | None = None
        self._early_again = 0.0

    def current(self, patience: float) -> str:
        """Return a valid token, waiting at most `patience` seconds for it.

        Shortly before the token expires one thread replaces it, while the others go on using it.
        Raises NoTokenError.
        """
        held, now = self._held, self._clock.monotonic()
        if held is None or now >= held.ends:
            return self._replace(held, patience)
        early = now >= max(held.early_from, self._early_again)
        if early and self._fetching.acquire(blocking=False):
            try:
                return self._fetch_one(patience)
            except NoTokenError:
                self._early_again = self._clock.monotonic() + EARLY_PAUSE
            finally:
                self._fetching.release()
        return held.token

    def instead_of(self, refused: str, patience: float) -> str:
        """Return a token other than `refused`; fetch one only if that is still the current one."""
        held = self._held
        if held is not None and held.token != refused:
            return self.current(patience)
        return self._replace(held, patience)

    def is_older(self, token: str, moment: float) -> bool:
        """Return whether a token was fetched before a moment of the monotonic clock."""
        held = self._held
        return held is None or held.token != token or held.since < moment

    def _replace(self, seen: _Held | None, patience: float) -> str:
        """Fetch a new token, unless another thread has done so since `seen` was current."""
        if not self._fetching.acquire(timeout=patience):
            raise NoTokenError("another thread waits for the token endpoint")
        try:
            held = self._held
            if held is not None and held is not seen:
                return held.token
            return self._fetch_one(patience)
        finally:
            self._fetching.release()

    def _fetch_one(self, patience: float) -> str:
        asked = self._clock.monotonic()
        grant = self._fetch(patience)
        ends = asked + grant.expires_in
        early_from = ends - min(EARLY, grant.expires_in / 10)
        self._held = _Held(grant.token, self._clock.monotonic(), early_from, ends)
        return grant.token
