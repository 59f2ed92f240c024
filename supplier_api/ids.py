"""The one source of ids, references and jitter, passed in beside the clocks.

It is told for which tenant, and what for. A repeatable source works its answer out from that, so
that it is the same whichever process asks first; the system's own source needs neither.
"""

import hashlib
import os
import random
from typing import Protocol
from uuid import UUID

# No I, L, O, U: a reference is read out over the telephone (Crockford's base 32).
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
REFERENCE_LENGTH = 10


class Chance(Protocol):
    """Where everything that must not be predicted, or must be repeatable, comes from.

    `what` names the thing that is being made, in values that do not change between two runs.
    Without it the source's next value comes.
    """

    def uuid(self, tenant: str, *what: object) -> UUID:
        """Return a UUID for something of `tenant`."""

    def message_id(self, tenant: str, *what: object) -> UUID:
        """Return the UUID of a message of `tenant`, one of very many that are stored."""

    def reference(self, tenant: str, prefix: str, *what: object) -> str:
        """Return a reference: `prefix` and ten characters of Crockford's base 32."""

    def jitter(self, share: float) -> float:
        """Return a number from 0 to `share`."""


class SystemChance:
    """Unpredictable values from the operating system, a new one at every call."""

    def uuid(self, tenant: str, *what: object) -> UUID:  # noqa: ARG002 - one source for everything
        """Return a random UUID (RFC 9562, version 4), which shares nothing with any other."""
        return UUID(bytes=_own.take(), version=4)

    def message_id(self, tenant: str, *what: object) -> UUID:  # noqa: ARG002
        """Return a random UUID (RFC 9562, version 4); those made one after the other are alike.

        They share their first 48 bits for a while: an index of many of them keeps new ones together
        that way, as those of version 7 would be. Some receivers know no version above 5. So no
        secret is one, and nothing short is made of its beginning.
        """
        return UUID(bytes=_alike.take(), version=4)

    def reference(self, tenant: str, prefix: str, *what: object) -> str:  # noqa: ARG002
        """Return `prefix` and 50 random bits."""
        return prefix + _written(int.from_bytes(_own.take(), "big"))

    def jitter(self, share: float) -> float:
        """Return a random share."""
        return random.uniform(0, share)  # noqa: S311 - spreads retries, guards nothing


class SeededChance:
    """The same values for the same seed; each tenant has its own."""

    def __init__(self, seed: int) -> None:
        """Work everything out from `seed`."""
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


LENGTH = 16  # bytes of a UUID
SHARED = 6  # of them, those that one shares with others of its block
BLOCK = 256


class _RandomBytes:
    """Gives 16 bytes at a time that were not given before, of which some are shared by many.

    Fetched many at a time: each question to the system lets other threads run before this one goes
    on.
    """

    def __init__(self, shared: int) -> None:
        self._shared = shared
        self._ready: list[bytes] = []
        os.register_at_fork(after_in_child=self._ready.clear)

    def take(self) -> bytes:
        try:
            return self._ready.pop()
        except IndexError:
            own = LENGTH - self._shared
            shared, fresh = os.urandom(self._shared), os.urandom(own * BLOCK)
            self._ready.extend(shared + fresh[at : at + own] for at in range(0, len(fresh), own))
            return self.take()


_own = _RandomBytes(0)
_alike = _RandomBytes(SHARED)


def _written(bits: int) -> str:
    """Write the lowest 50 bits of a number in Crockford's base 32, its lowest digit first."""
    return "".join([ALPHABET[bits >> 5 * place & 31] for place in range(REFERENCE_LENGTH)])
