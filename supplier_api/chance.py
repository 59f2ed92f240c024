"""The one source of ids, references and jitter, passed in beside the clocks.

Asked for a tenant, so that a sandbox can give each tenant its own repeatable sequence.
"""

import random
import secrets
from typing import Protocol
from uuid import UUID, uuid4

# No I, L, O, U: a reference is read out over the telephone (Crockford's base 32).
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
REFERENCE_LENGTH = 10


class Chance(Protocol):
    """Where everything that must not be predicted, or must be repeatable, comes from."""

    def uuid(self, tenant: str) -> UUID:
        """Return a new UUID for something of `tenant`."""

    def reference(self, tenant: str, prefix: str) -> str:
        """Return a new reference: `prefix` and ten characters of Crockford's base 32."""

    def jitter(self, share: float) -> float:
        """Return a number from 0 to `share`."""


class SystemChance:
    """Unpredictable ids from the operating system."""

    def uuid(self, tenant: str) -> UUID:  # noqa: ARG002 - one source for every tenant
        """Return a random UUID (RFC 9562, version 4)."""
        return uuid4()

    def reference(self, tenant: str, prefix: str) -> str:  # noqa: ARG002
        """Return `prefix` and 50 random bits."""
        return prefix + "".join(secrets.choice(ALPHABET) for _ in range(REFERENCE_LENGTH))

    def jitter(self, share: float) -> float:
        """Return a random share."""
        return random.uniform(0, share)  # noqa: S311 - spreads retries, guards nothing


class SeededChance:
    """The same sequence for the same seed, each tenant its own."""

    def __init__(self, seed: int) -> None:
        """Start every tenant's sequence from `seed`."""
        self._seed = seed
        self._sources: dict[str, random.Random] = {}

    def _source(self, tenant: str) -> random.Random:
        # A string seed is hashed by value: the same in every process.
        return self._sources.setdefault(tenant, random.Random(f"{self._seed}/{tenant}"))  # noqa: S311

    def uuid(self, tenant: str) -> UUID:
        """Return the tenant's next UUID."""
        return UUID(int=self._source(tenant).getrandbits(128), version=4)

    def reference(self, tenant: str, prefix: str) -> str:
        """Return `prefix` and the tenant's next ten characters."""
        return prefix + "".join(self._source(tenant).choices(ALPHABET, k=REFERENCE_LENGTH))

    def jitter(self, share: float) -> float:
        """Return the next number of the shared sequence."""
        return self._source("").uniform(0, share)
