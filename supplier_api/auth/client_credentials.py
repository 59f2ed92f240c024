"""The grant `client_credentials` of OAuth 2.0 (RFC 6749, sections 2.3.1, 4.4 and 5)."""

import base64
import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import unquote_plus

from supplier_api.auth.tokens import AccessTokens
from supplier_api.settings import AccessSettings


class GrantError(Exception):
    """A token request is refused. `error` is the code of RFC 6749, section 5.2.

    `client` is the client that asked, if the settings name it.
    """

    client: str | None = None

    def __init__(self, error: str, description: str, *, status: int = 400) -> None:
        """Keep the reason; `description` must not repeat what was sent."""
        super().__init__(description)
        self.error = error
        self.description = description
        self.status = status


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """A token that was issued to a client."""

    client: str
    access_token: str
    expires_in: int
    scope: str


class ClientCredentials:
    """Issues tokens to the clients that the settings name."""

    def __init__(self, access: AccessSettings, tokens: AccessTokens) -> None:
        """Issue tokens to the clients of `access`."""
        self._access = access
        self._tokens = tokens

    def grant(self, authorization: str | None, form: Iterable[tuple[str, str]]) -> IssuedToken:
        """Authenticate a client, by HTTP Basic or in the form, and return a token for it.

        `form` holds the decoded pairs of the body. Raises GrantError.
        """
        fields = _once_each(form)
        if "grant_type" not in fields:
            raise GrantError("invalid_request", "grant_type is missing")
        client_id, secret = _credentials(authorization, fields)
        try:
            return self._grant(client_id, secret, fields)
        except GrantError as error:
            error.client = client_id if client_id in self._access.clients else None
            raise

    def _grant(self, client_id: str, secret: str, fields: dict[str, str]) -> IssuedToken:
        self._authenticate(client_id, secret)
        if fields["grant_type"] != "client_credentials":
            raise GrantError("unsupported_grant_type", "expected client_credentials")
        scopes = self._scopes(client_id, fields.get("scope"))
        return IssuedToken(
            client_id,
            self._tokens.issue(client_id, scopes),
            int(self._access.token_lifetime),
            " ".join(sorted(scopes)),
        )

    def _authenticate(self, client_id: str, secret: str) -> None:
        client = self._access.clients.get(client_id)
        expected = client.secret.get_secret_value() if client else ""
        # Always compared, so that the time taken does not reveal which names exist.
        right = hmac.compare_digest(secret.encode(), expected.encode())
        if client is None or not right:
            raise _unknown_client()

    def _scopes(self, client_id: str, asked: str | None) -> frozenset[str]:
        allowed = frozenset(self._access.clients[client_id].scopes)
        if asked is None:
            return allowed
        scopes = frozenset(asked.split(" "))
        if not scopes <= allowed:
            raise GrantError("invalid_scope", "a scope is not one of this client's")
        return scopes


def _once_each(form: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return the fields that have a value; an empty one counts as absent. Raises GrantError."""
    fields: dict[str, str] = {}
    for name, value in form:
        if name in fields:
            raise GrantError("invalid_request", "a parameter is given twice")
        if value:
            fields[name] = value
    return fields


def _credentials(authorization: str | None, fields: dict[str, str]) -> tuple[str, str]:
    """Return the client's id and secret, from HTTP Basic or else from the form."""
    if authorization is None:
        return fields.get("client_id", ""), fields.get("client_secret", "")
    if "client_secret" in fields:
        raise GrantError("invalid_request", "client credentials are given twice")
    return _basic(authorization)


def _basic(authorization: str) -> tuple[str, str]:
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        raise _unknown_client()
    try:
        pair = base64.b64decode(encoded.strip(), validate=True).decode()
    except ValueError:  # no base64, or no UTF-8 in it
        raise _unknown_client() from None
    client_id, _, secret = pair.partition(":")
    return unquote_plus(client_id), unquote_plus(secret)


def _unknown_client() -> GrantError:
    return GrantError("invalid_client", "client authentication failed", status=401)
