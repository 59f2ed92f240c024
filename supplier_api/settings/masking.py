"""How a setting is shown to people: secrets and passwords masked."""

import re

from pydantic import SecretStr

from supplier_api.settings.schema import Leaf

MASK = "********"
# What stands between the name and the host: up to the last @, for a password may hold any sign.
_USER_INFO = re.compile(r"(://[^/?#:@]*):.*@")
# Drivers and services take it behind the question mark as well.
_PARAMETER = re.compile(r"(?i)([?&;][^=&;]*(?:password|passwd|pwd|secret|token|key)=)[^&;#]*")


def shown(value: object, leaf: Leaf) -> str:
    """Write a checked value for people: a secret as asterisks, a URL without its password."""
    if isinstance(value, SecretStr):
        return MASK
    if isinstance(value, re.Pattern):
        return str(value.pattern)
    if isinstance(value, tuple):
        return ", ".join(shown(item, leaf) for item in value)
    return "(not set)" if value is None else without_password(str(value))


def without_password(text: str) -> str:
    """Return a text; if it is a URL, with asterisks for the passwords in it."""
    if "://" not in text:
        return text
    return _PARAMETER.sub(rf"\1{MASK}", _USER_INFO.sub(rf"\1:{MASK}@", text))
