"""Access tokens: JWTs (RFC 9068) made and checked against our own clock.

A token is good as long as its client is what it was: one that is removed from the settings, or has
another secret, opens nothing from the moment at which a process starts with the new settings, and
no token opens more than its client may do there.
"""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jwt

from supplier_api.auth.signing_keys import KeyRing
from supplier_api.clock import MachineClock
from supplier_api.ids import Chance
from supplier_api.settings import AccessSettings

# Seconds by which an issuer's clock may be ahead of ours.
LEEWAY = 5
LATEST = 1e11  # seconds since 1970; what is no number, or no time, is not below it
# Verified tokens that are remembered: a signature costs ten times the rest of a look at it.
REMEMBERED = 1024

# Claims of ours: a digest of the client's id and secret, under a key that only we have.
SEAL = "client_seal"

# PyJWT can only compare with the clock of the host, so times are compared here.
_OPTIONS: Any = {
    "require": ["iss", "aud", "sub", "exp", "iat", SEAL],
    "verify_exp": False,
    "verify_iat": False,
    "verify_nbf": False,
}


class InvalidToken(Exception):
    """A token that opens nothing; the text says why and repeats nothing of it."""


@dataclass(frozen=True, slots=True)
class Token:
    """What a good token says: who has it, what for, from and until when (seconds since 1970)."""

    client: str
    scopes: frozenset[str]
    begins: float
    expires: float


class AccessTokens:
    """Makes tokens and verifies them."""

    def __init__(
        self, access: AccessSettings, ring: KeyRing, clock: MachineClock, chance: Chance
    ) -> None:
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
            },
            {SEAL: self._seal_text(client)},
        )

    def verify(self, text: str) -> Token:
        """Return what a token says. Raises InvalidToken.

        Checked are signature, issuer, audience, client, start and expiry; the last two at every
        use. No token is good for longer than the configured time, whatever it says itself.
        """
        now = self._clock.now().timestamp()
        token = self._verified.get(text)
        if token is None:
            token = self._check(text)
            self._remember(text, token)
        if token.begins > now + LEEWAY:
            raise InvalidToken("the token is not valid yet")
        if now >= token.expires:
            self._verified.pop(text, None)
            raise InvalidToken("the token has expired")
        return token

    def _check(self, text: str) -> Token:
        try:
            kid = str(jwt.get_unverified_header(text).get("kid"))
            key = self._ring.public(kid)
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
        issued = _seconds(claims, "iat")
        begins = max(issued, _seconds(claims, "nbf")) if "nbf" in claims else issued
        expires = min(_seconds(claims, "exp"), issued + int(self._access.token_lifetime))
        scopes = frozenset(str(claims.get("scope", "")).split())
        return Token(claims["sub"], scopes & self._allowed(claims, kid), begins, expires)

    def _allowed(self, claims: Mapping[str, Any], kid: str) -> frozenset[str]:
        """Return what the token's client may do now. Raises InvalidToken if it is another one."""
        name = claims["sub"]
        client = self._access.clients.get(name)
        seal = self._ring.seal(kid, self._seal_text(name)) if client else ""
        if client is None or not hmac.compare_digest(str(claims[SEAL]).encode(), seal.encode()):
            raise InvalidToken("the token is of a client that is no longer the same")
        return frozenset(client.scopes)

    def _seal_text(self, client: str) -> str:
        return f"{client}\0{self._access.clients[client].secret.get_secret_value()}"

    def _remember(self, text: str, token: Token) -> None:
        if len(self._verified) >= REMEMBERED:
            self._verified = {}
        self._verified[text] = token


def _seconds(claims: Mapping[str, Any], name: str) -> float:
    """Return a time among the claims. Raises InvalidToken for what is none."""
    value = claims[name]
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not abs(value) < LATEST:
        raise InvalidToken("the token is not valid")
    return float(value)
