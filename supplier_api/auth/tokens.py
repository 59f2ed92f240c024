"""Access tokens: JWTs (RFC 9068), issued and verified against the injected clock.

A token is valid only while its client is unchanged: if the client is removed from the settings or
gets another secret, its tokens are refused by every process that starts with the new settings. A
token never grants more than its client may do now. What a request shows is a bearer token (RFC
6750) with the scope of what it asks for.
"""

import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jwt

from supplier_api.auth.signing_keys import KeyRing
from supplier_api.clock import MachineClock
from supplier_api.ids import IdSource
from supplier_api.settings import AccessSettings

# Seconds by which the clock of the process that issued a token may be ahead.
LEEWAY = 5
LATEST = 1e11  # seconds since 1970; larger values, infinity and NaN are invalid
# The size of the cache of verified tokens: a signature costs ten times the other checks.
REMEMBERED = 1024

# A private claim: the HMAC of the client's id and secret, under a key of the issuer.
SEAL = "client_seal"

REALM = 'Bearer realm="supplier-api"'
_BEARER = re.compile(r"bearer +(\S+)", re.IGNORECASE)

# PyJWT can only use the host's clock, so times are compared here.
_OPTIONS: Any = {
    "require": ["iss", "aud", "sub", "exp", "iat", SEAL],
    "verify_exp": False,
    "verify_iat": False,
    "verify_nbf": False,
}


class InvalidToken(Exception):
    """A token is invalid; the text says why without repeating any of it."""


class AccessError(Exception):
    """Access is refused. `challenge` is the value of WWW-Authenticate.

    `client` is the client of the token, if the token is valid.
    """

    def __init__(self, message: str, challenge: str, client: str | None = None) -> None:
        """Keep the reason; `message` may be sent to the caller."""
        super().__init__(message)
        self.challenge = challenge
        self.client = client


class NotAuthorised(AccessError):
    """There is no valid token: 401."""


class Forbidden(AccessError):
    """The token is valid but lacks the scope: 403."""


@dataclass(frozen=True, slots=True)
class Token:
    """The content of a valid token: client, scopes, start and expiry (seconds since 1970)."""

    client: str
    scopes: frozenset[str]
    begins: float
    expires: float


class AccessTokens:
    """Issues tokens, verifies them, and admits requests by them at every HTTP interface."""

    def __init__(
        self, access: AccessSettings, ring: KeyRing, clock: MachineClock, id_source: IdSource
    ) -> None:
        """Sign and verify with the keys of `ring`."""
        self._access = access
        self._ring = ring
        self._clock = clock
        self._id_source = id_source
        self._verified: dict[str, Token] = {}

    def issue(self, client: str, scopes: frozenset[str]) -> str:
        """Return a token for `client` with `scopes`, valid for the configured time."""
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
                "jti": str(self._id_source.uuid("")),
            },
            {SEAL: self._seal_text(client)},
        )

    def verify(self, text: str) -> Token:
        """Return the content of a token. Raises InvalidToken.

        It checks signature, issuer, audience, client, start and expiry; the last two at every use.
        No token is valid for longer than the configured time, whatever its own expiry.
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

    def admit(self, authorization: str | None, scope: str) -> str:
        """Return the client of the bearer token in `Authorization`, if it has `scope`.

        Raises NotAuthorised or Forbidden.
        """
        bearer = _BEARER.fullmatch(authorization or "")
        if not bearer:
            raise NotAuthorised("Authorization: expected a bearer token", REALM)
        try:
            token = self.verify(bearer[1])
        except InvalidToken as error:
            challenge = f'{REALM}, error="invalid_token", error_description="{error}"'
            raise NotAuthorised(f"Authorization: {error}", challenge) from None
        if scope not in token.scopes:
            challenge = f'{REALM}, error="insufficient_scope", scope="{scope}"'
            raise Forbidden(f"the token is not good for {scope}", challenge, token.client)
        return token.client

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
        """Return the client's scopes by the settings. Raises InvalidToken if it has changed."""
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
    """Return a claim that is a time. Raises InvalidToken if it is not one."""
    value = claims[name]
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not abs(value) < LATEST:
        raise InvalidToken("the token is not valid")
    return float(value)
