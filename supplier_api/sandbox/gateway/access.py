"""Who calls: clients and their secrets, and the tokens they get for them (RFC 6749, RFC 6750).

A token is signed with a key that follows from its party's name, id and secret. So it is good as
long as its party is what it was: one that is removed from the settings, or has another id or
secret, opens nothing once the gateway has started with the new settings.
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

ALGORITHM = "HS256"
# Seconds by which the clock that a token was made with may have been ahead of ours.
LEEWAY = 5
KEY_NAME = "token_key"
KEY_BYTES = 32
# The times are checked here: pyjwt knows no clock but the host's.
_OPTIONS: Any = {"verify_exp": False, "verify_iat": False, "verify_aud": False}


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
        key = services.write(_token_key)
        self._parties = [
            (side, party, _key_of(key, side, party))
            for side, parties in sides.items()
            for party in parties
        ]
        self._lifetime = config.token_lifetime
        self._machine = services.machine
        self._id_source = id_source

    def grant(self, side: Side, client_id: str, client_secret: str) -> TokenGrant | None:
        """Return a token for the client, or None when there is no such client or secret."""
        for of, party, key in self._parties:
            known = hmac.compare_digest(party.client_id.encode(), client_id.encode())
            proven = hmac.compare_digest(party.client_secret.encode(), client_secret.encode())
            if of is side and known and proven:
                return TokenGrant(self._issue(side, party, key), self._lifetime)
        return None

    def party(self, side: Side, token: str) -> Party:
        """Return who holds the token. Raises BadToken or WrongSide."""
        for of, party, key in self._parties:
            if self._is_good(token, key):
                if of is not side:
                    raise WrongSide
                return party
        raise BadToken

    def _is_good(self, token: str, key: str) -> bool:
        """Tell whether a token was signed with this key, and is within its time."""
        try:
            claims = jwt.decode(token, key, algorithms=[ALGORITHM], options=_OPTIONS)
        except jwt.InvalidTokenError:
            return False
        issued, now = claims["iat"], self._machine.now().timestamp()
        ends = min(claims["exp"], issued + self._lifetime)
        return bool(issued <= now + LEEWAY and now < ends)

    def _issue(self, side: Side, party: Party, key: str) -> str:
        issued = int(self._machine.now().timestamp())
        claims = {
            "iss": "sandbox-gateway",
            "aud": side.value,
            "scope": side.value,
            "sub": party.name,
            "iat": issued,
            "exp": issued + self._lifetime,
            "jti": str(self._id_source.uuid("")),
        }
        return jwt.encode(claims, key, algorithm=ALGORITHM)


def _key_of(key: str, side: Side, party: Party) -> str:
    text = "\0".join((side, party.name, party.client_id, party.client_secret))
    return hmac.new(key.encode(), text.encode(), hashlib.sha256).hexdigest()


def _token_key(records: Records) -> str:
    """Return the key that the parties' keys follow from, made at the first start."""
    key = value(records.connection, KEY_NAME)
    if key is None:
        # Not from the injected source of ids: that one may be made repeatable.
        key = secrets.token_hex(KEY_BYTES)
        keep_value(records.connection, KEY_NAME, key)
    return key
