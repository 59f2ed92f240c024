"""What tenants and testers send, field by field.

A problem is as *tenant-create* has it; `serviceId` and `serviceSpecification` are taken besides, as
*tenant-get 1.17* shows them. Amendments and cancellations are its objects without what the gateway
makes itself.
"""

import re
from collections.abc import Mapping
from typing import Any

from marshmallow import ValidationError, validates_schema

from supplier_api.contract.codes import CancellationReason, ProblemType
from supplier_api.contract.fields import (
    Code,
    Flag,
    Id,
    InstantField,
    Items,
    Object,
    Text,
    long_text,
)
from supplier_api.contract.limits import SERVICE_ID_MAX
from supplier_api.contract.loading import MessageSchema
from supplier_api.contract.schemas import (
    SERVICE_SPECIFICATION,
    SITE,
    Fields,
    characteristics,
    contact,
    make,
    notes,
    problem_text,
)
from supplier_api.sandbox.gateway.codes import UpdateType

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

TENANT_PROBLEM_FIELDS: Fields = {
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
        minimum=None,  # No document prints one.
    ),
    **SITE,
    "notes": notes(required=True),
}
TENANT_PROBLEM = make("TenantServiceProblemRequest", TENANT_PROBLEM_FIELDS)

AMENDABLE: Fields = {
    "problemText": problem_text(),
    "escalationRequest": Flag(
        "Request to escalate the problem based on agreed SLA's.", example=True
    ),
    "characteristics": characteristics(),
    "primaryContact": contact(),
    "secondaryContact": contact(),
    "appointmentReservationId": Id("Unique identifier for the new reserved appointment", 345),
    **SITE,
    "notes": notes(),
}


class TenantAmendmentSchema(MessageSchema):
    """A message that names at least one field to amend."""

    @validates_schema(pass_original=True, skip_on_field_errors=False)
    def check_names_something(
        self, _data: Mapping[str, Any], original: Mapping[str, Any], **_more: object
    ) -> None:
        """Raise ValidationError if nothing that can be amended was sent."""
        if AMENDABLE.keys().isdisjoint(original):
            raise ValidationError(f"expected at least one of {', '.join(AMENDABLE)} to amend")


TENANT_AMENDMENT_FIELDS: Fields = {
    "serviceProblemId": Id(
        "Unique reference identifying the service problem to be amended", 123, required=True
    ),
    **AMENDABLE,
}
TENANT_AMENDMENT = make(
    "TenantServiceProblemAmendmentRequest", TENANT_AMENDMENT_FIELDS, TenantAmendmentSchema
)

TENANT_CANCELLATION_FIELDS: Fields = {
    "serviceProblemId": Id(
        "Unique reference identifying the service problem to be cancelled", 123, required=True
    ),
    "reasonCode": Code(
        CancellationReason,
        "Codes representing reason for cancellation of the service problem",
        "CUSTOMER_NETWORK_ISSUE",
        required=True,
    ),
    "text": long_text(
        "Textual reason for cancellation - provides more context as applicable",
        "Issue appears to have rectified itself.",
    ),
}
TENANT_CANCELLATION = make("TenantServiceProblemCancellationRequest", TENANT_CANCELLATION_FIELDS)


ADMIN_CLOCK = make(
    "AdminClock",
    {
        "tenant": Text(
            "Whose clock; without it, that of all who have none of their own", "TENANT1"
        ),
        "to": InstantField(
            "Put it to this time, from which it runs on", "2026-01-10T12:00:00.000Z"
        ),
        "freeze": Flag("With to, true: it stands there", example=True),
        "forget": Flag(
            "Instead of to, true: it runs as all others do; without a tenant every clock follows"
            " real time again",
            example=True,
        ),
    },
)

ADMIN_RESET = make(
    "AdminReset",
    {
        "tenant": Text("Whose problems", "TENANT1"),
        "all": Flag("Instead of tenant, true: everybody's", example=False),
        "seed": Id("The ids of what comes follow from it; they are any without it", 42),
    },
)

ADMIN_UPDATE = make(
    "AdminUpdate",
    {
        "problem": Id("The service problem that the update is about", 123, required=True),
        "updateType": Code(
            UpdateType,
            "Type of the update: ACTION_REQUIRED or INFORMATIONAL",
            "ACTION_REQUIRED",
            without=(UpdateType.ERROR,),
            required=True,
        ),
        "type": Text(
            "Type of its action (CONTACT_CUSTOMER, CONTACT_REAPPOINT) or of its information "
            "(RESCHEDULED, RESUBMIT)",
            "CONTACT_CUSTOMER",
            required=True,
        ),
        "text": long_text("Textual information about this update", "Please ring the customer."),
    },
)
