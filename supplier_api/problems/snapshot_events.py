"""Which events a snapshot stands for, under which ids: its problem's, or its change's decision."""

from hashlib import sha256

from supplier_api.contract import MessageError, load
from supplier_api.contract.codes import ChangeStatus
from supplier_api.contract.fields import Items, Object, Text, long_text
from supplier_api.contract.limits import SUPPLIER_CODE_MAX
from supplier_api.contract.loading import make
from supplier_api.contract.schemas import RESOLUTION_DETAILS
from supplier_api.db import UnitOfWork
from supplier_api.problems.lifecycle import Event
from supplier_api.problems.model import ServiceProblem
from supplier_api.problems.parts_repository import ChangeRequestRepository
from supplier_api.problems.snapshot import ChangeDecision, Snapshot, Wanted
from supplier_api.problems.ticket_repository import TicketOwner
from supplier_api.problems.ticket_ways import Apart, NotFollowed, WayStep, way_to
from supplier_api.problems.work import BackOfficeEvent

EVENT_ID_MAX = 100
# What a snapshot brings for KCIs must fit the contract.
_CONTENT = make(
    "SnapshotContent",
    {
        "text": long_text("What the tenant is told", "The cabinet cannot be reached before noon."),
        "supplierCodes": Items(
            Text("A code of the supplier", maximum=SUPPLIER_CODE_MAX), "Reason codes", ["313"]
        ),
        "note": Object(
            make(
                "SnapshotNote",
                {
                    "note": Text("The note", "Joint replaced.", required=True),
                    "type": Text("What kind of note it is", "Engineer Note"),
                },
            ),
            "A note for the tenant",
        ),
        "resolution": Object(
            make(
                "SnapshotResolution",
                {
                    **RESOLUTION_DETAILS.fields,
                    "slaViolation": Items(Text("A violated SLA"), "Violated SLAs", ["REPAIR"]),
                },
            ),
            "What was found and done",
        ),
    },
)


def events_of(
    uow: UnitOfWork, snapshot: Snapshot, owner: TicketOwner, problem: ServiceProblem
) -> list[BackOfficeEvent]:
    """Return the events that a snapshot stands for; raises NotFollowed."""
    if snapshot.trouble:
        raise NotFollowed(Apart.UNMAPPED, snapshot.trouble)
    if owner.change_reference is None and snapshot.wanted:
        return _on_problem(snapshot, snapshot.wanted, problem)
    if snapshot.decision is None:
        return []
    changes = ChangeRequestRepository(uow)
    if owner.change_reference is None:
        # One ticket for the problem and for what is asked about it.
        change = changes.pending(problem.id)
        own = change is not None and change.back_office_id in (None, snapshot.ticket)
        return _on_change(snapshot, snapshot.decision, change.reference) if change and own else []
    change = changes.find(problem.id, owner.change_reference)
    if change is None:
        return []
    if change.status is ChangeStatus.PENDING:
        return _on_change(snapshot, snapshot.decision, change.reference)
    if (change.status is ChangeStatus.COMPLETED) is not snapshot.decision.accept:
        why = f"the {change.kind} is {change.status} already"
        raise NotFollowed(Apart.DECIDED, why)
    return []


def _on_problem(
    snapshot: Snapshot, wanted: Wanted, problem: ServiceProblem
) -> list[BackOfficeEvent]:
    way = way_to(problem.state, wanted)
    if way:
        _check(wanted)
    last = len(way) - 1
    return [
        _event(snapshot, number, step, wanted, last=number == last)
        for number, step in enumerate(way)
    ]


def _event(
    snapshot: Snapshot, number: int, step: WayStep, wanted: Wanted, *, last: bool
) -> BackOfficeEvent:
    """Return one event on the way; the last one carries what the ticket says."""
    return BackOfficeEvent(
        id=_event_id(snapshot, number),
        event=step.event,
        problem_code=wanted.problem_code if last else None,
        text=wanted.text if last else None,
        supplier_codes=wanted.supplier_codes if last else (),
        note=wanted.note if last else None,
        commit=step.commit,
        resolution=wanted.resolution if step.event is Event.RESOLVE else None,
    )


def _on_change(
    snapshot: Snapshot, decision: ChangeDecision, reference: str
) -> list[BackOfficeEvent]:
    _check(decision)
    return [
        BackOfficeEvent(
            id=_event_id(snapshot, 0),
            event=Event.ACCEPT_CHANGE if decision.accept else Event.REJECT_CHANGE,
            problem_code=decision.problem_code,
            text=decision.text,
            supplier_codes=decision.supplier_codes,
            note=decision.note,
            change_reference=reference,
        )
    ]


def _check(said: Wanted | ChangeDecision) -> None:
    """Raise NotFollowed where what the KCIs would carry breaks the contract."""
    content = {
        "text": said.text,
        "supplierCodes": list(said.supplier_codes) or None,
        "note": said.note,
        "resolution": said.resolution if isinstance(said, Wanted) else None,
    }
    try:
        load(_CONTENT, {name: value for name, value in content.items() if value is not None})
    except MessageError as error:
        raise NotFollowed(Apart.INVALID, "; ".join(error.messages)) from error


def _event_id(snapshot: Snapshot, number: int) -> str:
    """Return the id of an event: TICKET:VERSION:NUMBER, or of a long ticket its digest's."""
    name = f"{snapshot.ticket}:{snapshot.version}:{number}"
    if len(name) <= EVENT_ID_MAX:
        return name
    return f"{sha256(snapshot.ticket.encode()).hexdigest()}:{snapshot.version}:{number}"
