"""The transition of one problem within one transaction.

A Transition applies lifecycle events and collects the KCIs and work orders that they cause;
`finish` stores the problem with them. Nothing is visible to others before the commit.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import orjson

from supplier_api.clock import to_wire
from supplier_api.contract import refusals
from supplier_api.contract.codes import ChangeStatus, ResolutionStatus
from supplier_api.contract.field_table import with_amendment
from supplier_api.contract.limits import CHARACTERISTICS_MAX
from supplier_api.db import UnitOfWork
from supplier_api.outbox.model import LaneRow, NewLane, NewMessage
from supplier_api.outbox.repository import LaneRepository
from supplier_api.problems.incident_repository import IncidentRepository
from supplier_api.problems.kci import (
    NO_CONTENT,
    KciContent,
    KciStamp,
    add_gap_notes,
    change_entity,
    content_of_step,
    kci,
    lacking,
    resolution_entity,
)
from supplier_api.problems.lifecycle import About, Event, LifecycleStep, plan, settled_by
from supplier_api.problems.model import Base, ChangeRequest, Resolution, ServiceProblem, State
from supplier_api.problems.notices import CAUSES, REPORTED, notice_of
from supplier_api.problems.parts_repository import ChangeRequestRepository, ResolutionRepository
from supplier_api.problems.repository import ProblemRepository
from supplier_api.problems.services import BACK_OFFICE, GATEWAY, Services
from supplier_api.problems.timer_repository import DEADLINES, Timer, TimerRepository
from supplier_api.problems.work import Cause, Notice, OrderKind, WorkOrder
from supplier_api.problems.work_item_repository import WorkItemRepository
from supplier_api.rules.model import Operation

CLOSURE = "closure"
CLOSURE_NOTICE = "closure-notice"
ONE_MS = timedelta(milliseconds=1)
CLOSING = frozenset({Event.COMPLETE, Event.CLOSE, Event.ACCEPT_RESOLUTION})


class Incomplete(Exception):
    """An event lacks a field that its KCI must carry."""

    def __init__(self, event: str, missing: Sequence[str], state: State) -> None:
        """Name the event and the fields, and keep where the problem stands."""
        self.state = state
        fields = [{"path": field, "event": event} for field in missing]
        self.refused = refusals.EVENT_INCOMPLETE.errors(fields)
        self.messages = self.refused.messages
        super().__init__("; ".join(self.messages))


class Transition:
    """A locked or new problem, and the changes that this transaction makes to it."""

    def __init__(
        self,
        services: Services,
        uow: UnitOfWork,
        problem: ServiceProblem,
        *,
        cause: Cause = Cause.TENANT,
    ) -> None:
        """Begin; an existing problem must be locked.

        `cause` is who makes the change: the back office is told of what others do.
        """
        self.services = services
        self.uow = uow
        self.problem = problem
        self._incident = problem.state.incident
        self._cause = cause
        self.now = services.business.now(problem.tenant)
        # The body of each KCI, with the reference of the change or resolution that it is about.
        self._kcis: list[tuple[dict[str, Any], str | None]] = []
        self._orders: list[WorkOrder] = []
        self._gateway_lane: LaneRow | None = None

    def apply(
        self,
        event: Event,
        content: KciContent = NO_CONTENT,
        *,
        change: ChangeRequest | None = None,
        resolution: Resolution | None = None,
        incident: str | None = None,
    ) -> None:
        """Apply `event` to the problem and create its KCIs.

        `change` is the amendment or cancellation that is applied or decided, `resolution` the one
        that is created or answered. Raises IllegalMove, and Incomplete when `content` lacks what a
        KCI must carry.
        """
        settles = settled_by(list(change.body)) if change else frozenset()
        steps = plan(self.problem.state, event, incident=incident, settles=settles)
        contents = [(step, content_of_step(self.problem, event, step, content)) for step in steps]
        # All are checked before the first is applied: an event is applied whole or not at all.
        for step, own in contents:
            if missing := lacking(step, own):
                raise Incomplete(step.event, missing, self.problem.state)
        notice = notice_of(event, steps) if event in REPORTED else None
        if notice not in self.services.order_kinds or not self.told():
            notice = None
        closed = None
        if notice is Notice.CHANGE_CLOSED:
            closed = ChangeRequestRepository(self.uow).pending(self.problem.id)
        about = {"incident": incident or self.problem.state.incident}
        for step, own in contents:
            self._apply_step(step, own, change or closed, resolution)
        if notice:
            about_resolution = None if closed else resolution
            self.order(notice, change=closed, resolution=about_resolution, subject=about)

    def order(
        self,
        kind: OrderKind,
        *,
        decide: bool = False,
        change: ChangeRequest | None = None,
        resolution: Resolution | None = None,
        subject: Mapping[str, Any] | None = None,
        deferred: Mapping[str, Any] | None = None,
        decide_by: datetime | None = None,
    ) -> None:
        """Tell the back office, if its adapter wants such orders.

        `subject` is what the order is about where that is no change and no resolution.
        """
        if kind not in self.services.order_kinds:
            return
        if decide and decide_by is None:
            decide_by = self.services.policy.decide_by(kind, self.now)
        if change:
            subject = change_entity(change)
        elif resolution:
            subject = resolution_entity(resolution)
        self._orders.append(
            WorkOrder(
                id=str(self._message_id("order", self.problem.next_order + len(self._orders))),
                kind=kind,
                tenant=self.problem.tenant,
                reference=self.problem.reference,
                issued=to_wire(self.now),
                standing=self.problem.state.beneath,
                decide=decide,
                problem=self.problem.document,
                subject=subject,
                deferred=deferred,
                cause=CAUSES.get(kind, self._cause),
                decide_by=to_wire(decide_by) if decide_by else None,
            )
        )

    def told(self) -> bool:
        """Return whether the back office has been told of the problem."""
        return self.problem.next_order > 1 or bool(self._orders)

    def has_undelivered(self) -> bool:
        """Return whether the gateway has not accepted all KCIs; locks the lane from here on."""
        return not self._lock_gateway_lane().idle

    def finish(self, *, gateway_asked: bool = False, not_before: datetime | None = None) -> None:
        """Store the problem and enqueue its KCIs and work orders.

        With `gateway_asked`, KCIs are held back until the answer to the gateway's request has had
        time to arrive. `not_before` (machine time) is the earliest time for these KCIs; it spreads
        those of an incident with many problems.
        """
        self.problem.updated = self.now
        orders_from = self.problem.next_order
        self.problem.next_order += len(self._orders)
        if not self.problem.id:
            ProblemRepository(self.uow).add(self.problem)
            self._open_lanes(orders_from, gateway_asked=gateway_asked)
            return
        ProblemRepository(self.uow).save(self.problem)
        if self._incident and self._incident != self.problem.state.incident:
            at = self.services.machine.now()
            IncidentRepository(self.uow).note_left(self._incident, self.problem.id, at)
        if gateway_asked or self._kcis:
            self._queue_kcis(gateway_asked, not_before)
        if self._orders:
            self._queue_orders(orders_from)

    # -- steps

    def _apply_step(
        self,
        step: LifecycleStep,
        content: KciContent,
        change: ChangeRequest | None,
        resolution: Resolution | None,
    ) -> None:
        was = self.problem.state
        self.problem.state = step.state
        if step.about is About.CHANGE:
            change = change or ChangeRequestRepository(self.uow).pending(self.problem.id)
            self._close_change(step, change)
        if step.about is About.RESOLUTION:
            resolution = resolution or ResolutionRepository(self.uow).current(self.problem.id)
            self._update_resolution(step, resolution)
        if step.event is Event.REOPEN:
            self._withdraw_resolution()
        if step.kci:
            self._add_kci(step, content, change, resolution)
        self._forget_what_is_settled(was, step, change)

    def _forget_what_is_settled(
        self, was: State, step: LifecycleStep, change: ChangeRequest | None
    ) -> None:
        """Delete the timers, and who has taken what, that the step makes pointless."""
        if step.state.terminal:
            TimerRepository(self.uow).delete_for(self.problem.id)
        elif was.base is Base.RESOLVED and step.state.base is not Base.RESOLVED:
            TimerRepository(self.uow).delete_for(self.problem.id, CLOSURE, CLOSURE_NOTICE)
        elif was.undecided and not step.state.undecided and self.services.policy.deadlines:
            TimerRepository(self.uow).delete_for(self.problem.id, *DEADLINES)
        if not self.problem.id:
            return
        if not step.state.needs_work:
            if was.needs_work:
                WorkItemRepository(self.uow).finished(self.problem.id)
        elif was.undecided and not step.state.undecided:
            asked = change.reference if was.asked and change else self.problem.reference
            WorkItemRepository(self.uow).decided(asked)

    def _close_change(self, step: LifecycleStep, change: ChangeRequest | None) -> None:
        if change is None or change.status is not ChangeStatus.PENDING:
            return
        if step.event is Event.REJECT_CHANGE:
            change.status = ChangeStatus.REJECTED
        else:
            change.status = ChangeStatus.COMPLETED
            if change.kind is Operation.AMENDMENT:
                self.problem.document = amended(self.problem.document, change.body)
        change.decided = self.now
        ChangeRequestRepository(self.uow).save(change)

    def _update_resolution(self, step: LifecycleStep, resolution: Resolution | None) -> None:
        assert resolution is not None  # only a resolved problem has such steps
        if step.event is Event.RESOLVE:
            ResolutionRepository(self.uow).add(resolution)
            self._set_closure_timers(resolution)
            return
        if step.event in CLOSING:
            resolution.status = ResolutionStatus.ACCEPTED
            resolution.closed_date = self.now
        elif step.event is Event.REJECT_RESOLUTION:
            resolution.status = ResolutionStatus.REJECTED
        ResolutionRepository(self.uow).save(resolution)

    def _withdraw_resolution(self) -> None:
        """Take back the resolution that the tenant has not answered; no KCI carries it again."""
        resolution = ResolutionRepository(self.uow).current(self.problem.id)
        assert resolution is not None  # the problem was resolved
        resolution.status = ResolutionStatus.WITHDRAWN
        resolution.closed_date = self.now
        ResolutionRepository(self.uow).save(resolution)

    def _set_closure_timers(self, resolution: Resolution) -> None:
        for kind, due_at in closure_times(self.services, self.now):
            TimerRepository(self.uow).add(
                Timer(self.problem.id, self.problem.tenant, kind, due_at, resolution.reference)
            )

    # -- KCIs

    def _add_kci(
        self,
        step: LifecycleStep,
        content: KciContent,
        change: ChangeRequest | None,
        resolution: Resolution | None,
    ) -> None:
        assert step.kci is not None
        problem = self.problem
        change = change if step.about is About.CHANGE else None
        resolution = resolution if step.about is About.RESOLUTION else None
        about = change or resolution
        issued = self._issued()
        body = kci(
            KciStamp(self._message_id("kci", problem.next_kci), problem.next_kci, issued),
            step.kci,
            problem,
            content,
            change=change,
            resolution=resolution,
        )
        if problem.left_out:
            add_gap_notes(body, problem.left_out, issued)
            problem.left_out = None
        problem.next_kci += 1
        self._kcis.append((body, about.reference if about else None))

    def _message_id(self, kind: str, number: int) -> UUID:
        problem = self.problem
        return self.services.id_source.message_id(problem.tenant, kind, problem.gateway_id, number)

    def _issued(self) -> datetime:
        # `issuedOn` rises within a problem, even when two changes fall into one millisecond.
        last = self.problem.last_issued
        issued = self.now if last is None else max(self.now, last + ONE_MS)
        issued = issued.replace(microsecond=issued.microsecond // 1000 * 1000)
        self.problem.last_issued = issued
        return issued

    # -- lanes

    def _open_lanes(self, orders_from: int, *, gateway_asked: bool) -> None:
        """Create the lanes of a new problem, with its first messages."""
        now = self.services.machine.now()
        not_before = now + self.services.policy.settling if gateway_asked else None
        lanes = [
            NewLane(GATEWAY, not_before, self._kci_messages(not_before)),
            NewLane(BACK_OFFICE, None, self._order_messages(orders_from)),
        ]
        LaneRepository(self.uow).open(self.problem.id, self.problem.tenant, lanes, now)

    def _lock_gateway_lane(self) -> LaneRow:
        if self._gateway_lane is None:
            self._gateway_lane = LaneRepository(self.uow).lock(self.problem.id, GATEWAY)
        return self._gateway_lane

    def _queue_kcis(self, gateway_asked: bool, spread: datetime | None) -> None:
        lane = self._lock_gateway_lane()
        now = self.services.machine.now()
        held = now + self.services.policy.settling if gateway_asked else lane.not_before
        not_before = max(spread, held or spread) if spread else held
        LaneRepository(self.uow).add(lane, self._kci_messages(not_before), now, held)

    def _queue_orders(self, first: int) -> None:
        lane = LaneRepository(self.uow).lock(self.problem.id, BACK_OFFICE)
        now = self.services.machine.now()
        LaneRepository(self.uow).add(lane, self._order_messages(first), now, lane.not_before)

    def _kci_messages(self, not_before: datetime | None) -> list[NewMessage]:
        return [
            NewMessage(
                number=body["sequenceNumber"],
                uuid=body["id"],
                kind=body["reasonCode"],
                subject=subject,
                conversation_id=self.problem.conversation_id,
                body=orjson.dumps(body).decode(),
                contract=self.services.contract,
                not_before=not_before,
            )
            for body, subject in self._kcis
        ]

    def _order_messages(self, first: int) -> list[NewMessage]:
        return [
            NewMessage(
                number=number,
                uuid=order.id,
                kind=order.kind,
                subject=order.subject.get("supplierReference") if order.subject else None,
                conversation_id=self.problem.conversation_id,
                body=order.to_body(),
                body_version=order.body_version,
                contract=self.services.contract,
            )
            for number, order in enumerate(self._orders, first)
        ]


def closure_times(services: Services, since: datetime) -> list[tuple[str, datetime]]:
    """Return when a resolved problem closes without an answer, and when the notice is due.

    `since` is when the tenant's time begins (business time). There is no notice when the closure
    time is not longer than the notice time.
    """
    times = [(CLOSURE, since + services.policy.closure)]
    if services.policy.closure > services.policy.notice:
        times.insert(0, (CLOSURE_NOTICE, since + services.policy.closure - services.policy.notice))
    return times


class TooManyCharacteristics(Exception):
    """The problem would have more characteristics than the contract allows."""

    def __init__(self) -> None:
        """Name the limit."""
        super().__init__(refusals.TOO_MANY_CHARACTERISTICS.message(maximum=CHARACTERISTICS_MAX))


def amended(document: Mapping[str, Any], amendment: Mapping[str, Any]) -> dict[str, Any]:
    """Return the problem's document with the amendment's fields (*supplier-amend*).

    Raises TooManyCharacteristics.
    """
    changed = with_amendment(document, amendment)
    if len(changed.get("characteristics", ())) > CHARACTERISTICS_MAX:
        raise TooManyCharacteristics
    return changed
