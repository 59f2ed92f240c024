"""Authentication of callers: bearer tokens, issued and verified. Knows no web framework.

Every HTTP interface uses one `BearerAuth`, the token endpoint one `ClientCredentials`. Both use the
keys of one `KeyRing`.
"""

from supplier_api.auth.client_credentials import ClientCredentials, GrantError, IssuedToken
from supplier_api.auth.signing_keys import Key, KeyRing, Keys, new_key
from supplier_api.auth.tokens import AccessTokens, InvalidToken, Token
from supplier_api.auth.verification import AccessError, BearerAuth, Forbidden, NotAuthorised

__all__ = [
    "AccessError",
    "AccessTokens",
    "BearerAuth",
    "ClientCredentials",
    "Forbidden",
    "GrantError",
    "InvalidToken",
    "IssuedToken",
    "Key",
    "KeyRing",
    "Keys",
    "NotAuthorised",
    "Token",
    "new_key",
]
