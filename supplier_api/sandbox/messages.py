"""The one message of the tenants' API that the supplier's lacks: *tenant-create*, field by field.

`serviceId` and `serviceSpecification` are taken besides, as *tenant-get 1.17* shows them.
"""

import re

from marshmallow import ValidationError

from supplier_api.problems.codes import ProblemType
from supplier_api.problems.limits import SERVICE_ID_MAX
from supplier_api.wire.fields import Id, Items, Object, Text
from supplier_api.wire.messages import (
    SERVICE_SPECIFICATION,
    SITE,
    characteristics,
    contact,
    make,
    notes,
    problem_text,
)

EXTERNAL_IDENTIFIER_MAX = 64
PROBLEM_TYPE = re.compile(r"\w{5,50}", re.ASCII)
SUPPLIER = re.compile(r"\w{1,20}", re.ASCII)


class Word(Text):
    """A string of a printed form, or one of the words that are published in spite of it."""

    def __init__(
        self,
        form: re.Pattern[str],
        description: str,
        example: str,
        *,
        in_spite: frozenset[str] = frozenset(),
    ) -> None:
        """Describe a required word of this form."""
        super().__init__(description, example, required=True)
        self._form = form
        self._in_spite = in_spite

    def _constrain(self, value: str) -> None:
        if value not in self._in_spite and not self._form.fullmatch(value):
            raise ValidationError(f"expected to match {self._form.pattern}")


_ADDRESS_IDENTIFIER = {
    "id": Text("Address identifier of given type", "A00000031882", required=True),
    "type": Text("Type of address identifier", "NAD", required=True),
}

_ADDRESS = make(
    "TenantAddress",
    {
        **_ADDRESS_IDENTIFIER,
        "additionalIdentifiers": Items(
            Object(make("TenantAddressIdentifier", _ADDRESS_IDENTIFIER), "An address identifier"),
            "Additional address identifiers where required for subsequent operations",
        ),
    },
)

TENANT_PROBLEM = make(
    "TenantServiceProblem",
    {
        "externalIdentifier": Text(
            "The communications provider (CP) identifier for the problem. Used for reference "
            "purposes only",
            "DS-2345432345345",
            maximum=EXTERNAL_IDENTIFIER_MAX,
        ),
        "problemType": Word(
            PROBLEM_TYPE,
            "The type of problem being raised. This will be advised or inferred as part of the "
            "service test result",
            "PERFORMANCE",
            in_spite=frozenset(ProblemType),
        ),
        "problemText": problem_text(required=True),
        "serviceId": Text(
            "Identifier of an existing live service, if not that of the service test",
            "SI2345432345345",
            maximum=SERVICE_ID_MAX,
        ),
        "serviceSpecification": Object(
            SERVICE_SPECIFICATION, "Details of a service the supplier provides at the address"
        ),
        "address": Object(_ADDRESS, "Address identifier for location"),
        "supplier": Word(
            SUPPLIER,
            "System identifier for a supplier on the gateway that is associated with this service",
            "DUMMY_SUPPLIER",
        ),
        "serviceTestId": Id(
            "Identifier of a current service test that has been performed against the service "
            "prior to raising the service problem",
            123,
            required=True,
        ),
        "characteristics": characteristics(required=True),
        "primaryContact": contact(required=True),
        "secondaryContact": contact(),
        "appointmentReservationId": Id(
            "Unique identifier for the reserved appointment (if applicable)", 345
        ),
        "parentServiceProblemId": Id(
            "Unique reference for an issue that is believed to be related, for example a "
            "multiline network outage",
            2443435345,
        ),
        **SITE,
        "notes": notes(required=True),
    },
)
