"""Events and network incidents, as the back office sends them."""

from dataclasses import dataclass
from typing import Any

from supplier_api.backoffice.order_answer import ANSWER, DECISION
from supplier_api.contract import load, refusals
from supplier_api.contract.codes import ProblemCode
from supplier_api.contract.fields import Code, Flag, Id, Items, Object, Reference, Text, long_text
from supplier_api.contract.limits import SERVICE_ID_MAX, SUPPLIER_CODE_MAX
from supplier_api.contract.loading import StrictSchema, make
from supplier_api.contract.schemas import RESOLUTION_DETAILS
from supplier_api.problems.incident_coverage import IncidentScope, ScopeKind
from supplier_api.problems.lifecycle import BACK_OFFICE_EVENTS, Event
from supplier_api.problems.work import BackOfficeEvent

NAME_MAX = 100
URL_MAX = 1000

NOTE = make(
    "SupplierNote",
    {
        "note": Text("The note", "Joint replaced in the cabinet.", required=True),
        "type": Text("What kind of note it is", "Engineer Note"),
    },
)


class Note(Object):
    """A note of the supplier: an object, or its text alone."""

    def _deserialize(self, value: Any, *args: Any, **more: Any) -> Any:
        return super()._deserialize(
            {"note": value} if isinstance(value, str) else value, *args, **more
        )


RESOLUTION = make(
    "ResolutionMade",
    {
        **RESOLUTION_DETAILS.fields,
        "slaViolation": Items(
            Text("A service level that was missed"),
            "Indicates if the resolution has violated the agreed SLAs",
            ["EXCEEDED_SLA_TIME_TO_REPAIR"],
        ),
    },
)

EVENT = make(
    "BackOfficeEvent",
    {
        "id": Text(
            "The back office's own id of this event: a repeat gets the same answer",
            "EV-1001",
            maximum=NAME_MAX,
            required=True,
        ),
        "event": Code(
            Event,
            "What happened",
            "start",
            without=tuple(event for event in Event if event not in BACK_OFFICE_EVENTS),
            required=True,
        ),
        "problemCode": Code(ProblemCode, "What stands in the way", "ACCESS_ISSUE"),
        "text": long_text("What the tenant is told", "The cabinet cannot be reached before noon."),
        "supplierCodes": Items(
            Text("A code of the supplier", maximum=SUPPLIER_CODE_MAX),
            "The supplier's own reason or problem codes",
            ["313"],
        ),
        "note": Note(NOTE, "A note for the tenant: an object, or its text alone"),
        "commit": Flag("With accept: work starts at once", example=True),
        "changeReference": Text(
            "With accept-change and reject-change: our reference of the amendment or cancellation,"
            " the gateway's id of it or the back office's own",
            "SP_7K2M9QX4TD",
            maximum=NAME_MAX,
        ),
        "resolution": Object(RESOLUTION, "With resolve: what was found and done"),
        "backOfficeId": Text("The back office's own ticket", "INC0012345", maximum=NAME_MAX),
        "backOfficeUrl": Text(
            "Where the ticket can be seen", "https://tickets.example/INC0012345", maximum=URL_MAX
        ),
    },
)


# It settles the order: a ticket under a misspelt name would be lost for good.
CLAIMED_ANSWER = make(
    "WorkOrderAnswer",
    {
        "claim": Id("The number that came with the order", 1, required=True),
        **ANSWER.fields,
        "decision": Object(
            make("WorkOrderDecision", DECISION.fields, StrictSchema),
            "Of an order with `decide`: what was decided at once",
        ),
    },
    StrictSchema,
)

MOST_OF_AN_INCIDENT = 10_000  # problems, and as many services
MOST_SCOPES = 100
SCOPE = make(
    "IncidentScope",
    {
        "kind": Code(ScopeKind, "What its problems have in common", "exchange", required=True),
        "value": Text("The area, exchange or specification", "LEEDS", required=True),
    },
)
INCIDENT_ID = Text(
    "The incident's id: the back office's own; a repeat changes nothing",
    "INC0000042",
    maximum=64,
    pattern="[A-Za-z0-9._:-]+",
    required=True,
)
INCIDENT = make(
    "NetworkIncident",
    {
        "id": INCIDENT_ID,
        "problems": Items(
            Reference("Our reference of a problem", "SP_7K2M9QX4TD"),
            "Problems whose services are part of it",
            ["SP_7K2M9QX4TD"],
            maximum=MOST_OF_AN_INCIDENT,
        ),
        "services": Items(
            Text("A service", maximum=SERVICE_ID_MAX),
            "Services that are part of it",
            ["SI2345432345345"],
            maximum=MOST_OF_AN_INCIDENT,
        ),
        "scopes": Items(
            Object(SCOPE, "A part of the network"),
            "Parts of the network: problems are part of it by the area or exchange that the"
            " inventory gives for their service, or by their specification's id",
            maximum=MOST_SCOPES,
        ),
        "text": long_text("What happened, for the supplier's own people", "A cable was cut."),
    },
)


@dataclass(frozen=True, slots=True)
class WantedIncident:
    """An incident to declare; `problems` are our references."""

    id: str
    services: tuple[str, ...]
    problems: tuple[str, ...]
    scopes: tuple[IncidentScope, ...]
    text: str | None


def read_incident(document: object) -> WantedIncident:
    """Return the incident that `document` describes.

    Raises contract.Malformed or contract.Invalid.
    """
    fields = load(INCIDENT, document)
    services, problems = fields.get("services", ()), fields.get("problems", ())
    scopes = [
        IncidentScope(ScopeKind(each["kind"]), each["value"]) for each in fields.get("scopes", ())
    ]
    if not services and not problems and not scopes:
        raise refusals.INCIDENT_OF_NOTHING.error()
    return WantedIncident(
        fields["id"], tuple(services), tuple(problems), tuple(scopes), fields.get("text")
    )


def read_event(document: object) -> BackOfficeEvent:
    """Return the event that `document` describes; raises contract.Malformed or contract.Invalid."""
    fields = load(EVENT, document)
    code = fields.get("problemCode")
    return BackOfficeEvent(
        id=fields["id"],
        event=Event(fields["event"]),
        problem_code=ProblemCode(code) if code else None,
        text=fields.get("text"),
        supplier_codes=tuple(fields.get("supplierCodes", ())),
        note=fields.get("note"),
        commit=fields.get("commit", False),
        change_reference=fields.get("changeReference"),
        resolution=fields.get("resolution"),
        back_office_id=fields.get("backOfficeId"),
        back_office_url=fields.get("backOfficeUrl"),
    )
