"""The access token that the gateway issues to us: fetched once, shared by all threads.

Plain requests and no OAuth2 library: it is one POST (RFC 6749, section 4.4), and the available
libraries read the host's clock instead of being given one.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass

from supplier_api.clock import MachineClock
from supplier_api.http_client.grants import NoTokenError, TokenGrant

EARLY = 60.0  # seconds before its end in which a token is replaced while the old one still serves
EARLY_PAUSE = 10.0  # seconds between two attempts to do so


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
