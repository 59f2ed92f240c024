"""A service problem and its parts, as the supplier keeps them.

Three fields make one status: `base` is the progress of the work, `waiting` what it waits for, and
`asked` which change request of the tenant is undecided. The status on the wire is the first of
asked, waiting and base that is set.
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from supplier_api.contract.codes import ChangeStatus, ResolutionStatus, Status
from supplier_api.rules.model import Operation
from supplier_api.value_object import value_object


class Base(StrEnum):
    """The progress of the work on a problem."""

    UNDECIDED = "UNDECIDED"
    ACKNOWLEDGED = "ACKNOWLEDGED"
    IN_PROGRESS = "IN_PROGRESS"
    RESOLVED = "RESOLVED"
    REJECTED = "REJECTED"
    CANCELLED = "CANCELLED"
    COMPLETED = "COMPLETED"


TERMINAL = frozenset({Base.REJECTED, Base.CANCELLED, Base.COMPLETED})
NEEDS_WORK = frozenset({Base.UNDECIDED, Base.ACKNOWLEDGED, Base.IN_PROGRESS})


class Waiting(StrEnum):
    """What the work waits for: the tenant, the supplier, or the end of a network incident."""

    PENDING = "PENDING"
    HELD = "HELD"
    NETWORK_INCIDENT = "NETWORK_INCIDENT"


class Awaits(StrEnum):
    """What a PENDING problem waits for."""

    INFORMATION = "information"
    APPOINTMENT = "appointment"


@value_object
class State:
    """The state of a problem.

    `asked` is an amendment or a cancellation that is undecided; `incident` is the code of the
    network incident that the problem belongs to.
    """

    base: Base
    waiting: Waiting | None = None
    awaits: Awaits | None = None
    asked: Operation | None = None
    incident: str | None = None

    @property
    def beneath(self) -> Base | Waiting:
        """The state without an undecided change."""
        return self.waiting or self.base

    @property
    def status(self) -> Status | None:
        """The status on the wire; None while the supplier has not decided on the problem."""
        if self.asked:
            return Status(f"PENDING_{self.asked.name}")
        if self.beneath is Base.UNDECIDED:
            return None
        return Status(self.beneath.value)

    @property
    def terminal(self) -> bool:
        """Whether the problem is over: no event is legal any more."""
        return self.base in TERMINAL

    @property
    def undecided(self) -> bool:
        """Whether the supplier owes a decision, on the problem or on a change."""
        return self.base is Base.UNDECIDED or self.asked is not None

    @property
    def open(self) -> bool:
        """Whether the supplier has accepted the problem and not resolved it yet."""
        return self.base in (Base.ACKNOWLEDGED, Base.IN_PROGRESS)

    @property
    def needs_work(self) -> bool:
        """Whether the problem is undecided or open: there is something to decide or to do."""
        return self.base in NEEDS_WORK

    def __str__(self) -> str:
        """Name the state for people, as in `PENDING_AMENDMENT over HELD`."""
        if self.asked:
            return f"{self.status} over {self.beneath}"
        return str(self.beneath)


@dataclass(slots=True)
class ServiceProblem:
    """One problem.

    `document` holds the wire's fields of the 201 body but for status and supplierReference. A
    problem is changed only under the lock on its row.
    `back_office_untold`: a work order about it was skipped by an operator. `left_out`: what the
    next KCI has to say about sequence numbers that are never sent. `doubtful`: the gateway may not
    know the problem, as our answer may have been lost. `reference_known`: the gateway has received
    our reference. `area` and `exchange`: where the service is, as the inventory had it. `parent`:
    our reference of the problem that the tenant named as its parent; `parent_unknown`: it named
    one that it had not raised.
    """

    tenant: str
    gateway_id: int
    reference: str
    service_id: str
    conversation_id: str
    state: State
    document: dict[str, Any]
    created: datetime
    updated: datetime
    next_kci: int = 1
    next_order: int = 1
    last_issued: datetime | None = None
    reference_known: bool = False
    doubtful: bool = False
    linked_to: str | None = None
    area: str | None = None
    exchange: str | None = None
    parent: str | None = None
    parent_unknown: bool = False
    back_office_id: str | None = None
    back_office_url: str | None = None
    back_office_untold: bool = False
    left_out: list[str] | None = None
    version: int = 1
    id: int = 0


@dataclass(slots=True)
class ChangeRequest:
    """An amendment or a cancellation; `body` is the gateway's request as the wire has it."""

    problem_id: int
    tenant: str
    kind: Operation
    gateway_id: int
    reference: str
    status: ChangeStatus
    body: dict[str, Any]
    created: datetime
    decided: datetime | None = None
    back_office_id: str | None = None
    back_office_url: str | None = None


@dataclass(slots=True)
class Resolution:
    """What the supplier did about the problem, and the tenant's answer to it.

    `details` is the wire's resolutionDetails; `taken` is when the gateway accepted the RESOLVED
    KCI; `closed_date` is when it was accepted, by silence too, or when it was withdrawn.
    """

    problem_id: int
    reference: str
    status: ResolutionStatus
    details: dict[str, Any]
    resolved_date: datetime
    sla_violation: list[str] = field(default_factory=list)
    tenant_notes: str | None = None
    closed_date: datetime | None = None
    taken: datetime | None = None
