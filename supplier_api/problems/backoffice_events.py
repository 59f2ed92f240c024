"""The use cases of events from the back office, and of its answers to work orders."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from supplier_api import contract
from supplier_api.contract import RequestRefused, refusals
from supplier_api.contract.codes import ChangeStatus, ResolutionStatus
from supplier_api.db import UnitOfWork
from supplier_api.db.operator_actions import Action, Operator, OperatorActionRepository
from supplier_api.outbox.messages import MessageRepository
from supplier_api.problems.kci import KciContent, cancelled_code
from supplier_api.problems.lifecycle import Event, IllegalMove
from supplier_api.problems.model import ChangeRequest, Resolution, ServiceProblem, State
from supplier_api.problems.next_events import legal_for_back_office
from supplier_api.problems.notices import event_as_subject
from supplier_api.problems.parts_repository import (
    BackOfficeEventRepository,
    ChangeRequestRepository,
    RecordedEvent,
)
from supplier_api.problems.repository import ProblemRepository
from supplier_api.problems.services import EventAnswer, Services
from supplier_api.problems.ticket_repository import TicketRepository
from supplier_api.problems.timer_repository import Timer, TimerRepository
from supplier_api.problems.transition import (
    Incomplete,
    Transition,
)
from supplier_api.problems.work import (
    BackOfficeEvent,
    Cause,
    LaterEvent,
    Notice,
    OrderAnswer,
    WorkOrder,
)
from supplier_api.problems.work_item_repository import WorkItemRepository
from supplier_api.rules.model import Operation

LATER = "back-office-event"
# How many references are listed when a name matches several problems.
LISTED_MAX = 3


class BackOfficeEvents:
    """Applies to problems what the back office says: events, and answers to work orders."""

    def __init__(self, services: Services) -> None:
        """Work with `services`."""
        self._services = services

    def event(
        self,
        name: str,
        event: BackOfficeEvent,
        versions: Collection[int] | None = None,
        by: Operator | None = None,
    ) -> EventAnswer:
        """Apply an event to the problem that `name` identifies, in its own transaction.

        `name` is our reference, the gateway's id or the back office's ticket. `by` is the operator
        who says so, None for the back office, which is told of an operator's event. With
        `versions`, the problem must have one of them. Returns 200 with reference and status; 404;
        409 with the state and the legal events, stored like the 200 and returned again for the same
        event id; 412 for another version; 422 for an incomplete event or a name that matches
        several problems. Raises db.StoreUnavailable.
        """

        def work(uow: UnitOfWork) -> EventAnswer:
            ids = ProblemRepository(uow).find_any(name)
            if not ids:
                return self._refused(refusals.UNKNOWN_REFERENCE.error())
            if len(ids) > 1:
                return self._refused(_ambiguous(uow, ids))
            if by is None:
                return self.apply(uow, ids[0], event, versions=versions)
            return self._apply_by(uow, ids[0], event, by, versions)

        try:
            return self._services.store.write(work)
        except Incomplete as error:
            return self._refused(error.refused, error.state)

    def apply(
        self,
        uow: UnitOfWork,
        problem_id: int,
        event: BackOfficeEvent,
        cause: Cause = Cause.BACK_OFFICE,
        versions: Collection[int] | None = None,
    ) -> EventAnswer:
        """Apply an event within a transaction; an illegal one is recorded and changes nothing.

        Raises Incomplete, before anything is written.
        """
        problem = ProblemRepository(uow).lock(problem_id)
        content = _as_stored(event)
        if recorded := BackOfficeEventRepository(uow).recorded(problem_id, event.id):
            return self._again(recorded, content, problem)
        if versions is not None and problem.version not in versions:
            return self.stale(problem)
        transition = Transition(self._services, uow, problem, cause=cause)
        try:
            _apply_event(transition, event)
            if cause is not Cause.BACK_OFFICE and transition.told():
                transition.order(Notice.EVENT, subject=event_as_subject(event))
            transition.finish()
            answer = EventAnswer(200, _reference_and_status(problem))
        except IllegalMove as error:
            answer = self._conflict(error)
        BackOfficeEventRepository(uow).add(
            RecordedEvent(
                problem_id,
                event.id,
                event.event,
                contract.fingerprint(content),
                answer.status,
                answer.body,
                transition.now,
            )
        )
        return replace(answer, version=problem.version)

    def _apply_by(
        self,
        uow: UnitOfWork,
        problem_id: int,
        event: BackOfficeEvent,
        by: Operator,
        versions: Collection[int] | None,
    ) -> EventAnswer:
        """Apply an operator's event, and record who said it and why; a repeat is not recorded."""
        before = ProblemRepository(uow).lock(problem_id)
        repeated = BackOfficeEventRepository(uow).recorded(problem_id, event.id)
        answer = self.apply(uow, problem_id, event, Cause.OPERATOR, versions)
        if repeated or not BackOfficeEventRepository(uow).recorded(problem_id, event.id):
            return answer
        detail = {
            "id": event.id,
            "before": str(before.state),
            "after": str(ProblemRepository(uow).get(problem_id).state),
            "answer": answer.status,
        }
        OperatorActionRepository(uow).add(
            Action(
                at=self._services.machine.now(),
                who=by.who,
                action=f"event {event.event}",
                reason=by.reason,
                tenant=before.tenant,
                problem_id=problem_id,
                detail=detail,
            )
        )
        return answer

    def order_answered(
        self, uow: UnitOfWork, problem_id: int, order: WorkOrder, answer: OrderAnswer
    ) -> None:
        """Apply the back office's answer to a work order, in the transaction that completes it."""
        if answer.back_office_id:
            self._store_ticket(uow, problem_id, order, answer)
        if answer.version is not None:
            self._store_version(uow, problem_id, answer.version, answer.back_office_id)
        if answer.for_people and _left_to_do(uow, problem_id, order):
            WorkItemRepository(uow).add(problem_id, order)
        for event in answer.events:
            self.apply(uow, problem_id, event)
        for later in answer.later:
            self._set_event_timer(uow, problem_id, later)

    def _store_ticket(
        self, uow: UnitOfWork, problem_id: int, order: WorkOrder, answer: OrderAnswer
    ) -> None:
        MessageRepository(uow).ticket(order.id, answer.back_office_id, answer.back_office_url)
        problem = ProblemRepository(uow).lock(problem_id)
        change = None
        if order.subject and order.kind in (Operation.AMENDMENT, Operation.CANCELLATION):
            change = ChangeRequestRepository(uow).find(
                problem_id, order.subject["supplierReference"]
            )
        if change:
            change.back_office_url = _url(change, answer.back_office_id, answer.back_office_url)
            change.back_office_id = answer.back_office_id
            ChangeRequestRepository(uow).save(change)
        elif order.kind is Operation.PROBLEM:
            problem.back_office_url = _url(problem, answer.back_office_id, answer.back_office_url)
            problem.back_office_id = answer.back_office_id
            ProblemRepository(uow).save(problem)

    def _store_version(
        self, uow: UnitOfWork, problem_id: int, version: int, name: str | None
    ) -> None:
        """Keep the version that our order made: snapshots that only echo it are known by that."""
        problem = ProblemRepository(uow).lock(problem_id)
        name = name or problem.back_office_id
        if name is None:
            return
        tickets = TicketRepository(uow, self._services.adapter)
        known = tickets.find(name)
        owners = [known.owner] if known else tickets.owners(name)
        if len(owners) == 1:
            tickets.save(name, owners[0], version, heard=None)

    def _set_event_timer(self, uow: UnitOfWork, problem_id: int, later: LaterEvent) -> None:
        problem = ProblemRepository(uow).lock(problem_id)
        if problem.state.terminal:
            return
        due_at = self._services.business.now(problem.tenant) + later.after
        TimerRepository(uow).add(
            Timer(
                problem_id, problem.tenant, LATER, due_at, later.event.id, _as_stored(later.event)
            )
        )

    def _again(
        self, recorded: RecordedEvent, content: Mapping[str, Any], problem: ServiceProblem
    ) -> EventAnswer:
        """Return the answer to an event whose id was there before."""
        if not contract.is_fingerprint_of(recorded.fingerprint, content):
            return self._refused(refusals.EVENT_ID_USED.error(id=recorded.event_id))
        # Retention has removed the stored answer where the problem ended long ago.
        return EventAnswer(recorded.status_code, recorded.body or _reference_and_status(problem))

    def _conflict(self, error: IllegalMove) -> EventAnswer:
        cause = refusals.EVENT_IMPOSSIBLE.error(event=error.event, state=error.state)
        return self._refused(cause, error.state)

    def stale(self, problem: ServiceProblem) -> EventAnswer:
        """Return the 412 for whoever wanted another version of the problem."""
        cause = refusals.PROBLEM_CHANGED.error(version=problem.version, state=problem.state)
        return replace(self._refused(cause, problem.state), version=problem.version)

    def _refused(self, error: RequestRefused, state: State | None = None) -> EventAnswer:
        uuid = str(self._services.id_source.uuid(""))
        body = error.answer.body(error.messages, uuid)
        return EventAnswer(error.answer.status, body | (_where(state) if state else {}))


