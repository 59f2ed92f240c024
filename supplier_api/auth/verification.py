"""Verifies the bearer token of a request and its scope (RFC 6750)."""

import re

from supplier_api.auth.tokens import AccessTokens, InvalidToken

REALM = 'Bearer realm="supplier-api"'
_BEARER = re.compile(r"bearer +(\S+)", re.IGNORECASE)


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


class BearerAuth:
    """Authenticates requests at every HTTP interface of the supplier."""

    def __init__(self, tokens: AccessTokens) -> None:
        """Verify with `tokens`."""
        self._tokens = tokens

    def admit(self, authorization: str | None, scope: str) -> str:
        """Return the client of the bearer token in `Authorization`, if it has `scope`.

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
