"""Authentication of callers: bearer tokens, issued and verified. Knows no web framework.

Every HTTP interface uses one `BearerAuth`, the token endpoint one `ClientCredentials`. Both use the
keys of one `KeyRing`.
"""

from supplier_api.auth.client_credentials import ClientCredentials, GrantError, IssuedToken
from supplier_api.auth.signing_keys import KeyRing, SigningKey, new_key, stored_keys
from supplier_api.auth.tokens import (
    AccessError,
    AccessTokens,
    BearerAuth,
    Forbidden,
    InvalidToken,
    NotAuthorised,
    Token,
)

__all__ = [
    "AccessError",
    "AccessTokens",
    "BearerAuth",
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
    "stored_keys",
]
