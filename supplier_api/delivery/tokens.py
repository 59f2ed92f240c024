"""The access token that the gateway gives us: fetched once, shared by all threads.

Plain requests and no OAuth2 library: it is one POST (RFC 6749, section 4.4), and the libraries at
hand read the host's clock instead of being given one.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass

from supplier_api.clock import MachineClock

EARLY = 60.0  # seconds before its end in which a token is replaced while the old one still serves
EARLY_PAUSE = 10.0  # seconds between two attempts to do so


class NoTokenError(Exception):
    """There is no token now; the text says why, and names no secret."""


@dataclass(frozen=True, slots=True)
class Grant:
    """A token and for how many seconds it holds."""

    token: str
    expires_in: float


class Tokens:
    """The current token."""

    def __init__(self, fetch: Callable[[float], Grant], clock: MachineClock) -> None:
        """Share what `fetch` gets within the seconds given to it; it may raise NoTokenError."""
        self._fetch = fetch
        self._clock = clock
        self._fetching = threading.Lock()
        self._grant: Grant | None = None
        self._ends = 0.0
        self._early_from = 0.0

    def current(self, patience: float) -> str:
        """Return a token that holds, waiting at most `patience` seconds for it.

        Shortly before the token ends one thread replaces it, while the others go on using it.
        Raises NoTokenError.
        """
        grant, now = self._grant, self._clock.monotonic()
        if grant is None or now >= self._ends:
            return self._replace(grant, patience)
        if now >= self._early_from and self._fetching.acquire(blocking=False):
            try:
                return self._store(self._fetch(patience))
            except NoTokenError:
                self._early_from = self._clock.monotonic() + EARLY_PAUSE
            finally:
                self._fetching.release()
        return grant.token

    def instead_of(self, refused: str, patience: float) -> str:
        """Return a token that is not `refused`; fetched only if that is still the current one."""
        grant = self._grant
        if grant is not None and grant.token != refused:
            return self.current(patience)
        return self._replace(grant, patience)

    def _replace(self, seen: Grant | None, patience: float) -> str:
        """Fetch a new token, unless another thread has done so since `seen` was current."""
        if not self._fetching.acquire(timeout=patience):
            raise NoTokenError("another thread waits for the token endpoint")
        try:
            if self._grant is not None and self._grant is not seen:
                return self._grant.token
            return self._store(self._fetch(patience))
        finally:
            self._fetching.release()

    def _store(self, grant: Grant) -> str:
        self._ends = self._clock.monotonic() + grant.expires_in
        self._early_from = self._ends - min(EARLY, grant.expires_in / 10)
        self._grant = grant
        return grant.token
