"""The contract's versions and its limits: lengths (in code points), counts, patterns."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Contract:
    """The versions of the gateway's two APIs that a supplier takes part in."""

    supplier_api: str
    supplier_updates: str


CONTRACT = Contract(supplier_api="1.15", supplier_updates="1.8")

ID_MIN = 1
ID_MAX = 2**63 - 1

# A string without a published length.
STRING_MIN = 1
STRING_MAX = 255

# text, notes, tenantNotes, hazards, onSiteRestrictions, a characteristic's value, an error message.
TEXT_MAX = 1000

PROBLEM_TEXT_MIN = 10
PROBLEM_TEXT_MAX = 80
SERVICE_ID_MAX = 50
SUPPLIER_CODE_MAX = 50
CHARACTERISTICS_MAX = 100

# Published without an end anchor; here the whole string must match.
REFERENCE_PATTERN = r"[A-Z0-9_]{5,25}"

HEADER_MAX = 255
MESSAGE_MAX = TEXT_MAX
