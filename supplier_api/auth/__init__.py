"""Authentication of callers: bearer tokens, issued and verified. Knows no web framework.

Every HTTP interface admits requests by one `AccessTokens`; the token endpoint issues them by one
`ClientCredentials`. The keys are those of one `KeyRing`.
"""

from supplier_api.auth.client_credentials import ClientCredentials, GrantError, IssuedToken
from supplier_api.auth.signing_keys import KeyRing, SigningKey, new_key, session_secret, stored_keys
from supplier_api.auth.tokens import (
    AccessError,
    AccessTokens,
    Forbidden,
    InvalidToken,
    NotAuthorised,
    Token,
)

__all__ = [
    "AccessError",
    "AccessTokens",
    "ClientCredentials",
    "Forbidden",
    "GrantError",
    "InvalidToken",
    "IssuedToken",
    "KeyRing",
    "NotAuthorised",
    "SigningKey",
    "Token",
    "new_key",
    "session_secret",
    "stored_keys",
]