def _ambiguous(uow: UnitOfWork, ids: Sequence[int]) -> RequestRefused:
    """Return the refusal of a name that matches several problems, with the first few of them."""
    first = [ProblemRepository(uow).get(problem_id) for problem_id in ids[:LISTED_MAX]]
    return refusals.AMBIGUOUS_REFERENCE.error(
        count=len(ids), references=references_of(first, len(ids))
    )


def references_of(first: Sequence[ServiceProblem], count: int) -> str:
    """Name the first few of `count` problems that have a name in common, for a refusal."""
    each = ", ".join(f"{problem.reference} of {problem.tenant}" for problem in first[:LISTED_MAX])
    return each + (f" and {count - LISTED_MAX} more" if count > LISTED_MAX else "")


def _reference_and_status(problem: ServiceProblem) -> dict[str, Any]:
    status: str = problem.state.status or problem.state.base
    return {"reference": problem.reference, "status": status}


def event_from(data: dict[str, Any]) -> BackOfficeEvent:
    """Read an event back from its stored form."""
    return BackOfficeEvent(
        **{
            **data,
            "event": Event(data["event"]),
            "supplier_codes": tuple(data["supplier_codes"]),
        }
    )


def _left_to_do(uow: UnitOfWork, problem_id: int, order: WorkOrder) -> bool:
    """Return whether an order is work still: it may arrive after the problem's end, or a decision.

    Of a cancellation and of an answer to a resolution people take note after the end, too.
    """
    needs_open = order.kind in (Operation.PROBLEM, Operation.AMENDMENT)
    if needs_open and not ProblemRepository(uow).get(problem_id).state.needs_work:
        return False
    if not (order.decide and order.subject):
        return True
    change = ChangeRequestRepository(uow).find(problem_id, order.subject["supplierReference"])
    return change is not None and change.status is ChangeStatus.PENDING


