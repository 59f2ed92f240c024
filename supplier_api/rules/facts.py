"""The facts that rules are evaluated on, in typed groups, and the port to the inventory.

A group is what a rule names first: `request.serviceId` reads the group `request`. Each operation
has its own groups, and `request` has its own fields in each.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any, Protocol, TypeAlias

from supplier_api.rules.model import Operation


class FactKind(Enum):
    """The type of a fact, in words for authors of rules."""

    TEXT = "text"
    WHOLE = "a whole number"
    FLAG = "true or false"
    INSTANT = "a date-time"
    TEXTS = "a list of texts"
    TEXT_BY_NAME = "texts by name"


@dataclass(frozen=True, slots=True)
class ListOf:
    """A list whose members all have the same fields."""

    member: "Shape"


Shape: TypeAlias = Mapping[str, "Fact"]
Fact: TypeAlias = FactKind | ListOf | Shape

_CONTACT: Shape = {"name": FactKind.TEXT, "email": FactKind.TEXT, "phoneNumber": FactKind.TEXT}
_CHARACTERISTICS: Shape = {
    "characteristics": ListOf({"name": FactKind.TEXT, "value": FactKind.TEXT}),
    # Not on the wire, beside its list: request.characteristicsByName["SERVICE_HAS_WORKED"].
    "characteristicsByName": FactKind.TEXT_BY_NAME,
}
_AT_THE_SITE: Shape = {
    "primaryContact": _CONTACT,
    "secondaryContact": _CONTACT,
    "appointmentReservationId": FactKind.WHOLE,
    "appointmentReservationReference": FactKind.TEXT,
    "hazards": FactKind.TEXT,
    "onSiteRestrictions": FactKind.TEXT,
    "notes": FactKind.TEXT,
}
_OF_A_PROBLEM: Shape = {
    "id": FactKind.WHOLE,
    "serviceProblemId": FactKind.WHOLE,
    "supplierServiceProblemReference": FactKind.TEXT,
}

# The fields of *supplier-create*, *supplier-amend* and the cancellation.
PROBLEM_REQUEST: Shape = {
    "id": FactKind.WHOLE,
    "problemType": FactKind.TEXT,
    "problemText": FactKind.TEXT,
    "serviceId": FactKind.TEXT,
    "serviceSpecification": {"id": FactKind.TEXT},
    "address": {"id": FactKind.TEXT, "type": FactKind.TEXT},
    "serviceTestId": FactKind.WHOLE,
    "serviceTestReference": FactKind.TEXT,
    "parentServiceProblemId": FactKind.WHOLE,
    "parentServiceProblemReference": FactKind.TEXT,
    **_CHARACTERISTICS,
    **_AT_THE_SITE,
}
AMENDMENT_REQUEST: Shape = {
    **_OF_A_PROBLEM,
    "supplierReference": FactKind.TEXT,
    "problemText": FactKind.TEXT,
    "escalationRequest": FactKind.FLAG,
    **_CHARACTERISTICS,
    **_AT_THE_SITE,
}
CANCELLATION_REQUEST: Shape = {
    **_OF_A_PROBLEM,
    "reasonCode": FactKind.TEXT,
    "text": FactKind.TEXT,
}

SERVICE: Shape = {
    "known": FactKind.FLAG,
    "id": FactKind.TEXT,
    "specification": FactKind.TEXT,
    "specification_name": FactKind.TEXT,
    "state": FactKind.TEXT,
    "address_id": FactKind.TEXT,
    "address_type": FactKind.TEXT,
    "incident": FactKind.TEXT,
    "appointment_needed": FactKind.FLAG,
}
PROBLEM: Shape = {
    "reference": FactKind.TEXT,
    "status": FactKind.TEXT,
    "base": FactKind.TEXT,
    "waiting": FactKind.TEXT,
    "awaits": FactKind.TEXT,
    "open": FactKind.FLAG,
    "terminal": FactKind.FLAG,
}
_EVERYWHERE: Shape = {
    "tenant": FactKind.TEXT,
    "service": SERVICE,
    "incidents": FactKind.TEXTS,
    "clock": {"now": FactKind.INSTANT},
}

GROUPS: Mapping[Operation, Shape] = {
    Operation.PROBLEM: {
        "request": PROBLEM_REQUEST,
        "open_problems": FactKind.TEXTS,
        **_EVERYWHERE,
    },
    Operation.AMENDMENT: {"request": AMENDMENT_REQUEST, "problem": PROBLEM, **_EVERYWHERE},
    Operation.CANCELLATION: {"request": CANCELLATION_REQUEST, "problem": PROBLEM, **_EVERYWHERE},
}


class Unknown(Enum):
    """A fact that was not available in time. Rules that name it cannot be evaluated."""

    UNKNOWN = "unknown"


UNKNOWN = Unknown.UNKNOWN


@dataclass(frozen=True, slots=True)
class Service:
    """A service in the supplier's inventory.

    `state` is `live`, or a word for why the service is not. None in `specification` or `address_id`
    means that the inventory does not know it, so that no request can contradict it.
    `incident` names the network incident that the service is part of.
    """

    service_id: str
    specification: str | None = None
    specification_name: str | None = None
    state: str = "live"
    address_id: str | None = None
    address_type: str | None = None
    incident: str | None = None
    appointment_needed: bool = False


@dataclass(frozen=True, slots=True)
class ProblemFacts:
    """The problem that an amendment or a cancellation is about.

    `status`, `base` and `waiting` are words of the lifecycle; `awaits` is `information` or
    `appointment` while the problem waits for the tenant.
    """

    reference: str
    status: str
    base: str
    waiting: str | None = None
    awaits: str | None = None
    open: bool = True
    terminal: bool = False


@dataclass(frozen=True, slots=True)
class Facts:
    """The facts of one decision. Groups that no rule names may be left at their defaults.

    `request` is the wire document, `now` business time, `service` None when the inventory does not
    have it, `open_problems` the gateway's ids of problems open on the same service, `incidents` the
    names of known network incidents that touch it.
    """

    request: Mapping[str, Any]
    tenant: str
    now: datetime
    service: Service | Unknown | None = UNKNOWN
    open_problems: Sequence[str] = ()
    incidents: Sequence[str] = ()
    problem: ProblemFacts | None = None


class InventoryUnavailable(Exception):
    """The inventory cannot answer now."""


class Inventory(Protocol):
    """The port to the supplier's list of services."""

    def find(self, tenant: str, service_id: str) -> Service | None:
        """Return the service, or None when there is no such service for this tenant.

        May be slow: it is called outside transactions and under a time limit. Raises
        InventoryUnavailable.
        """


