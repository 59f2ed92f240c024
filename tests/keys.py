"""One signing key for all tests that need one: making it takes a while."""

from collections.abc import Sequence
from functools import cache

from supplier_api.auth import SigningKey, new_key
from supplier_api.clock import ManualMachineClock


@cache
def signing_key() -> SigningKey:
    """Return the key, made at the first call."""
    return new_key(ManualMachineClock().now())


class StoredKeys:
    """Keys kept in a list, which a test may change as another process would."""

    def __init__(self, *keys: SigningKey) -> None:
        """Begin with `keys`, or with the one for all tests."""
        self.stored = list(keys) or [signing_key()]
        self.looked_at = 0

    def all(self) -> Sequence[SigningKey]:
        """Return the keys and count the look."""
        self.looked_at += 1
        return list(self.stored)
