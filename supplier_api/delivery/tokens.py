"""The access token that the gateway gives us: fetched once, shared by all threads.

Plain requests and no OAuth2 library: it is one POST (RFC 6749, section 4.4), and the libraries at
hand read the host's clock instead of being given one.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace

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


@dataclass(frozen=True, slots=True)
class _Held:
    """The current token with its times, in monotonic seconds: one value, replaced whole.

    It is read without a lock; a token must never be seen with the times of another.
    """

    token: str
    ends: float
    early_from: float


class Tokens:
    """The current token."""

    def __init__(self, fetch: Callable[[float], Grant], clock: MachineClock) -> None:
        """Share what `fetch` gets within the seconds given to it; it may raise NoTokenError."""
        self._fetch = fetch
        self._clock = clock
        self._fetching = threading.Lock()
        self._held: _Held | None = None

    def current(self, patience: float) -> str:
        """Return a token that holds, waiting at most `patience` seconds for it.

        Shortly before the token ends one thread replaces it, while the others go on using it.
        Raises NoTokenError.
        """
        held, now = self._held, self._clock.monotonic()
        if held is None or now >= held.ends:
            return self._replace(held, patience)
        if now >= held.early_from and self._fetching.acquire(blocking=False):
            try:
                return self._replace_early(held, patience)
            finally:
                self._fetching.release()
        return held.token

    def instead_of(self, refused: str, patience: float) -> str:
        """Return a token that is not `refused`; fetched only if that is still the current one."""
        held = self._held
        if held is not None and held.token != refused:
            return self.current(patience)
        return self._replace(held, patience)

    def _replace(self, seen: _Held | None, patience: float) -> str:
        """Fetch a new token, unless another thread has done so since `seen` was current."""
        if not self._fetching.acquire(timeout=patience):
            raise NoTokenError("another thread waits for the token endpoint")
        try:
            held = self._held
            if held is not None and not _same(held, seen):
                return held.token
            return self._store(self._fetch(patience))
        finally:
            self._fetching.release()

    def _replace_early(self, seen: _Held, patience: float) -> str:
        """Fetch a new token in good time; the one that still serves is returned if that fails."""
        held = self._held
        if held is not seen and held is not None:
            return held.token
        try:
            return self._store(self._fetch(patience))
        except NoTokenError:
            self._held = replace(seen, early_from=self._clock.monotonic() + EARLY_PAUSE)
            return seen.token

    def _store(self, grant: Grant) -> str:
        ends = self._clock.monotonic() + grant.expires_in
        self._held = _Held(grant.token, ends, ends - min(EARLY, grant.expires_in / 10))
        return grant.token


def _same(held: _Held, seen: _Held | None) -> bool:
    """Tell whether both are of one grant, whenever its replacement is tried next."""
    return seen is not None and (held.token, held.ends) == (seen.token, seen.ends)
