"""Documents as they are on the wire: plain dicts with the wire's own keys."""

from collections.abc import Mapping
from typing import Any

Document = dict[str, Any]


def picked(source: Mapping[str, Any], *names: str) -> Document:
    """Return these fields of `source`, those that it has."""
    return {name: source[name] for name in names if name in source}
