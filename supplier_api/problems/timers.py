"""Runs due timers: closure, its notice, later events, incidents, decisions and their deadlines."""

from collections.abc import Callable
from datetime import datetime, timedelta

from supplier_api.db import Gone, StoreUnavailable, UnitOfWork
from supplier_api.logging import get_logger
from supplier_api.problems.backoffice_events import LATER, BackOfficeEvents, event_from
from supplier_api.problems.decision_deadlines import DecisionDeadlines
from supplier_api.problems.deferred_decisions import DeferredDecisions
from supplier_api.problems.incidents import JOIN, JOIN_SCOPES, LEAVE, LIFT, Incidents
from supplier_api.problems.kci import KciContent
from supplier_api.problems.lifecycle import Event
from supplier_api.problems.model import Base
from supplier_api.problems.parts_repository import ResolutionRepository
from supplier_api.problems.repository import ProblemRepository
from supplier_api.problems.services import Services
from supplier_api.problems.timer_repository import (
    DECIDE,
    DECISION_DEADLINE,
    DECISION_REMINDER,
    Timer,
    TimerRepository,
)
from supplier_api.problems.transition import (
    CLOSURE,
    CLOSURE_NOTICE,
    Incomplete,
    Transition,
    closure_times,
)

# A timer whose handler fails is tried again after this time, so that it does not block the others.
AFTER_FAILURE = timedelta(minutes=1)
# After this many database errors in a row the fault is not one problem's row but the database.
MOST_FAILURES = 3
Handler = Callable[[UnitOfWork, Timer], datetime | None]
log = get_logger(__name__)


