"""What tenants and testers send.

Its fields are those of the supplier's messages (contract.field_table), some in a form of their own.
A problem is as *tenant-create* has it; `serviceId` and `serviceSpecification` are taken besides, as
*tenant-get 1.17* shows them. Amendments and cancellations are its objects without what the gateway
makes itself.
"""

import re
from collections.abc import Mapping

from marshmallow import ValidationError

from supplier_api.contract.codes import ProblemType
from supplier_api.contract.field_table import (
    AMENDABLE,
    AMENDED_BY_TENANT,
    CANCELLATION_DETAILS,
    FROM_TENANT,
    PROBLEM,
    SERVICE_SPECIFICATION,
)
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
from supplier_api.contract.loading import Fields, StrictSchema, make
from supplier_api.contract.schemas import AmendmentMessage
from supplier_api.sandbox.gateway.codes import UpdateType

EXTERNAL_IDENTIFIER_MAX = 64
PROBLEM_TYPE = re.compile(r"\w{5,50}", re.ASCII)
SUPPLIER = re.compile(r"\w{1,20}", re.ASCII)


class PatternText(Text):
    """A string of a printed form, or one of its published exceptions."""

    def __init__(
        self,
        form: re.Pattern[str],
        description: str,
        example: str,
        *,
        exceptions: frozenset[str] = frozenset(),
    ) -> None:
        """Describe a required word of this form."""
        super().__init__(description, example, required=True)
        self._form = form
        self._exceptions = exceptions

    def _constrain(self, value: str) -> None:
        if value not in self._exceptions and not self._form.fullmatch(value):
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

# What a tenant's problem has in place of a field of the supplier's: the tenant's own form of it,
# and beside it what only the gateway knows.
_OWN_FORMS: Mapping[str, Fields] = {
    "problemType": {
        "externalIdentifier": Text(
            "The communications provider (CP) identifier for the problem. Used for reference "
            "purposes only",
            "DS-2345432345345",
            maximum=EXTERNAL_IDENTIFIER_MAX,
        ),
        "problemType": PatternText(
            PROBLEM_TYPE,
            "The type of problem being raised. This will be advised or inferred as part of the "
            "service test result",
            "PERFORMANCE",
            exceptions=frozenset(ProblemType),
        ),
    },
    "serviceId": {
        "serviceId": Text(
            "Identifier of an existing live service, if not that of the service test",
            "SI2345432345345",
            maximum=SERVICE_ID_MAX,
        )
    },
    "serviceSpecification": {
        "serviceSpecification": Object(
            SERVICE_SPECIFICATION, "Details of a service the supplier provides at the address"
        )
    },
    "address": {
        "address": Object(_ADDRESS, "Address identifier for location"),
        "supplier": PatternText(
            SUPPLIER,
            "System identifier for a supplier on the gateway that is associated with this service",
            "DUMMY_SUPPLIER",
        ),
    },
    "serviceTestId": {
        "serviceTestId": Id(
            "Identifier of a current service test that has been performed against the service "
            "prior to raising the service problem",
            123,
            required=True,
        )
    },
    "parentServiceProblemId": {
        "parentServiceProblemId": Id(
            "Unique reference for an issue that is believed to be related, for example a "
            "multiline network outage",
            2443435345,
            minimum=None,  # No document prints one.
        )
    },
}
TENANT_PROBLEM_FIELDS: Fields = {
    name: field
    for shared in FROM_TENANT
    for name, field in _OWN_FORMS.get(shared, {shared: PROBLEM[shared]}).items()
}
TENANT_PROBLEM = make("TenantServiceProblemRequest", TENANT_PROBLEM_FIELDS)

TENANT_AMENDABLE: Fields = {name: AMENDABLE[name] for name in AMENDED_BY_TENANT} | {
    "appointmentReservationId": Id("Unique identifier for the new reserved appointment", 345)
}


class TenantAmendmentMessage(AmendmentMessage):
    """A message that names at least one field that a tenant may amend."""

    amendable = TENANT_AMENDABLE


TENANT_AMENDMENT_FIELDS: Fields = {
    "serviceProblemId": Id(
        "Unique reference identifying the service problem to be amended", 123, required=True
    ),
    **TENANT_AMENDABLE,
}
TENANT_AMENDMENT = make(
    "TenantServiceProblemAmendmentRequest", TENANT_AMENDMENT_FIELDS, TenantAmendmentMessage
)

TENANT_CANCELLATION_FIELDS: Fields = {
    "serviceProblemId": Id(
        "Unique reference identifying the service problem to be cancelled", 123, required=True
    ),
    **CANCELLATION_DETAILS,
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
    StrictSchema,
)

ADMIN_RESET = make(
    "AdminReset",
    {
        "tenant": Text("Whose problems", "TENANT1"),
        "all": Flag("Instead of tenant, true: everybody's", example=False),
        "seed": Id("The ids of what comes follow from it; they are any without it", 42),
    },
    StrictSchema,
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
    StrictSchema,
)
