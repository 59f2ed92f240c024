"""How a setting is shown to people: secrets and passwords masked."""

import re
from urllib.parse import urlsplit

from pydantic import SecretStr

from supplier_api.settings.schema import Leaf

MASK = "********"


def shown(value: object, leaf: Leaf) -> str:
    """Write a checked value for people: a secret as asterisks, a URL without its password."""
    if isinstance(value, SecretStr):
        return MASK
    if leaf.holds_password and isinstance(value, str):
        return _without_password(value)
    if isinstance(value, re.Pattern):
        return str(value.pattern)
    if isinstance(value, tuple):
        return ", ".join(str(item) for item in value)
    return "(not set)" if value is None else str(value)


def _without_password(url: str) -> str:
    parts = urlsplit(url)
    if not parts.password:
        return url
    return url.replace(f":{parts.password}@", f":{MASK}@", 1)
