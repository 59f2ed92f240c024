"""The door: lets a caller in who shows a token that is good for what is asked (RFC 6750)."""

import re

from supplier_api.auth.tokens import AccessTokens, InvalidToken

REALM = 'Bearer realm="supplier-api"'
_BEARER = re.compile(r"bearer +(\S+)", re.IGNORECASE)


class AccessError(Exception):
    """Nobody comes in. `challenge` is the value of WWW-Authenticate.

    `client` is who has the token, if it is a good one.
    """

    def __init__(self, message: str, challenge: str, client: str | None = None) -> None:
        """Say why, in words that may be passed on."""
        super().__init__(message)
        self.challenge = challenge
        self.client = client


class NotAuthorised(AccessError):
    """There is no good token: 401."""


class Forbidden(AccessError):
    """The token is good, but not for this: 403."""


class BearerAuth:
    """Stands at every door of the supplier."""

    def __init__(self, tokens: AccessTokens) -> None:
        """Judge by `tokens`."""
        self._tokens = tokens

    def admit(self, authorization: str | None, scope: str) -> str:
        """Return the client that the header `Authorization` speaks for, if it may do `scope`.

        Raises NotAuthorised or Forbidden.
        """
        bearer = _BEARER.fullmatch(authorization or "")
        if not bearer:
            raise NotAuthorised("Authorization: expected a bearer token", REALM)
        try:
            token = self._tokens.verify(bearer[1])
        except InvalidToken as error:
            challenge = f'{REALM}, error="invalid_token", error_description="{error}"'
            raise NotAuthorised(f"Authorization: {error}", challenge) from None
        if scope not in token.scopes:
            challenge = f'{REALM}, error="insufficient_scope", scope="{scope}"'
            raise Forbidden(f"the token is not good for {scope}", challenge, token.client)
        return token.client
