"""The RSA keys that tokens are signed with."""

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from threading import Lock
from typing import Any, Protocol

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from jwt.algorithms import RSAAlgorithm
from jwt.utils import base64url_encode

from supplier_api.clock import MachineClock

KEY_BITS = 2048
PUBLIC_EXPONENT = 65537
# The shortest time, in seconds, between two reads of the stored keys for unknown key ids.
RELOAD_PAUSE = 5.0


class Key(Protocol):
    """A stored key."""

    @property
    def kid(self) -> str:
        """The key id that tokens carry."""

    @property
    def private_pem(self) -> str:
        """The private key in PEM (PKCS #8)."""


class Keys(Protocol):
    """The store of the keys, shared by all processes."""

    def all(self) -> Sequence[Key]:
        """Return all keys, at least one; the last one signs."""


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key that was just generated."""

    kid: str
    private_pem: str


@dataclass(frozen=True, slots=True)
class _Pair:
    kid: str
    private: RSAPrivateKey
    # The HMAC key of `seal`.
    seal: bytes


def new_key() -> NewKey:
    """Generate an RSA key; its id is the thumbprint of the public key (RFC 7638)."""
    private = generate_private_key(PUBLIC_EXPONENT, KEY_BITS)
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public = RSAAlgorithm.to_jwk(private.public_key(), as_dict=True)
    members = {name: public[name] for name in ("e", "kty", "n")}
    canonical = json.dumps(members, sort_keys=True, separators=(",", ":"))
    thumbprint = hashlib.sha256(canonical.encode()).digest()
    return NewKey(base64url_encode(thumbprint).decode(), pem.decode())


class KeyRing:
    """The keys of one process: read once, and again when a token carries an unknown key id."""

    def __init__(self, keys: Keys, clock: MachineClock) -> None:
        """Read from `keys` when first needed."""
        self._keys = keys
        self._clock = clock
        self._lock = Lock()
        self._pairs: Mapping[str, _Pair] = {}
        self._read_at: float | None = None

    def sign(self, claims: Mapping[str, Any], sealed: Mapping[str, str] | None = None) -> str:
        """Return a JWT (RS256) over `claims`, signed with the newest key.

        Each text in `sealed` becomes a claim of that name with its digest, as `seal` returns it.
        """
        newest = list(self._known().values())[-1]
        header = {"kid": newest.kid, "typ": "at+jwt"}
        digests = {name: _digest(newest, text) for name, text in (sealed or {}).items()}
        return jwt.encode({**claims, **digests}, newest.private, algorithm="RS256", headers=header)

    def seal(self, kid: str, text: str) -> str:
        """Return the HMAC of a text under the key `kid`; empty if the key is unknown."""
        pair = self._known().get(kid)
        return _digest(pair, text) if pair else ""

    def public(self, kid: str) -> Any:
        """Return the public key `kid`, or None if there is no such key."""
        pair = self._known().get(kid) or self._known(again=True).get(kid)
        return pair and pair.private.public_key()

    def jwks(self) -> dict[str, Any]:
        """Return the public keys as a JSON Web Key Set (RFC 7517)."""
        return {
            "keys": [
                {
                    **RSAAlgorithm.to_jwk(pair.private.public_key(), as_dict=True),
                    "kid": pair.kid,
                    "alg": "RS256",
                    "use": "sig",
                }
                for pair in self._known(again=True).values()
            ]
        }

    def _known(self, *, again: bool = False) -> Mapping[str, _Pair]:
        if self._pairs and not again:
            # No lock: a thread that needs no reload must not wait for one that reads.
            return self._pairs
        with self._lock:
            now = self._clock.monotonic()
            unread = self._read_at is None
            if unread or (again and now - (self._read_at or 0.0) >= RELOAD_PAUSE):
                self._pairs = {key.kid: _load(key.kid, key.private_pem) for key in self._keys.all()}
                self._read_at = now
            return self._pairs


@lru_cache(maxsize=16)
def _load(kid: str, private_pem: str) -> _Pair:
    """Load a key; cached, since OpenSSL takes a tenth of a second to check its primes."""
    private = load_pem_private_key(private_pem.encode(), password=None)
    if not isinstance(private, RSAPrivateKey):
        raise TypeError(f"signing key {kid} is no RSA key")
    return _Pair(kid, private, hashlib.sha256(private_pem.encode()).digest())


def _digest(pair: _Pair, text: str) -> str:
    return hmac.new(pair.seal, text.encode(), hashlib.sha256).hexdigest()
