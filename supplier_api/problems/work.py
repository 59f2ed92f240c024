"""What is exchanged with the supplier's back office: work orders out, events and snapshots in."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import timedelta
from enum import StrEnum
from typing import Any, Final

import orjson

from supplier_api.contract.codes import ProblemCode
from supplier_api.problems.lifecycle import Event
from supplier_api.rules.model import Operation
from supplier_api.value_object import value_object


class Notice(StrEnum):
    """What a work order reports beside the gateway's requests."""

    # The tenant's answer to a resolution.
    RESOLUTION_ANSWER = "resolution-answer"
    # An undecided change was closed, as its problem was resolved or cancelled.
    CHANGE_CLOSED = "change-closed"
    # The problem was completed, as the tenant did not answer in time.
    CLOSED = "closed"
    # Somebody else than the back office applied one of its events.
    EVENT = "event"
    # A decision is due that the back office was asked for.
    DECISION_DUE = "decision-due"
    INCIDENT_JOINED = "incident-joined"
    INCIDENT_LEFT = "incident-left"


# What a work order is about: a request of the gateway, or something that the office must know.
OrderKind = Operation | Notice
RESOLUTION_ANSWER: Final = Notice.RESOLUTION_ANSWER
ORDER_KINDS: tuple[OrderKind, ...] = (*Operation, *Notice)
# What an adapter gets that declares no kinds: each needs work of it.
DEFAULT_KINDS: frozenset[OrderKind] = frozenset((*Operation, RESOLUTION_ANSWER))


class Cause(StrEnum):
    """Who or what made a work order necessary."""

    TENANT = "tenant"
    BACK_OFFICE = "back-office"
    OPERATOR = "operator"
    SILENCE = "silence"
    INCIDENT = "incident"
    DEADLINE = "deadline"


@value_object
class WorkOrder:
    """A message to the back office: new work, a change, or something that it must know.

    `id` is the same on every attempt: an order that comes again must have no second effect.
    `decide`: the back office must decide, by an event. `standing` is the problem's state without an
    undecided change, a word of the lifecycle; `issued` is business time as on the wire (RFC
    3339). `problem` holds the wire's fields of the problem; `subject` is the amendment,
    cancellation or resolution as a KCI carries it, the event or the incident; None for a problem.
    `deferred` says why the rule book left the decision open: {"rule", "reasons"}, reasons in words;
    `decide_by` is the deadline of the decision, if there is one, as on the wire.
    `ticket` is the back office's ticket of the problem, `change_ticket` that of the change that
    `subject` is; they are looked up when the order is sent, and None while there are none.
    """

    id: str
    kind: OrderKind
    tenant: str
    reference: str
    issued: str
    standing: str
    decide: bool
    problem: Mapping[str, Any]
    subject: Mapping[str, Any] | None = None
    deferred: Mapping[str, Any] | None = None
    cause: Cause = Cause.TENANT
    decide_by: str | None = None
    ticket: str | None = None
    change_ticket: str | None = None

    @property
    def body_version(self) -> int:
        """The first version of stored bodies that can hold this order.

        A worker of the release before leaves orders of version 2 to this one.
        """
        before = self.kind in DEFAULT_KINDS and self.cause is Cause.TENANT
        return 1 if before and self.deferred is None else 2

    def to_body(self) -> str:
        """Return the order as it is stored, but for its id and its tickets."""
        body = {
            "kind": self.kind,
            "tenant": self.tenant,
            "reference": self.reference,
            "issued": self.issued,
            "standing": self.standing,
            "decide": self.decide,
            "problem": self.problem,
            "subject": self.subject,
        }
        # Workers of the release before read orders without these.
        if self.deferred is not None:
            body["deferred"] = self.deferred
        if self.cause is not Cause.TENANT:
            body["cause"] = self.cause
        if self.decide_by is not None:
            body["decide_by"] = self.decide_by
        return orjson.dumps(body).decode()

    def document(self) -> dict[str, Any]:
        """Return the order as JSON values, each under its name here; what is None is left out."""
        named = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in named.items() if value is not None}

    @classmethod
    def from_body(cls, order_id: str, body: str) -> "WorkOrder":
        """Read an order back from its stored form; fields of other versions are left out."""
        known = {field.name for field in fields(cls)} - {"id", "ticket", "change_ticket"}
        document = {name: value for name, value in orjson.loads(body).items() if name in known}
        kind = document["kind"]
        document["kind"] = Operation(kind) if kind in _OPERATIONS else Notice(kind)
        document["cause"] = Cause(document.get("cause", Cause.TENANT))
        return cls(id=order_id, **document)


_OPERATIONS = frozenset(Operation)


@value_object
class BackOfficeEvent:
    """An event from the back office about a problem.

    `id` is the back office's; a repeat with the same id has no second effect. `change_reference`
    names the amendment or cancellation that accept-change and reject-change decide. `resolution`
    holds resolutionCode and optionally resolutionText, supplierCodes, faultCode and slaViolation.
    """

    id: str
    event: Event
    problem_code: ProblemCode | None = None
    text: str | None = None
    supplier_codes: tuple[str, ...] = ()
    note: Mapping[str, str] | None = None
    commit: bool = False
    change_reference: str | None = None
    resolution: Mapping[str, Any] | None = None
    back_office_id: str | None = None
    back_office_url: str | None = None


@dataclass(frozen=True, slots=True)
class LaterEvent:
    """A back-office event to apply when `after` (business time) has passed."""

    after: timedelta
    event: BackOfficeEvent


@dataclass(frozen=True, slots=True)
class OrderAnswer:
    """What an adapter answers to an order: the back office's ticket, and what it decided.

    `events` are applied in the transaction that records the order as delivered, in their order;
    `later` are kept as timers of the problem. `version` is the ticket's version after the order
    (snapshot.version_from): snapshots that are not newer only echo our order, and are ignored.
    `for_people`: nobody but people works on it, who find it in the console until one is done.
    """

    back_office_id: str | None = None
    back_office_url: str | None = None
    events: tuple[BackOfficeEvent, ...] = ()
    later: tuple[LaterEvent, ...] = ()
    version: int | None = None
    for_people: bool = False
