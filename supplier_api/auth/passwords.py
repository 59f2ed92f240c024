"""Passwords of people: which are taken, and how they are hashed and compared."""

import threading
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from secrets import token_urlsafe

from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError

# As NIST SP 800-63B has it: length is what counts, and no kind of character is asked for.
SHORTEST, LONGEST = 12, 1000
# Each hash takes 64 MiB while it is made.
AT_ONCE = 2
PATIENCE = 5.0  # seconds until one of these must be free


class PasswordsBusy(Exception):
    """Nothing was hashed: there is memory for few at once, and others had it all the time."""


class Passwords:
    """Hashes and compares passwords by argon2id, a few at a time (RFC 9106, low memory)."""

    def __init__(self) -> None:
        """Use the library's parameters; they are stored with each hash."""
        self._hasher = PasswordHasher()
        self._slots = threading.BoundedSemaphore(AT_ONCE)

    @contextmanager
    def slot(self) -> Iterator[None]:
        """Wait for memory to hash in, and hold it in the `with` block. Raises PasswordsBusy."""
        if not self._slots.acquire(timeout=PATIENCE):
            raise PasswordsBusy("password: too many are looked at just now; try again")
        try:
            yield
        finally:
            self._slots.release()

    def hash(self, password: str) -> str:
        """Return a new hash of a password, with parameters and salt."""
        return self._hasher.hash(_normal(password))

    def match(self, stored: str | None, password: str) -> bool:
        """Return whether `stored` is a hash of the password; never, if there is none.

        It takes as long without one, so that the time taken does not reveal which users exist.
        """
        dummy = self._dummy
        if len(password) > LONGEST:
            return False
        try:
            self._hasher.verify(stored or dummy, _normal(password))
        except VerifyMismatchError:
            return False
        return stored is not None

    def outdated(self, stored: str) -> bool:
        """Return whether a hash was made with other parameters than today's."""
        return self._hasher.check_needs_rehash(stored)

    @cached_property
    def _dummy(self) -> str:
        return self._hasher.hash(token_urlsafe())


def length_fault(password: str) -> str | None:
    """Return what is wrong with a new password's length, None if nothing is."""
    length = len(unicodedata.normalize("NFKC", password))
    if SHORTEST <= length <= LONGEST:
        return None
    return f"password: expected {SHORTEST} to {LONGEST:,} characters, not {length:,}"


def _normal(password: str) -> bytes:
    """Return the same bytes for a password, however a keyboard composes its letters."""
    return unicodedata.normalize("NFKC", password).encode("utf-8", "surrogatepass")
