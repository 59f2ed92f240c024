"""The messages of the yardstick "plain", as marshmallow schemas that say what the contract says."""
# ruff: noqa: N815 - the names are those of the wire

from marshmallow import Schema, fields, validate

SHORT, LONG = validate.Length(1, 50), validate.Length(1, 1000)
WHOLE = validate.Range(1, 2**63 - 1)


def text(check: validate.Length = SHORT, *, required: bool = False) -> fields.String:
    """Return a field for a text."""
    return fields.String(validate=check, required=required)


def whole(*, required: bool = False) -> fields.Integer:
    """Return a field for an id."""
    return fields.Integer(strict=True, validate=WHOLE, required=required)


class Contact(Schema):
    """A person to call."""

    name = text(required=True)
    email = text()
    phoneNumber = text(required=True)


class Address(Schema):
    """Where the service is."""

    id = text(required=True)
    type = text(required=True)


class Specification(Schema):
    """What the service is."""

    id = text(required=True)
    name = text()


class Characteristic(Schema):
    """One thing that is known of the problem."""

    name = text(required=True)
    value = text(LONG, required=True)


class Problem(Schema):
    """A new problem."""

    id = whole(required=True)
    problemType = text(required=True)
    problemText = text(LONG, required=True)
    serviceId = text(required=True)
    serviceSpecification = fields.Nested(Specification, required=True)
    address = fields.Nested(Address)
    serviceTestId = whole()
    serviceTestReference = text()
    characteristics = fields.List(fields.Nested(Characteristic), required=True)
    primaryContact = fields.Nested(Contact, required=True)
    secondaryContact = fields.Nested(Contact)
    appointmentReservationId = whole()
    appointmentReservationReference = text()
    hazards = text(LONG)
    onSiteRestrictions = text(LONG)
    notes = text(LONG)


class Answer(Problem):
    """A problem with its state."""

    status = text(required=True)
    supplierReference = text(required=True)
