"""The one source of ids, references and jitter, passed in beside the clocks.

Callers name the tenant and the object. A repeatable source derives its value from these, so that it
is the same whichever process asks first; the system's source ignores them.
"""

import hashlib
import os
import random
import time
from typing import Protocol
from uuid import UUID, uuid4

# No I, L, O, U: a reference is read out over the telephone (Crockford's base 32).
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
REFERENCE_LENGTH = 10


class IdSource(Protocol):
    """The source of all values that must be unpredictable, or repeatable in tests.

    `what` identifies the object, by values that do not change between two runs. Without it the
    source returns its next value.
    """

    def uuid(self, tenant: str, *what: object) -> UUID:
        """Return a UUID for something of `tenant`."""

    def message_id(self, tenant: str, *what: object) -> UUID:
        """Return the UUID of a message of `tenant`, one of very many that are stored."""

    def reference(self, tenant: str, prefix: str, *what: object) -> str:
        """Return a reference: `prefix` and ten characters of Crockford's base 32."""

    def jitter(self, share: float) -> float:
        """Return a number from 0 to `share`."""


class SystemIdSource:
    """Unpredictable values from the operating system, a new one at every call."""

    def uuid(self, tenant: str, *what: object) -> UUID:  # noqa: ARG002 - one source for everything
        """Return a random UUID (RFC 9562, version 4), independent of all others."""
        return uuid4()

    def message_id(self, tenant: str, *what: object) -> UUID:  # noqa: ARG002
        """Return a UUID in the form of version 4 (RFC 9562); those of one second begin alike.

        Their first 48 bits are the time, which keeps new entries of a large index together, as
        version 7 would; some receivers know no version above 5. So it must not be used as a secret,
        nor shortened to its beginning.
        """
        return UUID(bytes=int(time.time()).to_bytes(6, "big") + os.urandom(10), version=4)

    def reference(self, tenant: str, prefix: str, *what: object) -> str:  # noqa: ARG002
        """Return `prefix` and 50 random bits."""
        return prefix + _written(int.from_bytes(os.urandom(7), "big"))

    def jitter(self, share: float) -> float:
        """Return a random share."""
        return random.uniform(0, share)  # noqa: S311 - spreads retries, guards nothing


class SeededIdSource:
    """The same values for the same seed; each tenant has its own."""

    def __init__(self, seed: int) -> None:
        """Derive all values from `seed`."""
        self._seed = seed
        self._sources: dict[str, random.Random] = {}

    def uuid(self, tenant: str, *what: object) -> UUID:
        """Return the tenant's UUID for `what`."""
        return UUID(int=self._bits(tenant, 128, "uuid", *what), version=4)

    def message_id(self, tenant: str, *what: object) -> UUID:
        """Return the tenant's UUID for `what`."""
        return self.uuid(tenant, *what)

    def reference(self, tenant: str, prefix: str, *what: object) -> str:
        """Return `prefix` and the tenant's ten characters for `what`."""
        bits = self._bits(tenant, 5 * REFERENCE_LENGTH, "reference", *what)
        return prefix + _written(bits)

    def jitter(self, share: float) -> float:
        """Return the next number of a sequence of its own."""
        return self._source("").uniform(0, share)

    def _bits(self, tenant: str, count: int, kind: str, *what: object) -> int:
        if not what:
            return self._source(tenant).getrandbits(count)
        name = "/".join(map(str, (self._seed, tenant, kind, *what)))
        digest = hashlib.sha256(name.encode()).digest()
        return int.from_bytes(digest, "big") >> (8 * len(digest) - count)

    def _source(self, tenant: str) -> random.Random:
        # A string seed is hashed by value: the same in every process.
        return self._sources.setdefault(tenant, random.Random(f"{self._seed}/{tenant}"))  # noqa: S311


def _written(bits: int) -> str:
    """Write the lowest 50 bits of a number in Crockford's base 32, its lowest digit first."""
    return "".join([ALPHABET[bits >> 5 * place & 31] for place in range(REFERENCE_LENGTH)])
