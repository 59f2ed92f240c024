"""The read model of one problem: requests, answers, events, messages, timers, and what comes next.

For people and their tools, so it holds no personal data: codes, ids, dates and states only. What
the tenant wrote is in `contents`, for the back office alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from supplier_api.clock import to_wire
from supplier_api.contract.field_table import AMENDABLE, with_amendment
from supplier_api.db import UnitOfWork
from supplier_api.db.operator_actions import MAINTENANCE, SwitchRepository
from supplier_api.outbox.model import MessageState
from supplier_api.outbox.pauses import PauseCause, PauseRepository
from supplier_api.outbox.repository import LaneRepository
from supplier_api.problems.decision_repository import DecisionRepository
from supplier_api.problems.kci import change_entity
from supplier_api.problems.model import Awaits, Base, ServiceProblem, State, Waiting
from supplier_api.problems.next_events import legal_for_back_office, must_carry
from supplier_api.problems.parts_repository import ChangeRequestRepository
from supplier_api.problems.repository import ProblemRepository
from supplier_api.problems.timeline import KCIS, request, timeline
from supplier_api.problems.timer_repository import TimerRepository

WAITS = {
    Base.UNDECIDED: "the supplier: to accept or reject the problem",
    Base.ACKNOWLEDGED: "the supplier: to start work",
    Base.IN_PROGRESS: "the supplier: to resolve it",
    Base.RESOLVED: "the tenant: to accept or reject the resolution",
    Waiting.HELD: "the supplier: to resume work",
    Waiting.NETWORK_INCIDENT: "the network incident to end",
}
AWAITS = {
    Awaits.INFORMATION: "the tenant: to amend with the information asked for",
    Awaits.APPOINTMENT: "the tenant: to book an appointment and amend",
}
_PAUSES = {
    PauseCause.OPERATOR: "paused by an operator",
    PauseCause.BREAKER: "the breaker is open",
    PauseCause.ASKED: "the receiver asked us to wait",
}


def find(uow: UnitOfWork, name: str) -> list[ServiceProblem]:
    """Return the problems that match `name`: a reference, gateway id, service id and so on."""
    return [
        ProblemRepository(uow).get(problem_id)
        for problem_id in ProblemRepository(uow).find_any(name)
    ]


def show(uow: UnitOfWork, problem: ServiceProblem, *, people: bool = False) -> dict[str, Any]:
    """Return everything about a problem as plain JSON values.

    With `people` the time line says who did what and why: names, and texts that may be personal.
    """
    messages = LaneRepository(uow).messages_of(problem.id)
    legal = legal_for_back_office(problem.state)
    return {
        **summary(problem),
        "conversationId": problem.conversation_id,
        "base": problem.state.base,
        "waiting": problem.state.waiting,
        "asked": problem.state.asked,
        "incident": problem.state.incident,
        "area": problem.area,
        "exchange": problem.exchange,
        "parent": problem.parent,
        "parentUnknown": _unknown_parent(problem),
        "backOfficeId": problem.back_office_id,
        "backOfficeUrl": problem.back_office_url,
        "linkedTo": problem.linked_to,
        "doubtful": problem.doubtful,
        "backOfficeUntold": problem.back_office_untold,
        "leftOut": problem.left_out or [],
        "escalations": ChangeRequestRepository(uow).escalations(problem.id),
        "version": problem.version,
        "timeline": timeline(uow, problem, messages, people=people),
        "timers": [
            {"kind": timer.kind, "dueAt": to_wire(timer.due_at), "subject": timer.subject}
            for timer in TimerRepository(uow).of(problem.id)
        ],
        "waitsFor": waits_for(problem.state, _dead_kci(problem, messages)),
        "legalEvents": [str(event) for event in legal],
        "mustCarry": {str(event): must_carry(problem, event) for event in legal},
        "pendingChange": _pending_change(uow, problem),
    }


def refused(uow: UnitOfWork, gateway_id: str) -> list[dict[str, Any]]:
    """Return the requests under an id of the gateway that no problem came of, of all tenants.

    Beside what the time line says of a request they have the tenant and the code of the answer.
    """
    if not gateway_id.isdecimal():
        return []
    return [
        {"tenant": row["tenant"], **request(row), "code": (row["body"] or {}).get("code", "")}
        for row in DecisionRepository(uow).refused(gateway_id)
    ]


def whole(uow: UnitOfWork, problem_id: int, now: datetime) -> tuple[ServiceProblem, dict[str, Any]]:
    """Return a problem and all of it, with what the tenant wrote, at `now` (machine time)."""
    problem = ProblemRepository(uow).get(problem_id)
    return problem, {**with_holds(uow, problem, now), **contents(uow, problem)}


def with_holds(uow: UnitOfWork, problem: ServiceProblem, now: datetime) -> dict[str, Any]:
    """Return what `show` does, and what holds the problem up at `now` (machine time)."""
    return {**show(uow, problem), "heldUp": held_up(uow, problem, now)}


def contents(uow: UnitOfWork, problem: ServiceProblem) -> dict[str, Any]:
    """Return what the tenant wrote: the problem as it is now, and the change that is undecided."""
    change = ChangeRequestRepository(uow).pending(problem.id)
    return {"document": problem.document, "change": change_entity(change) if change else None}


def differences(
    document: Mapping[str, Any], amendment: Mapping[str, Any]
) -> list[tuple[str, Any, Any]]:
    """Return the fields that an amendment changes: name, value now and then, None for none.

    What it asks for beside the problem's own fields, such as an escalation, is one of them.
    """
    amended = with_amendment(document, amendment)
    asked = {name: value for name, value in amendment.items() if name in AMENDABLE}
    return [
        (name, document.get(name), then)
        for name, then in {**asked, **amended}.items()
        if document.get(name) != then and (name in asked or name in document)
    ]


def _unknown_parent(problem: ServiceProblem) -> str | None:
    """Say which problem the tenant named as the parent, if it was none of its own."""
    if not problem.parent_unknown:
        return None
    names = ("parentServiceProblemId", "parentServiceProblemReference")
    named = ", ".join(str(problem.document[name]) for name in names if name in problem.document)
    return f"{named}: the tenant had no such problem when this one was raised"


def _pending_change(uow: UnitOfWork, problem: ServiceProblem) -> dict[str, Any] | None:
    change = ChangeRequestRepository(uow).pending(problem.id)
    if change is None:
        return None
    return {
        "kind": change.kind,
        "reference": change.reference,
        "gatewayId": change.gateway_id,
        "created": to_wire(change.created),
        "backOfficeId": change.back_office_id,
        "backOfficeUrl": change.back_office_url,
    }


def summary(problem: ServiceProblem) -> dict[str, Any]:
    """Return the short form of a problem, for lists, as plain JSON values."""
    return {
        "reference": problem.reference,
        "tenant": problem.tenant,
        "gatewayId": problem.gateway_id,
        "serviceId": problem.service_id,
        "status": problem.state.status or problem.state.base,
        "created": to_wire(problem.created),
        "updated": to_wire(problem.updated),
    }


@dataclass(frozen=True, slots=True)
class Obstacle:
    """What holds a problem up, or keeps it from going on: a sentence, and where to look.

    `kci` is the name of the KCI that it is about; `command` shows more of it.
    """

    text: str
    command: str | None = None
    kci: str | None = None

    def __str__(self) -> str:
        """Return the sentence as the commands say it."""
        return f"{self.text}; look with `{self.command}`" if self.command else self.text


def held_up(uow: UnitOfWork, problem: ServiceProblem, now: datetime) -> list[str]:
    """Return a sentence for each thing that holds a problem up at `now` (machine time)."""
    return [str(each) for each in obstacles(uow, problem, now)]


def obstacles(uow: UnitOfWork, problem: ServiceProblem, now: datetime) -> list[Obstacle]:
    """Return what holds a problem up at `now` (machine time)."""
    found = []
    if dead := dead_kci(uow, problem):
        found.append(_of_kci(f"{dead} was not taken: the later KCIs wait behind it", dead))
    found += [
        Obstacle(
            f"{pause.scope.destination or 'everything'}: {_PAUSES[pause.cause]} since"
            f" {to_wire(pause.since)}",
            "supplier-api delivery list",
        )
        for pause in PauseRepository(uow).active(now)
        if pause.scope.tenant in {None, problem.tenant}
        and pause.scope.problem_id in {None, problem.id}
    ]
    undecided = problem.state.base is Base.UNDECIDED or problem.state.asked
    if undecided and (on := SwitchRepository(uow).get(MAINTENANCE)):
        found.append(
            Obstacle(
                f"maintenance is on since {to_wire(on.since)}: nothing is decided until it ends"
            )
        )
    if problem.doubtful:
        found.append(Obstacle("our answer was late or lost: the gateway may not know this problem"))
    return found


def dead_kci(uow: UnitOfWork, problem: ServiceProblem) -> str | None:
    """Name the KCI, as `REFERENCE#NUMBER`, without which the gateway does not know the rest.

    That is the first one that was refused or grew too old, unless a later one was delivered.
    """
    return _dead_kci(problem, LaneRepository(uow).messages_of(problem.id))


def _dead_kci(problem: ServiceProblem, messages: Sequence[Mapping[str, Any]]) -> str | None:
    kcis = [row for row in messages if row["kind"] in KCIS]
    delivered = [row["number"] for row in kcis if row["state"] == MessageState.DELIVERED]
    dead = [
        row["number"]
        for row in kcis
        if row["state"] in (MessageState.REFUSED, MessageState.EXPIRED)
        and row["number"] > max(delivered, default=0)
    ]
    return f"{problem.reference}#{min(dead)}" if dead else None


def _of_kci(text: str, name: str) -> Obstacle:
    return Obstacle(text, f"supplier-api kci show {name}", name)


def waits_for(state: State, dead: str | None = None) -> str | None:
    """Say whom and what a problem waits for; None for one that is over.

    Where a tenant is waited for, `dead` is the KCI, if any, without which it was told nothing.
    """
    waits = awaited(state, dead)
    return str(waits) if waits else None


def awaited(state: State, dead: str | None = None) -> Obstacle | None:
    """Return the same with where to look."""
    waits = _waits_for(state)
    if dead and waits and waits.startswith("the tenant"):
        return _of_kci(f"an operator: the tenant was not told, for {dead} was not taken", dead)
    return Obstacle(waits) if waits else None


def _waits_for(state: State) -> str | None:
    if state.asked:
        return f"the supplier: to decide on the {state.asked}"
    if state.awaits:
        return AWAITS[state.awaits]
    return WAITS.get(state.beneath)
