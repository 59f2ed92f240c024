"""Who may call us: bearer tokens, issued and verified. No web framework.

Every door asks one `BearerAuth`; the token endpoint asks one `ClientCredentials`. Both work
with the keys of one `KeyRing`.
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