def values(facts: Facts, group: str) -> Any:
    """Return one group as plain values of its shape, without absent fields, or UNKNOWN."""
    return _READERS[group](facts)


def _request(facts: Facts) -> Mapping[str, Any]:
    named = facts.request.get("characteristics")
    if named is None:
        return facts.request
    by_name = {each["name"]: each["value"] for each in named}
    return {**facts.request, "characteristicsByName": by_name}


def _service(facts: Facts) -> Mapping[str, Any] | Unknown:
    service = facts.service
    if isinstance(service, Unknown):
        return service
    if service is None:
        return {"known": False}
    fields = _present_fields(service, SERVICE.keys() - {"known", "id"})
    return {"known": True, "id": service.service_id, **fields}


def _problem(facts: Facts) -> Mapping[str, Any] | Unknown:
    return UNKNOWN if facts.problem is None else _present_fields(facts.problem, PROBLEM)


def _present_fields(source: Service | ProblemFacts, names: Iterable[str]) -> dict[str, Any]:
    pairs = ((name, getattr(source, name)) for name in names)
    return {name: value for name, value in pairs if value is not None}


_READERS: Mapping[str, Callable[[Facts], Any]] = {
    "request": _request,
    "tenant": lambda facts: facts.tenant,
    "service": _service,
    "open_problems": lambda facts: list(facts.open_problems),
    "incidents": lambda facts: list(facts.incidents),
    "problem": _problem,
    "clock": lambda facts: {"now": facts.now},
}