class DueTimerHandlers:
    """Runs the timers that are due, each in one transaction under its problem's lock.

    A timer of an unknown kind is left alone: a later version, which may run beside this one, set
    it.
    """

    def __init__(
        self,
        services: Services,
        events: BackOfficeEvents,
        incidents: Incidents,
        decisions: DeferredDecisions | None = None,
    ) -> None:
        """Work with `services`; without `decisions`, postponed decisions are left alone."""
        self._services = services
        self._decisions = decisions
        self._events = events
        self._incidents = incidents
        deadlines = DecisionDeadlines(services, events)
        self._handlers: dict[str, Handler] = {
            CLOSURE_NOTICE: self._give_notice,
            CLOSURE: self._close,
            LATER: self._apply_later_event,
            JOIN: incidents.join_some,
            JOIN_SCOPES: incidents.join_some,
            LEAVE: incidents.leave_some,
            LIFT: incidents.leave_some,
            DECISION_REMINDER: deadlines.remind,
            DECISION_DEADLINE: deadlines.expire,
        }

    def run_due(self, limit: int = 100, go_on: Callable[[], bool] = lambda: True) -> int:
        """Run up to `limit` due timers, the earliest first; return how many were processed.

        A postponed decision may take seconds: after each timer `go_on` is called, and no further
        timer is run when it returns False. Raises StoreUnavailable.
        """
        now, scales = self._services.machine.now(), self._services.business.scales()

        def look(uow: UnitOfWork) -> list[Timer]:
            due = TimerRepository(uow).due(now, scales, limit, self._handlers)
            # Postponed decisions come last: there may be many of them.
            room = min(limit - len(due), self._room(uow))
            return due + TimerRepository(uow).due(now, scales, room, {DECIDE})

        done = failed = 0
        last_error: StoreUnavailable | None = None
        for timer in self._services.store.read(look):
            try:
                done += self._run(timer)
                failed = 0
            except StoreUnavailable as error:
                # Perhaps only this problem's row is unavailable: the others do not wait for it.
                last_error, failed = error, failed + 1
            if failed == MOST_FAILURES or not go_on():
                break
        if last_error:
            raise last_error
        return done

    def next_due(self) -> datetime | None:
        """Return the machine time at which the earliest timer is due; None if there is none."""
        scales = self._services.business.scales()

        def look(uow: UnitOfWork) -> datetime | None:
            kinds = {*self._handlers, DECIDE} if self._room(uow) else {*self._handlers}
            return TimerRepository(uow).next_due(scales, kinds)

        due = self._services.store.read(look)
        next_try = self._decisions.next_try() if self._decisions else None
        return min((each for each in (due, next_try) if each), default=None)

    def _room(self, uow: UnitOfWork) -> int:
        return self._decisions.room(uow) if self._decisions else 0

    def _run(self, timer: Timer) -> bool:
        """Run one timer; return whether it was processed."""
        try:
            if timer.kind != DECIDE or self._decisions is None:
                return self._services.store.write(lambda uow: self._fire(uow, timer))
            return self._run_decision(self._decisions, timer)
        except Gone:
            # The timer was deleted with its problem.
            return True
        except StoreUnavailable:
            raise
        except Exception as error:
            log.error("timer.failed", kind=timer.kind, error=type(error).__name__, exc_info=True)
            later = self._services.business.now(timer.tenant) + AFTER_FAILURE
            self._services.store.write(lambda uow: TimerRepository(uow).move(timer.id, later))
            return True

    def _run_decision(self, decisions: DeferredDecisions, found: Timer) -> bool:
        """Make a postponed decision; its facts are looked up before the transaction."""
        prepared = decisions.prepare(found)
        if prepared is None:
            return False

        def decide(uow: UnitOfWork, timer: Timer) -> datetime | None:
            return decisions.decide(uow, timer, prepared)

        def work(uow: UnitOfWork) -> bool:
            decisions.lock(uow, found, prepared)
            return self._fire(uow, found, decide)

        return self._services.store.write(work)

    def _fire(self, uow: UnitOfWork, found: Timer, handler: Handler | None = None) -> bool:
        if found.problem_id is not None:
            ProblemRepository(uow).lock(found.problem_id)
        # Another worker may have run or moved it before this one got the lock.
        timer = TimerRepository(uow).lock(found.id)
        if timer is None or timer.due_at > self._services.business.now(timer.tenant):
            return True
        if TimerRepository(uow).has_earlier(timer):
            # A problem's timers run in order; this one stays due until the earlier one is done.
            return False
        again = (handler or self._handlers[timer.kind])(uow, timer)
        if again is None:
            TimerRepository(uow).delete(timer.id)
        else:
            TimerRepository(uow).move(timer.id, again)
        return True

    def _give_notice(self, uow: UnitOfWork, timer: Timer) -> datetime | None:
        day = f"{self._closes(uow, timer):%d %B %Y}"
        text = f"Without an answer to the resolution this service problem is closed on {day}."
        return self._while_resolved(uow, timer, Event.GIVE_NOTICE, KciContent(text=text))

    def _close(self, uow: UnitOfWork, timer: Timer) -> datetime | None:
        return self._while_resolved(uow, timer, Event.CLOSE, KciContent())

    def _while_resolved(
        self, uow: UnitOfWork, timer: Timer, event: Event, content: KciContent
    ) -> datetime | None:
        assert timer.problem_id is not None
        problem = ProblemRepository(uow).lock(timer.problem_id)
        resolution = ResolutionRepository(uow).current(timer.problem_id)
        over = problem.state.base is not Base.RESOLVED
        if over or resolution is None or resolution.reference != timer.subject:
            return None
        transition = Transition(self._services, uow, problem)
        # The tenant's time runs from when the gateway accepted the RESOLVED; until then it
        # restarts.
        times = dict(closure_times(self._services, resolution.taken or transition.now))
        # The settings may have changed since the timer was set: without a notice time none is
        # given.
        due_at = times.get(timer.kind)
        if due_at is None or due_at > transition.now:
            return due_at
        transition.apply(event, content, resolution=resolution)
        transition.finish()
        return None

    def _closes(self, uow: UnitOfWork, timer: Timer) -> datetime:
        """Return when the problem closes: the due time of the closure timer."""
        assert timer.problem_id is not None
        beside = [
            each for each in TimerRepository(uow).of(timer.problem_id) if each.kind == CLOSURE
        ]
        return beside[0].due_at if beside else timer.due_at + self._services.policy.notice

    def _apply_later_event(self, uow: UnitOfWork, timer: Timer) -> datetime | None:
        assert timer.problem_id is not None
        try:
            self._events.apply(uow, timer.problem_id, event_from(dict(timer.data)))
        except Incomplete as error:
            log.error("timer.incomplete", kind=timer.kind, error="; ".join(error.messages))
        return None
