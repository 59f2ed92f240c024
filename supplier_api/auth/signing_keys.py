"""The RSA keys that tokens are signed with, and where they are stored."""

import hashlib
import hmac
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from threading import Lock
from typing import Any

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
from sqlalchemy import func, insert, select

from supplier_api.clock import MachineClock
from supplier_api.db import Store
from supplier_api.db.compiled_statements import UnitOfWork
from supplier_api.db.tables import signing_key

KEY_BITS = 2048
PUBLIC_EXPONENT = 65537
# The shortest time, in seconds, between two reads of the stored keys for unknown key ids.
RELOAD_PAUSE = 5.0
# Held while the first key is stored.
_LOCK = 0x51604E
_t = signing_key.c


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key in PEM (PKCS #8), with the key id that tokens carry."""

    kid: str
    private_pem: str
    created: datetime


@dataclass(frozen=True, slots=True)
class _Pair:
    kid: str
    private: RSAPrivateKey
    # The HMAC key of `seal`.
    seal: bytes


def new_key(created: datetime) -> SigningKey:
    """Generate an RSA key; its id is the thumbprint of the public key (RFC 7638)."""
    private = generate_private_key(PUBLIC_EXPONENT, KEY_BITS)
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public = RSAAlgorithm.to_jwk(private.public_key(), as_dict=True)
    members = {name: public[name] for name in ("e", "kty", "n")}
    canonical = json.dumps(members, sort_keys=True, separators=(",", ":"))
    thumbprint = hashlib.sha256(canonical.encode()).digest()
    return SigningKey(base64url_encode(thumbprint).decode(), pem.decode(), created)


class SigningKeyRepository:
    """Reads and writes keys within one transaction."""

    def __init__(self, uow: UnitOfWork) -> None:
        """Use the connection of `uow`."""
        self._connection = uow.connection

    def add_first(self, key: SigningKey) -> None:
        """Store a key unless one exists; of several processes that start at once, one does."""
        if self._connection.dialect.name == "postgresql":
            self._connection.execute(select(func.pg_advisory_xact_lock(_LOCK)))
        if not self.all():
            values = {name: getattr(key, name) for name in SigningKey.__slots__}
            self._connection.execute(insert(signing_key), values)

    def all(self) -> list[SigningKey]:
        """Return the keys, the oldest first."""
        query = select(_t.kid, _t.private_pem, _t.created).order_by(_t.created, _t.kid)
        return [SigningKey(*row) for row in self._connection.execute(query)]


def stored_keys(store: Store, machine: MachineClock) -> Sequence[SigningKey]:
    """Return the keys in the database, the one to sign with last; the first is made if need be.

    All processes share them, so that a token holds at every one.
    """
    keys = store.read(lambda uow: SigningKeyRepository(uow).all())
    if keys:
        return keys
    first = new_key(machine.now())
    store.write(lambda uow: SigningKeyRepository(uow).add_first(first))
    return store.read(lambda uow: SigningKeyRepository(uow).all())


def session_secret(store: Store, machine: MachineClock) -> bytes:
    """Return the secret by which all processes of an installation sign their cookies.

    It is derived from the oldest key (HMAC-SHA256), so that it is the same after a restart and for
    as long as that key is kept.
    """
    oldest = stored_keys(store, machine)[0]
    return hmac.digest(oldest.private_pem.encode(), b"console cookies", "sha256")


class KeyRing:
    """The keys of one process: read once, and again when a token carries an unknown key id."""

    def __init__(self, read_keys: Callable[[], Sequence[SigningKey]], clock: MachineClock) -> None:
        """Read by `read_keys` when first needed: at least one key, and the last one signs."""
        self._read_keys = read_keys
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
                read = self._read_keys()
                self._pairs = {key.kid: _load(key.kid, key.private_pem) for key in read}
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
