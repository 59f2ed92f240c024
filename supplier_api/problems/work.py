"""What is exchanged with the supplier's back office: work orders out, events in."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, Literal

import orjson

from supplier_api.contract.codes import ProblemCode
from supplier_api.problems.lifecycle import Event
from supplier_api.rules.model import Operation
from supplier_api.value_object import value_object

# What a work order is about: a request of the gateway, or the tenant's answer to a resolution.
RESOLUTION_ANSWER: Final = "resolution-answer"
OrderKind = Operation | Literal["resolution-answer"]
ORDER_KINDS: tuple[OrderKind, ...] = (*Operation, RESOLUTION_ANSWER)


@value_object
class WorkOrder:
    """A message to the back office: new work, a change, or an answer to a resolution.

    `id` is the same on every attempt: an order that comes again must have no second effect.
    `decide`: the back office must decide, by an event. `standing` is the problem's state without an
    undecided change, a word of the lifecycle; `issued` is business time as on the wire (RFC
    3339). `problem` holds the wire's fields of the problem; `subject` is the amendment,
    cancellation or resolution as a KCI carries it, None for a problem.
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

    def to_body(self) -> str:
        """Return the order as it is stored, but for its id."""
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
        return orjson.dumps(body).decode()

    @classmethod
    def from_body(cls, order_id: str, body: str) -> "WorkOrder":
        """Read an order back from its stored form."""
        document = orjson.loads(body)
        # Orders of the version before say what a tester chose.
        document.pop("scenario", None)
        kind = document["kind"]
        document["kind"] = kind if kind == RESOLUTION_ANSWER else Operation(kind)
        return cls(id=order_id, **document)


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
    `later` are kept as timers of the problem.
    """

    back_office_id: str | None = None
    back_office_url: str | None = None
    events: tuple[BackOfficeEvent, ...] = ()
    later: tuple[LaterEvent, ...] = ()
