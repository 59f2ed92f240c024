"""How long, how many, what form: the limits of the wire. Lengths count code points."""

ID_MIN = 1
ID_MAX = 2**63 - 1

# A string for which no length is printed.
STRING_MIN = 1
STRING_MAX = 255

# text, notes, tenantNotes, hazards, onSiteRestrictions, a characteristic's value, an error message.
TEXT_MIN = 1
TEXT_MAX = 1000

PROBLEM_TEXT_MIN = 10
PROBLEM_TEXT_MAX = 80
SERVICE_ID_MAX = 50
SUPPLIER_CODE_MAX = 50
CHARACTERISTICS_MAX = 100

# Printed without an end anchor; we match the whole string.
REFERENCE_PATTERN = r"[A-Z0-9_]{5,25}"

HEADER_MAX = 255
MESSAGE_MAX = TEXT_MAX
