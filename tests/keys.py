"""One signing key for all tests that need one: making it takes a while."""

from collections.abc import Sequence
from functools import cache

from supplier_api.auth import Key, new_key


@cache
def signing_key() -> Key:
    """Return the key, made at the first call."""
    return new_key()


class StoredKeys:
    """Keys kept in a list, which a test may change as another process would."""

    def __init__(self, *keys: Key) -> None:
        """Begin with `keys`, or with the one for all tests."""
        self.stored = list(keys) or [signing_key()]
        self.looked_at = 0

    def all(self) -> Sequence[Key]:
        """Return the keys and count the look."""
        self.looked_at += 1
        return list(self.stored)
