"""What the gateway keeps: its rows, and the documents in them as they are on the wire.

Dates that tenants see are kept as they are written there; `arrived` and `marked_on` are machine
time, written likewise.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any

from sqlalchemy import JSON, Enum, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    MappedAsDataclass,
    mapped_column,
    relationship,
)

from supplier_api.sandbox.gateway.codes import CallKind, ChangeState, ProblemStatus

# A plain dict with the wire's own keys.
Document = dict[str, Any]

# Numbers are never given twice, be their rows deleted or not.
_COUNTED = {"sqlite_autoincrement": True}


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


def _by_value(words: type[StrEnum]) -> Enum:
    return Enum(words, native_enum=False, values_callable=lambda each: [it.value for it in each])


class GatewayRow(MappedAsDataclass, DeclarativeBase, kw_only=True, eq=False):
    """A row of the gateway's file."""

    type_annotation_map = {  # noqa: RUF012 - as SQLAlchemy has it
        Document: JSON,
        CallKind: _by_value(CallKind),
        CallState: _by_value(CallState),
        KciState: _by_value(KciState),
    }


ProblemId = Annotated[int, mapped_column(ForeignKey("problem.id"), index=True)]


class Setting(GatewayRow):
    """A value that the gateway keeps under a name."""

    __tablename__ = "meta"

    name: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[str]


class Problem(GatewayRow):
    """A service problem; `document` is what the tenant sent, with the service it stands for.

    The KCI `next_number` is expected next; beyond `final_number` none is taken any more.
    """

    __tablename__ = "problem"
    __table_args__ = _COUNTED

    id: Mapped[int] = mapped_column(primary_key=True)
    tenant: Mapped[str]
    supplier: Mapped[str]
    conversation_id: Mapped[str]
    document: Mapped[Document]
    created: Mapped[str]
    updated: Mapped[str]
    status: Mapped[str] = mapped_column(default=ProblemStatus.RECEIVED_BY_GATEWAY)
    reference: Mapped[str | None] = mapped_column(default=None)
    next_number: Mapped[int] = mapped_column(default=1)
    final_number: Mapped[int | None] = mapped_column(default=None)


class Change(GatewayRow):
    """An amendment or a cancellation, under the gateway's own id, as the tenant sent it."""

    __tablename__ = "change"
    __table_args__ = _COUNTED

    id: Mapped[int] = mapped_column(primary_key=True)
    problem_id: Mapped[ProblemId]
    kind: Mapped[CallKind]
    document: Mapped[Document]
    status: Mapped[str] = mapped_column(default=ChangeState.RECEIVED_BY_GATEWAY)


class SupplierCall(GatewayRow):
    """A request to the supplier, from the tenant's answer on until the supplier's is settled.

    `subject_id` is the change or resolution that it is about. `body` lacks only what is not known
    before it is sent.
    """

    __tablename__ = "call"

    id: Mapped[int] = mapped_column(primary_key=True, init=False)
    problem_id: Mapped[ProblemId]
    kind: Mapped[CallKind]
    path: Mapped[str]
    headers: Mapped[Document]
    body: Mapped[Document]
    subject_id: Mapped[int | None] = mapped_column(default=None)
    state: Mapped[CallState] = mapped_column(default=CallState.WAITING, index=True)


class StoredKci(GatewayRow):
    """A KCI of which the envelope has been checked."""

    __tablename__ = "kci"
    __table_args__ = (UniqueConstraint("problem_id", "number"),)

    supplier: Mapped[str] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(primary_key=True)
    problem_id: Mapped[ProblemId]
    number: Mapped[int]
    body: Mapped[Document]
    received_on: Mapped[str]
    arrived: Mapped[str]
    state: Mapped[KciState] = mapped_column(default=KciState.KEPT, index=True)


class Gap(GatewayRow):
    """Numbers of KCIs that were waited for in vain, from `first` to `last`."""

    __tablename__ = "gap"

    id: Mapped[int] = mapped_column(primary_key=True, init=False)
    problem_id: Mapped[ProblemId]
    first: Mapped[int]
    last: Mapped[int]
    marked_on: Mapped[str]


class StoredResolution(GatewayRow):
    """A supplier's resolution under the gateway's own id, with what it says of it last."""

    __tablename__ = "resolution"
    __table_args__ = (UniqueConstraint("problem_id", "reference"), _COUNTED)

    id: Mapped[int] = mapped_column(primary_key=True)
    problem_id: Mapped[ProblemId]
    reference: Mapped[str]
    document: Mapped[Document]


class StoredUpdate(GatewayRow):
    """An update for the tenant; in the order of their ids they took effect.

    `delivered_on` is set when it was delivered to the tenant's own URL.
    """

    __tablename__ = "tenant_update"

    id: Mapped[int] = mapped_column(primary_key=True, init=False)
    problem_id: Mapped[ProblemId]
    resolution_id: Mapped[int | None] = mapped_column(ForeignKey("resolution.id"))
    document: Mapped[Document]
    delivered_on: Mapped[str | None] = mapped_column(default=None)
    resolution: Mapped[StoredResolution | None] = relationship(init=False, lazy="joined")


Index(
    "tenant_update_undelivered",
    StoredUpdate.problem_id,
    sqlite_where=StoredUpdate.delivered_on.is_(None),
)

# What goes with a problem, each before what it refers to.
ABOUT_A_PROBLEM = (StoredUpdate, StoredResolution, Gap, StoredKci, SupplierCall, Change)
# What has numbers of the gateway's own.
Numbered = type[Problem] | type[Change] | type[StoredResolution]
