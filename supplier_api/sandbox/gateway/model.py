"""What the gateway keeps: documents as they are on the wire, and the rows that hold them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from supplier_api.sandbox.gateway.codes import CallKind, ChangeState, ProblemStatus

# A plain dict with the wire's own keys.
Document = dict[str, Any]


def picked(source: Mapping[str, Any], *names: str) -> Document:
    """Return these fields of `source`, those that it has."""
    return {name: source[name] for name in names if name in source}


class CallState(StrEnum):
    """How far a request to the supplier is."""

    WAITING = "WAITING"
    IN_FLIGHT = "IN_FLIGHT"
    SETTLED = "SETTLED"


class KciState(StrEnum):
    """Whether a KCI had its effect."""

    KEPT = "KEPT"
    TAKEN = "TAKEN"


@dataclass(slots=True)
class Problem:
    """A service problem; written back by `Records.save_problem`."""

    id: int
    tenant: str
    supplier: str
    conversation_id: str
    document: Document
    created: str
    updated: str
    status: str = ProblemStatus.RECEIVED_BY_GATEWAY
    reference: str | None = None
    next_number: int = 1
    final_number: int | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """An amendment or a cancellation, under the gateway's own id."""

    id: int
    problem_id: int
    kind: CallKind
    document: Document
    status: str = ChangeState.RECEIVED_BY_GATEWAY


@dataclass(frozen=True, slots=True)
class SupplierCall:
    """A request to the supplier; `subject_id` is the change or resolution that it is about.

    `body` lacks only what is not known before it is sent.
    """

    id: int
    problem_id: int
    kind: CallKind
    subject_id: int | None
    path: str
    headers: Mapping[str, str]
    body: Document


@dataclass(frozen=True, slots=True)
class StoredKci:
    """A KCI of which the envelope has been checked; `arrived` is machine time."""

    id: str
    supplier: str
    problem_id: int
    number: int
    body: Document
    received_on: str
    arrived: datetime


@dataclass(frozen=True, slots=True)
class StoredUpdate:
    """An update for the tenant, with the id and the latest text of its resolution, if any."""

    id: int
    document: Document
    delivered_on: str | None
    resolution_id: int | None
    resolution: Document | None


@dataclass(frozen=True, slots=True)
class StoredResolution:
    """A supplier's resolution under the gateway's own id."""

    id: int
    problem_id: int
    reference: str
    document: Document
