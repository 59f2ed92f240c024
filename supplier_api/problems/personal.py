"""Which fields of the wire hold personal data or free text, and the placeholder that hides them.

This is the only list. Traces, logs and whatever else outlives a request show the placeholder.
"""

from collections.abc import Mapping
from typing import Any

PLACEHOLDER = "[personal]"

# Top-level fields of *supplier-create*, *supplier-amend*, the cancellation and the answer to a
# resolution. Anything may stand in a characteristic, a customer's name as well as a router's.
PERSONAL_FIELDS = frozenset(
    {
        "problemText",
        "characteristics",
        "primaryContact",
        "secondaryContact",
        "hazards",
        "onSiteRestrictions",
        "notes",
        "text",
        "tenantNotes",
    }
)


def masked(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy of a wire document in which the placeholder stands for each personal field."""
    return {
        name: PLACEHOLDER if name in PERSONAL_FIELDS else value for name, value in document.items()
    }
