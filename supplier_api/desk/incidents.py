"""Network incidents: many problems that wait for one thing.

Declaring and ending are quick; the problems join and leave in small transactions, by a timer that
comes back until it has seen them all. Their KCIs leave spread over time, so that those of other
problems do not wait behind thousands of them.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from supplier_api.desk.case import Case
from supplier_api.desk.model import Office
from supplier_api.observability import get_logger
from supplier_api.problems.lifecycle import Event, IllegalMove
from supplier_api.problems.model import Base, State
from supplier_api.store import UnitOfWork
from supplier_api.store.timers import Timer

JOIN = "join-incident"
LEAVE = "leave-incident"
BATCH = 100
# A create that did not see the declaration is committed by then: look once more.
SECOND_LOOK = timedelta(seconds=10)
# One KCI of an incident leaves in this time: a small part of what a worker can send.
KCI_EVERY = timedelta(milliseconds=50)
log = get_logger(__name__)


class Incidents:
    """The incidents that the supplier declares and ends."""

    def __init__(self, office: Office) -> None:
        """Work with `office`."""
        self._office = office

    def declare(self, code: str, services: Sequence[str], text: str | None = None) -> bool:
        """Declare an incident over `services`; their problems join it soon, each with a KCI.

        Returns False if an incident of this code was declared before. Raises StoreUnavailable.
        """

        def work(uow: UnitOfWork) -> bool:
            uow.incidents.lock(shared=False)
            new = uow.incidents.declare(code, services, text, self._office.machine.now())
            if new:
                self._set(uow, JOIN, code)
            return new

        return self._office.store.write(work)

    def end(self, code: str) -> bool:
        """End an incident; its problems leave it soon. Returns False if none of that code lasts."""

        def work(uow: UnitOfWork) -> bool:
            uow.incidents.lock(shared=False)
            ended = uow.incidents.end(code, self._office.machine.now())
            if ended:
                self._set(uow, LEAVE, code)
            return ended

        return self._office.store.write(work)

    def join_some(self, uow: UnitOfWork, timer: Timer) -> datetime | None:
        """Let the next problems join the incident; return when to come back, None when done."""
        uow.incidents.lock(shared=True)
        code = timer.subject or ""
        if not uow.incidents.lasting(code):
            return None
        seen = dict(timer.data or {})
        found = uow.problems.outside_incident(code, seen.get("after", 0), BATCH)
        # One that joined at the first look and is outside again was taken out by the supplier.
        joined = seen.get("joined", [])
        ids = [each for each in found if each not in set(joined)]
        pace = _Pace(seen, self._office.machine.now())
        skipped = self._each(uow, ids, lambda case: _join(case, code), pace)
        if skipped:
            log.info("incident.skipped", incident=code, references=skipped)
        now = self._office.business.now(timer.tenant)
        if len(found) == BATCH:
            more = {"after": found[-1], "joined": joined + ids, **pace.kept()}
            uow.timers.remember(timer.id, {**seen, **more})
            return now
        if not seen.get("second"):
            more = {"second": True, "joined": joined + ids, **pace.kept()}
            uow.timers.remember(timer.id, more)
            return now + SECOND_LOOK
        return None

    def leave_some(self, uow: UnitOfWork, timer: Timer) -> datetime | None:
        """Let the next problems leave the incident; return when to come back, None when done."""
        # Until this is committed no other incident ends to which a problem is handed here.
        uow.incidents.lock(shared=True)
        ids = uow.problems.in_incident(timer.subject or "", BATCH)
        pace = _Pace(dict(timer.data or {}), self._office.machine.now())
        self._each(uow, ids, _leave, pace)
        uow.timers.remember(timer.id, pace.kept())
        now = self._office.business.now(timer.tenant)
        return now if len(ids) == BATCH else None

    def _set(self, uow: UnitOfWork, kind: str, code: str) -> None:
        uow.timers.add(Timer(None, "", kind, self._office.business.now(""), code))

    def _each(
        self, uow: UnitOfWork, ids: Sequence[int], do: Callable[[Case], None], pace: "_Pace"
    ) -> list[str]:
        """Do it to each problem under a savepoint; return those for which it is not possible."""
        skipped = []
        for problem_id in ids:
            problem = uow.problems.lock(problem_id)
            numbered = problem.next_kci
            try:
                with uow.connection.begin_nested():
                    case = Case(self._office, uow, problem)
                    do(case)
                    case.finish(not_before=pace.next)
            except IllegalMove:
                skipped.append(problem.reference)
            else:
                if problem.next_kci > numbered:
                    pace.step()
        return skipped


class _Pace:
    """When the next KCI of the incident may leave (machine time); goes on from batch to batch."""

    def __init__(self, seen: dict[str, Any], now: datetime) -> None:
        kept = seen.get("next")
        self.next = max(now, datetime.fromisoformat(kept)) if kept else now

    def step(self) -> None:
        self.next += KCI_EVERY

    def kept(self) -> dict[str, str]:
        return {"next": self.next.isoformat()}


def _join(case: Case, code: str) -> None:
    state = case.problem.state
    if state.base is Base.UNDECIDED:
        # It joins, with a KCI, when it is accepted.
        case.problem.state = State(state.base, incident=code)
    else:
        case.take(Event.JOIN_INCIDENT, incident=code)


def _leave(case: Case) -> None:
    state = case.problem.state
    others = case.uow.incidents.on_service(case.problem.service_id)
    if others:
        # It stays where it is, now for another incident on its service: it leaves with the last.
        case.problem.state = replace(state, incident=others[0])
    elif state.base is Base.UNDECIDED:
        case.problem.state = State(state.base)
    else:
        case.take(Event.LEAVE_INCIDENT)
