"""Fetches our access tokens from a gateway's token endpoint."""

from typing import Protocol

from supplier_api.delivery.posting import NETWORK_ERRORS, Observer, Post, error_cause, send
from supplier_api.http_client.grants import (
    GRANT_LIMIT,
    NoTokenError,
    TokenGrant,
    TokenTerms,
    read_grant,
    token_request,
)
from supplier_api.http_client.sessions import Sessions
from supplier_api.http_client.watchdog import Watchdog
from supplier_api.settings.model import GatewaySettings

TOKEN_SECONDS = 10.0  # for the whole call to the token endpoint


class TokenClient(Protocol):
    """Our credentials at a token endpoint, and the request format it expects."""

    @property
    def token_url(self) -> str:
        """The endpoint's URL."""

    @property
    def client_id(self) -> str:
        """Our client id there."""

    @property
    def client_secret(self) -> str:
        """The client secret."""

    @property
    def token_terms(self) -> TokenTerms:
        """How the endpoint wants to be asked."""


def token_terms(gateway: GatewaySettings) -> TokenTerms:
    """Return how the settings say that the gateway's token endpoint wants to be asked."""
    named = (
        ("scope", gateway.scope),
        ("audience", gateway.audience),
        ("resource", gateway.resource),
    )
    fields = [(name, value) for name, value in named if value is not None]
    for field in gateway.token_fields:
        name, _, value = field.partition("=")
        fields.append((name, value))
    return TokenTerms(gateway.token_auth, tuple(fields))


def fetch_grant(
    us: TokenClient,
    sessions: Sessions,
    watchdog: Watchdog,
    patience: float,
    observer: Observer | None = None,
) -> TokenGrant:
    """Get a token (RFC 6749, section 4.4) within `patience` seconds; raises NoTokenError."""
    headers, body = token_request(us.client_id, us.client_secret, us.token_terms)
    post = Post(us.token_url, headers, body)
    # A limit of its own, so that a silent token endpoint leaves time to use the old token.
    with watchdog.limit(min(patience, TOKEN_SECONDS)) as call:
        try:
            answered = send(sessions, post, call, observer, GRANT_LIMIT)
        except NETWORK_ERRORS as error:
            raise NoTokenError(f"token endpoint: {error_cause(error, call)}") from error
    if not answered.complete:
        raise NoTokenError("token endpoint: its answer broke off")
    return read_grant(answered.status, answered.body)
