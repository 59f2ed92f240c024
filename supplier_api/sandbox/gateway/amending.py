"""What a problem looks like once an amendment is applied. Pure."""

from supplier_api.sandbox.gateway.model import Document, picked

REPLACED = ("problemText", "appointmentReservationId", "hazards", "onSiteRestrictions", "notes")
CONTACTS = ("primaryContact", "secondaryContact")


def amended(problem: Document, amendment: Document) -> Document:
    """Return the problem's document with the fields that the amendment supplies.

    Characteristics merge by name; a contact without an email keeps the one it had.
    """
    changed = picked(amendment, *REPLACED)
    for name in CONTACTS:
        if name in amendment:
            changed[name] = picked(problem.get(name, {}), "email") | amendment[name]
    if "characteristics" in amendment:
        changed["characteristics"] = _merged(
            problem["characteristics"], amendment["characteristics"]
        )
    return problem | changed


def _merged(known: list[Document], supplied: list[Document]) -> list[Document]:
    by_name = {each["name"]: each for each in known} | {each["name"]: each for each in supplied}
    return list(by_name.values())