def _where(state: State) -> dict[str, Any]:
    """Return where a problem stands and what is possible there, as refusals say it."""
    return {"state": str(state), "legalEvents": legal_for_back_office(state)}


def _as_stored(event: BackOfficeEvent) -> dict[str, Any]:
    return {**asdict(event), "supplier_codes": list(event.supplier_codes)}


def _url(known: ServiceProblem | ChangeRequest, ticket: str | None, url: str | None) -> str | None:
    """Return the URL of a ticket; a ticket that is sent again without one keeps its URL."""
    return url or (known.back_office_url if known.back_office_id == ticket else None)


def _apply_event(transition: Transition, event: BackOfficeEvent) -> None:
    if event.back_office_id and not event.change_reference:
        url = _url(transition.problem, event.back_office_id, event.back_office_url)
        transition.problem.back_office_id, transition.problem.back_office_url = (
            event.back_office_id,
            url,
        )
    content = KciContent(event.problem_code, event.text, event.supplier_codes, event.note)
    HANDLERS.get(event.event, _apply_plain)(transition, event, content)


def _apply_plain(transition: Transition, event: BackOfficeEvent, content: KciContent) -> None:
    transition.apply(event.event, content)


def _accept(transition: Transition, event: BackOfficeEvent, content: KciContent) -> None:
    incident = transition.problem.state.incident
    transition.apply(Event.ACCEPT, content)
    if event.commit:
        transition.apply(Event.START)
    if incident:
        transition.apply(Event.JOIN_INCIDENT, incident=incident)


def _note(transition: Transition, _event: BackOfficeEvent, content: KciContent) -> None:
    transition.apply(Event.NOTE if content.text else Event.UPDATE, content)


def _resolve(transition: Transition, event: BackOfficeEvent, content: KciContent) -> None:
    if event.resolution is None:
        raise Incomplete(event.event, ["resolution"], transition.problem.state)
    details = dict(event.resolution)
    violations = list(details.pop("slaViolation", []))
    resolution = Resolution(
        problem_id=transition.problem.id,
        reference=transition.services.reference(
            transition.problem.tenant,
            "resolution",
            transition.problem.gateway_id,
            transition.problem.next_kci,
        ),
        status=ResolutionStatus.PENDING,
        details=details,
        resolved_date=transition.now,
        sla_violation=violations,
    )
    transition.apply(Event.RESOLVE, content, resolution=resolution)


def _decide_change(transition: Transition, event: BackOfficeEvent, content: KciContent) -> None:
    if event.change_reference is None:
        raise Incomplete(event.event, ["changeReference"], transition.problem.state)
    change = ChangeRequestRepository(transition.uow).find(
        transition.problem.id, event.change_reference
    )
    if change is None or change.status is not ChangeStatus.PENDING:
        raise IllegalMove(transition.problem.state, event.event)
    if event.back_office_id:
        change.back_office_url = _url(change, event.back_office_id, event.back_office_url)
        change.back_office_id = event.back_office_id
    transition.apply(event.event, _with_code(content, event, change), change=change)


def _with_code(content: KciContent, event: BackOfficeEvent, change: ChangeRequest) -> KciContent:
    has_code = content.problem_code is not None or event.event is Event.REJECT_CHANGE
    if has_code or change.kind is Operation.AMENDMENT:
        return content
    return KciContent(cancelled_code(change), content.text, content.supplier_codes, content.note)


HANDLERS: dict[Event, Callable[[Transition, BackOfficeEvent, KciContent], None]] = {
    Event.ACCEPT: _accept,
    Event.NOTE: _note,
    Event.RESOLVE: _resolve,
    Event.ACCEPT_CHANGE: _decide_change,
    Event.REJECT_CHANGE: _decide_change,
}
