"""Who may call us: bearer tokens, issued and verified. No web framework.

The doors of the house (`gateway_api`, `backoffice_api`) ask one `Gate`; the token endpoint asks one
`ClientCredentials`. Both work with the keys of one `KeyRing`.
"""

from supplier_api.access.credentials import ClientCredentials, Grant, GrantError
from supplier_api.access.gate import AccessError, Forbidden, Gate, NotAuthorised
from supplier_api.access.keys import Key, KeyRing, Keys, new_key
from supplier_api.access.tokens import InvalidToken, Token, Tokens

__all__ = [
    "AccessError",
    "ClientCredentials",
    "Forbidden",
    "Gate",
    "Grant",
    "GrantError",
    "InvalidToken",
    "Key",
    "KeyRing",
    "Keys",
    "NotAuthorised",
    "Token",
    "Tokens",
    "new_key",
]
