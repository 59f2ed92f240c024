"""Network incidents: many problems that wait for the end of one outage.

Declaring and ending are quick; the problems join and leave in small transactions, by a timer that
runs again until all are done. Their KCIs are spread over time, so that those of other problems do
not wait behind thousands of them.

An incident that the inventory names lasts as long as the inventory names it. That is asked when a
problem is raised and, every minute, by the worker for services with linked problems. While the
inventory gives no answer, the incidents that it named last.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from supplier_api.clock import to_wire
from supplier_api.contract import refusals
from supplier_api.db import UnitOfWork
from supplier_api.db.operator_actions import Action, OperatorActionRepository
from supplier_api.logging import get_logger
from supplier_api.problems.incident_coverage import IncidentScope
from supplier_api.problems.incident_repository import (
    Incident,
    IncidentRepository,
    IncidentSource,
    Link,
)
from supplier_api.problems.lifecycle import Event, IllegalMove
from supplier_api.problems.model import Base, State
from supplier_api.problems.repository import ProblemRepository
from supplier_api.problems.rule_evaluation import RuleEvaluator
from supplier_api.problems.services import Services
from supplier_api.problems.timer_repository import Timer, TimerRepository
from supplier_api.problems.transition import Transition
from supplier_api.rules.facts import UNKNOWN, Service

JOIN = "join-incident"
# The same; a worker of the release before, which knows no scopes, leaves it to this one.
JOIN_SCOPES = "join-incident-scopes"
LEAVE = "leave-incident"
# Problems on one service leave: the inventory no longer names the incident there.
LIFT = "lift-incident"
BATCH = 100
# A create that did not see the declaration is committed by then: search once more.
SECOND_LOOK = timedelta(seconds=10)
# The interval between KCIs of an incident: a small part of what a worker can send.
KCI_EVERY = timedelta(milliseconds=50)
# The inventory is asked about incidents with linked problems.
LOOK_EVERY = 60.0  # seconds
SERVICES = 100  # that are looked up in one turn
SECONDS = 1.0  # limit of one lookup, and of one turn
# How many problems are listed that are not linked, or that do not exist.
LISTED_MAX = 100
log = get_logger(__name__)


class Incidents:
    """The use cases of incidents that the supplier declares and ends."""

    def __init__(self, services: Services) -> None:
        """Work with `services`."""
        self._services = services

    def declare(
        self,
        code: str,
        services: Sequence[str],
        text: str | None = None,
        *,
        problems: Sequence[str] = (),
        scopes: Sequence[IncidentScope] = (),
        who: str = "",
    ) -> bool:
        """Declare an incident over `services`, those of `problems` (our references), and `scopes`.

        Open problems there join it soon, each with a KCI, and so do their children; new ones at
        once. Returns False if the same incident is already declared and lasts. Raises Invalid and
        StoreUnavailable.
        """
        covered = {*services, *self._services_of(problems)}

        def work(uow: UnitOfWork) -> bool:
            IncidentRepository(uow).lock(shared=False)
            if before := IncidentRepository(uow).find(code):
                known = IncidentRepository(uow)
                same = (known.services(code), known.scopes(code)) == (covered, set(scopes))
                _refuse_another(before, same=same)
                return False
            now = self._services.machine.now()
            IncidentRepository(uow).declare(code, covered, scopes, text, now)
            self._set(uow, JOIN_SCOPES if scopes else JOIN, code)
            over = {"services": len(covered), "scopes": sorted(map(str, set(scopes)))}
            # Its text goes with the incident, sooner than the record.
            self._record(uow, "incident declare", code, who, None, **over)
            return True

        return self._services.store.write(work)

    def end(self, code: str, *, who: str = "", reason: str | None = None) -> bool:
        """End an incident; its problems leave soon. Returns False if no such incident lasts."""

        def work(uow: UnitOfWork) -> bool:
            IncidentRepository(uow).lock(shared=False)
            ended = IncidentRepository(uow).end(code, self._services.machine.now())
            if ended:
                self._set(uow, LEAVE, code)
                self._record(uow, "incident end", code, who, reason)
            return ended

        return self._services.store.write(work)

    def why_not_ended(self, code: str) -> str:
        """Return why `end` found nothing to end: it has ended already, or there is none."""
        shown = self.shown(code)
        return f"{code} ended on {shown['ended']}" if shown else f"there is no incident {code}"

    def listed(self) -> list[dict[str, Any]]:
        """Return incidents that last or still have linked problems, as plain JSON values.

        An incident of the inventory is listed while problems are linked to it.
        """
        return self._services.store.read(
            lambda uow: [_shown(uow, each) for each in IncidentRepository(uow).at_work()]
        )

    def shown(self, code: str) -> dict[str, Any] | None:
        """Return one incident in the form of `listed`, even if it is over; None if unknown."""

        def work(uow: UnitOfWork) -> dict[str, Any] | None:
            found = IncidentRepository(uow).find(code)
            return _shown(uow, found) if found else None

        return self._services.store.read(work)

    def join_some(self, uow: UnitOfWork, timer: Timer) -> datetime | None:
        """Let the next problems join the incident; return when to run again, None when done."""
        IncidentRepository(uow).lock(shared=True)
        code = timer.subject or ""
        if not IncidentRepository(uow).lasting(code):
            return None
        progress = timer.data
        found = IncidentRepository(uow).joinable(code, progress.get("after", 0), BATCH)
        # A problem that joined in the first search and is outside again was removed by the
        # supplier.
        joined = progress.get("joined", [])
        ids = [each for each in found if each not in set(joined)]
        pace = _Pace(progress, self._services.machine.now())
        skipped = self._each(uow, ids, lambda transition: _join(transition, code), pace)
        if skipped:
            log.info("incident.skipped", incident=code, references=skipped)
        now = self._services.business.now(timer.tenant)
        if len(found) == BATCH:
            more = {"after": found[-1], "joined": joined + ids, **pace.progress()}
            more["found"] = bool(ids or progress.get("found"))
            TimerRepository(uow).remember(timer.id, {**progress, **more})
            return now
        again = {"second": True, "joined": joined + ids, **pace.progress()}
        if not progress.get("second"):
            TimerRepository(uow).remember(timer.id, again)
            return now + SECOND_LOOK
        if ids or progress.get("found"):
            # Their children may be before them.
            TimerRepository(uow).remember(timer.id, again)
            return now
        return None

    def leave_some(self, uow: UnitOfWork, timer: Timer) -> datetime | None:
        """Let the next problems leave the incident; return when to run again, None when done.

        With a service in the timer's data only those on it: the inventory no longer named the
        incident there. If it names it again they stay.
        """
        # A problem may move to another incident here, which must not end before this commit.
        IncidentRepository(uow).lock(shared=True)
        code, service_id = timer.subject or "", timer.data.get("service")
        if service_id and IncidentRepository(uow).lasts_on(code, service_id):
            return None
        ids = IncidentRepository(uow).linked(code, BATCH, service_id)
        pace = _Pace(timer.data, self._services.machine.now())
        self._each(uow, ids, _leave, pace)
        TimerRepository(uow).remember(timer.id, {**timer.data, **pace.progress()})
        now = self._services.business.now(timer.tenant)
        return now if len(ids) == BATCH else None

    def _set(self, uow: UnitOfWork, kind: str, code: str) -> None:
        TimerRepository(uow).add(Timer(None, "", kind, self._services.business.now(""), code))

    def _services_of(self, problems: Sequence[str]) -> set[str]:
        """Return the services of problems; they never change, so no lock is needed."""
        found = self._services.store.read(
            lambda uow: ProblemRepository(uow).services_by_reference(problems)
        )
        unknown = [{"at": at} for at, each in enumerate(problems) if each not in found]
        if unknown:
            raise refusals.INCIDENT_PROBLEM_UNKNOWN.errors(unknown[:LISTED_MAX])
        return set(found.values())

    def _record(
        self, uow: UnitOfWork, action: str, code: str, who: str, reason: str | None, **more: Any
    ) -> None:
        now = self._services.machine.now()
        OperatorActionRepository(uow).add(
            Action(now, who, action, reason or "", detail={"incident": code, **more})
        )
        log.info(action.replace(" ", "."), incident=code, **more)

    def _each(
        self, uow: UnitOfWork, ids: Sequence[int], do: Callable[[Transition], None], pace: "_Pace"
    ) -> list[str]:
        """Apply `do` to each problem under a savepoint; return the references it is illegal for."""
        skipped = []
        for problem_id in ids:
            problem = ProblemRepository(uow).lock(problem_id)
            numbered = problem.next_kci
            try:
                with uow.connection.begin_nested():
                    transition = Transition(self._services, uow, problem)
                    do(transition)
                    transition.finish(not_before=pace.next)
            except IllegalMove:
                skipped.append(problem.reference)
            else:
                if problem.next_kci > numbered:
                    pace.step()
        return skipped


class _Pace:
    """The earliest time of the next KCI of the incident (machine time), kept across batches."""

    def __init__(self, progress: Mapping[str, Any], now: datetime) -> None:
        stored = progress.get("next")
        self.next = max(now, datetime.fromisoformat(stored)) if stored else now

    def step(self) -> None:
        self.next += KCI_EVERY

    def progress(self) -> dict[str, str]:
        return {"next": self.next.isoformat()}


def lift(services: Services, uow: UnitOfWork, code: str, service_id: str) -> None:
    """Take a service out of an incident that the inventory no longer names there.

    The problems on it leave soon.
    """
    IncidentRepository(uow).uncover(code, service_id)
    now = services.business.now("")
    TimerRepository(uow).add(Timer(None, "", LIFT, now, code, {"service": service_id}))


def _refuse_another(before: Incident, *, same: bool) -> None:
    """Raise Invalid unless the same incident is declared again; `same`: it is over the same."""
    if same and before.source == IncidentSource.DECLARED and before.ended is None:
        return
    if before.source == IncidentSource.INVENTORY:
        raise refusals.INCIDENT_OF_INVENTORY.error(id=before.code)
    raise refusals.INCIDENT_DECLARED.error(id=before.code, when=to_wire(before.declared))


def _shown(uow: UnitOfWork, found: Incident) -> dict[str, Any]:
    lasts = found.ended is None
    outside: list[int] = []
    if lasts and found.source == IncidentSource.DECLARED:
        outside = IncidentRepository(uow).joinable(found.code, 0, LISTED_MAX)
    return {
        "id": found.code,
        "text": found.text,
        "source": found.source,
        "declared": to_wire(found.declared),
        "ended": None if found.ended is None else to_wire(found.ended),
        "scopes": [scope._asdict() for scope in sorted(IncidentRepository(uow).scopes(found.code))],
        "services": found.services,
        "linked": found.linked,
        "underWay": found.code in TimerRepository(uow).subjects({JOIN, JOIN_SCOPES, LEAVE}),
        "notLinked": list(ProblemRepository(uow).references(outside).values()),
    }


def _join(transition: Transition, code: str) -> None:
    state = transition.problem.state
    if state.base is Base.UNDECIDED:
        # It joins, with a KCI, when it is accepted.
        transition.problem.state = State(state.base, incident=code)
    else:
        transition.apply(Event.JOIN_INCIDENT, incident=code)


def _leave(transition: Transition) -> None:
    state = transition.problem.state
    others = IncidentRepository(transition.uow).covering(transition.problem)
    if others:
        # It keeps waiting, now for another incident that it is part of.
        transition.problem.state = replace(state, incident=others[0])
    elif state.base is Base.UNDECIDED:
        transition.problem.state = State(state.base)
    else:
        transition.apply(Event.LEAVE_INCIDENT)


class InventoryIncidents:
    """Asks the inventory whether the incidents with linked problems still last.

    A batch at a time, so that a slow inventory does not block the worker's other chores.
    """

    def __init__(self, services: Services, rule_evaluator: RuleEvaluator) -> None:
        """Use the inventory of `rule_evaluator`, for the first time a minute from now."""
        self._services = services
        self._rule_evaluator = rule_evaluator
        self._next = services.machine.monotonic() + LOOK_EVERY
        self._after: Link | None = None

    def turn(self) -> float:
        """Look up the next services if that is due; return the seconds until the next turn."""
        now = self._services.machine.monotonic()
        if now < self._next:
            return self._next - now
        links = self._services.store.read(
            lambda uow: IncidentRepository(uow).links(self._after, SERVICES)
        )
        last = self._look(list(links), now + SECONDS)
        if last is not None and (len(links) == SERVICES or last != links[-1]):
            self._after = last
            return 0.0
        self._after, self._next = None, now + LOOK_EVERY
        return LOOK_EVERY

    def _look(self, links: list[Link], ends: float) -> Link | None:
        """Look up services until `ends`; return the last one, None if there is no answer."""
        last = None
        for link in links:
            service = self._rule_evaluator.service(link.tenant, link.service_id, SECONDS)
            if service is UNKNOWN:
                return None
            code = service.incident if isinstance(service, Service) else None
            if code != link.code:
                self._over(link, code)
            last = link
            if self._services.machine.monotonic() > ends:
                return last
        return last

    def _over(self, link: Link, code: str | None) -> None:
        def work(uow: UnitOfWork) -> None:
            IncidentRepository(uow).lock(shared=True)
            if code is not None and not IncidentRepository(uow).ended(code):
                IncidentRepository(uow).note(code, link.service_id, self._services.machine.now())
            lift(self._services, uow, link.code, link.service_id)

        self._services.store.write(work)
        log.info("incident.lifted", incident=link.code, service_id=link.service_id)
