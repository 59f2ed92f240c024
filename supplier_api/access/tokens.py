"""Access tokens: JWTs (RFC 9068) made and checked against our own clock."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jwt

from supplier_api.access.keys import KeyRing
from supplier_api.chance import Chance
from supplier_api.clock import MachineClock
from supplier_api.settings import Access

# Seconds by which an issuer's clock may be ahead of ours.
LEEWAY = 5
# Verified tokens that are remembered: a signature costs ten times the rest of a look at it.
REMEMBERED = 1024

# PyJWT can only compare with the clock of the host, so times are compared here.
_OPTIONS: Any = {
    "require": ["iss", "aud", "sub", "exp"],
    "verify_exp": False,
    "verify_iat": False,
    "verify_nbf": False,
}


class InvalidToken(Exception):
    """A token that opens nothing; the text says why and repeats nothing of it."""


@dataclass(frozen=True, slots=True)
class Token:
    """What a good token says: who has it, what for, and until when (seconds since 1970)."""

    client: str
    scopes: frozenset[str]
    expires: float


class Tokens:
    """Makes tokens and verifies them."""

    def __init__(self, access: Access, ring: KeyRing, clock: MachineClock, chance: Chance) -> None:
        """Sign and verify with the keys of `ring`."""
        self._access = access
        self._ring = ring
        self._clock = clock
        self._chance = chance
        self._verified: dict[str, Token] = {}

    def issue(self, client: str, scopes: frozenset[str]) -> str:
        """Return a token for `client` that is good for `scopes` and the configured time."""
        now = int(self._clock.now().timestamp())
        return self._ring.sign(
            {
                "iss": self._access.issuer,
                "aud": self._access.audience,
                "sub": client,
                "client_id": client,
                "scope": " ".join(sorted(scopes)),
                "iat": now,
                "exp": now + int(self._access.token_lifetime),
                "jti": str(self._chance.uuid("")),
            }
        )

    def verify(self, text: str) -> Token:
        """Return what a token says. Raises InvalidToken.

        Checked are signature, issuer, audience, expiry and start.
        """
        now = self._clock.now().timestamp()
        token = self._verified.get(text)
        if token is None:
            token = self._check(text, now)
            self._remember(text, token)
        if now >= token.expires:
            self._verified.pop(text, None)
            raise InvalidToken("the token has expired")
        return token

    def _check(self, text: str, now: float) -> Token:
        try:
            key = self._ring.public(str(jwt.get_unverified_header(text).get("kid")))
            if key is None:
                raise InvalidToken("the token is signed with an unknown key")
            claims = jwt.decode(
                text,
                key,
                algorithms=["RS256"],
                options=_OPTIONS,
                audience=self._access.audience,
                issuer=self._access.issuer,
            )
        except jwt.PyJWTError:
            raise InvalidToken("the token is not valid") from None
        if max(_seconds(claims, "nbf"), _seconds(claims, "iat")) > now + LEEWAY:
            raise InvalidToken("the token is not valid yet")
        scopes = frozenset(str(claims.get("scope", "")).split())
        return Token(claims["sub"], scopes, _seconds(claims, "exp"))

    def _remember(self, text: str, token: Token) -> None:
        if len(self._verified) >= REMEMBERED:
            self._verified = {}
        self._verified[text] = token


def _seconds(claims: Mapping[str, Any], name: str) -> float:
    """Return a time among the claims, 0 if it is not there. Raises InvalidToken."""
    value = claims.get(name, 0)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidToken("the token is not valid")
    return value
