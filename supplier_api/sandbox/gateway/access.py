"""Who calls: clients and their secrets, and the tokens they get for them (RFC 6749, RFC 6750).

A token is good as long as its party is what it was: one that is removed from the settings, or has
another id or secret, opens nothing once the gateway has started with the new settings.
"""

import hashlib
import hmac
import secrets
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

import jwt

from supplier_api.http_client.tokens import TokenGrant
from supplier_api.ids import IdSource
from supplier_api.sandbox.gateway.config import AdminAccount, SupplierAccount, TenantAccount
from supplier_api.sandbox.gateway.database import keep_value, value
from supplier_api.sandbox.gateway.repository import GatewayServices, Records

ISSUER = "sandbox-gateway"
ALGORITHM = "HS256"
# Seconds by which the clock that a token was made with may have been ahead of ours.
LEEWAY = 5
LATEST = 1e11  # seconds since 1970; what is no number, or no time, is not below it
# A claim of ours: a digest of the party's id and secret, under a key that only we have.
SEAL = "client_seal"
KEY_NAME = "token_key"
KEY_BYTES = 32


class Side(StrEnum):
    """Which of the gateway's faces a token opens."""

    TENANT = "tenant"
    SUPPLIER = "supplier"
    ADMIN = "admin"


class BadToken(Exception):
    """No token of ours, or one that has ended."""


class WrongSide(Exception):
    """A good token, but for another of the gateway's faces."""


Party = TenantAccount | SupplierAccount | AdminAccount


class PartyAuth:
    """Issues tokens and finds whose they are. Their key is stored, so they outlive a restart."""

    def __init__(self, services: GatewayServices, id_source: IdSource) -> None:
        """Know the parties of the configuration."""
        config = services.config
        sides: Mapping[Side, Sequence[Party]] = {
            Side.TENANT: config.tenants,
            Side.SUPPLIER: config.suppliers,
            Side.ADMIN: config.admins,
        }
        self._parties = {
            side: {party.name: party for party in parties} for side, parties in sides.items()
        }
        self._lifetime = config.token_lifetime
        self._machine = services.machine
        self._id_source = id_source
        self._key = services.write(_token_key)

    def grant(self, side: Side, client_id: str, client_secret: str) -> TokenGrant | None:
        """Return a token for the client, or None when there is no such client or secret."""
        for party in self._parties[side].values():
            known = hmac.compare_digest(party.client_id.encode(), client_id.encode())
            proven = hmac.compare_digest(party.client_secret.encode(), client_secret.encode())
            if known and proven:
                return TokenGrant(self._issue(side, party), self._lifetime)
        return None

    def party(self, side: Side, token: str) -> Party:
        """Return who holds the token. Raises BadToken or WrongSide."""
        try:
            # The times are checked here: pyjwt knows no clock but the host's.
            claims: dict[str, Any] = jwt.decode(
                token,
                self._key,
                algorithms=[ALGORITHM],
                issuer=ISSUER,
                options={
                    "require": ["exp", "iat", "aud", "sub", SEAL],
                    "verify_exp": False,
                    "verify_iat": False,
                    "verify_nbf": False,
                    "verify_aud": False,
                },
            )
        except jwt.InvalidTokenError:
            raise BadToken from None
        self._check_times(claims)
        party = self._parties.get(claims["aud"], {}).get(claims["sub"])
        seal = self._seal(party) if party else ""
        if party is None or not hmac.compare_digest(str(claims[SEAL]).encode(), seal.encode()):
            raise BadToken
        if claims["aud"] != side:
            raise WrongSide
        return party

    def _check_times(self, claims: dict[str, Any]) -> None:
        now = self._machine.now().timestamp()
        times = {name: claims[name] for name in ("exp", "iat", "nbf") if name in claims}
        if not all(_is_time(value) for value in times.values()):
            raise BadToken
        if min(times["exp"], times["iat"] + self._lifetime) <= now:
            raise BadToken
        if max(times["iat"], times.get("nbf", 0)) > now + LEEWAY:
            raise BadToken

    def _seal(self, party: Party) -> str:
        """Return a digest of a party's id and secret, under a key that only we have."""
        text = f"{party.client_id}\0{party.client_secret}"
        return hmac.new(self._key.encode(), text.encode(), hashlib.sha256).hexdigest()

    def _issue(self, side: Side, party: Party) -> str:
        issued = int(self._machine.now().timestamp())
        claims = {
            "iss": ISSUER,
            "aud": side.value,
            "scope": side.value,
            "sub": party.name,
            "iat": issued,
            "exp": issued + self._lifetime,
            "jti": str(self._id_source.uuid("")),
            SEAL: self._seal(party),
        }
        return jwt.encode(claims, self._key, algorithm=ALGORITHM)


def _is_time(value: object) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and abs(value) < LATEST  # type: ignore[arg-type]


def _token_key(records: Records) -> str:
    """Return the key that signs tokens, made at the first start."""
    key = value(records.connection, KEY_NAME)
    if key is None:
        # Not from the injected source of ids: that one may be made repeatable.
        key = secrets.token_hex(KEY_BYTES)
        keep_value(records.connection, KEY_NAME, key)
    return key
