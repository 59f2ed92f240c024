"""What people do with the queue of their work: take, hand back, decide, be done."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from supplier_api.clock import to_wire
from supplier_api.db import UnitOfWork
from supplier_api.db.operator_actions import Action, OperatorActionRepository
from supplier_api.problems.backoffice_events import BackOfficeEvents
from supplier_api.problems.parts_repository import (
    BackOfficeEventRepository,
    ChangeRequestRepository,
)
from supplier_api.problems.repository import ProblemRepository
from supplier_api.problems.services import EventAnswer, Services
from supplier_api.problems.transition import Incomplete
from supplier_api.problems.work import BackOfficeEvent, Cause
from supplier_api.problems.work_item_repository import Holder, WorkItemRepository
from supplier_api.problems.work_queue import WorkEntry, WorkQueue

T = TypeVar("T")


class WorkRefused(Exception):
    """Nothing was done; the texts say why, and what happened meanwhile."""

    def __init__(self, *messages: str) -> None:
        """Keep what is shown."""
        super().__init__("; ".join(messages))
        self.messages = messages


@dataclass(frozen=True, slots=True)
class Doer:
    """Who acts, why, and from which address."""

    who: str
    reason: str
    address: str | None = None


class WorkItems:
    """The use cases of people who work on the queue."""

    def __init__(self, services: Services) -> None:
        """Work with `services`."""
        self._services = services

    def find(self, reference: str) -> WorkEntry | None:
        """Return what is to be done about the problem, change or resolution of our reference."""
        return self._services.store.read(lambda uow: self._queue(uow).find(reference))

    def take(self, reference: str, by: Doer, seen: str | None = None) -> None:
        """Have `by` work on something; `seen` is who has it as far as they know.

        Of two who take it at once, one is told of the other. Raises WorkRefused.
        """

        def work(uow: UnitOfWork, entry: WorkEntry) -> None:
            before = entry.holder
            if before and before.who == by.who:
                return
            if before and before.who != seen:
                raise WorkRefused(_held(reference, before))
            holder = Holder(by.who, self._services.machine.now())
            WorkItemRepository(uow).take(
                reference, entry.problem_id, entry.kind, entry.asked, holder
            )
            self._record(uow, entry, "work take", by, after=by.who)

        self._with(reference, work)

    def hand_back(self, reference: str, by: Doer) -> None:
        """Have nobody work on what `by` has taken; raises WorkRefused."""

        def work(uow: UnitOfWork, entry: WorkEntry) -> None:
            self._check_own(entry, by)
            WorkItemRepository(uow).release(reference)
            self._record(uow, entry, "work hand-back", by, after=None)

        self._with(reference, work)

    def done(self, reference: str, by: Doer) -> None:
        """Remove an order that `by` is done with; raises WorkRefused."""

        def work(uow: UnitOfWork, entry: WorkEntry) -> None:
            self._check_own(entry, by)
            if entry.request:
                raise WorkRefused(f"{reference} waits for a decision: decide, or hand it back")
            WorkItemRepository(uow).done(reference)
            self._record(uow, entry, "work done", by, after=None)

        self._with(reference, work)

    def decide(self, reference: str, event: BackOfficeEvent, by: Doer) -> EventAnswer:
        """Decide on what is undecided by an event, unless somebody else has it.

        Returns the answer to the event, as BackOfficeEvents.event does; an event that comes again
        gets it again. Raises WorkRefused.
        """
        events = BackOfficeEvents(self._services)

        def work(uow: UnitOfWork, entry: WorkEntry) -> EventAnswer:
            if entry.holder and entry.holder.who != by.who:
                raise WorkRefused(_held(reference, entry.holder))
            if entry.request is None:
                raise WorkRefused(f"{reference} waits for no decision")
            before = ProblemRepository(uow).get(entry.problem_id).state
            answer = events.apply(uow, entry.problem_id, event, Cause.OPERATOR)
            if answer.status == 200:
                status = answer.body["status"]
                values = {"event": str(event.event), "state": [str(before), status]}
                self._record(uow, entry, "work decide", by, after=None, **values)
            return answer

        def repeated(uow: UnitOfWork, problem_id: int) -> EventAnswer | None:
            found = BackOfficeEventRepository(uow).recorded(problem_id, event.id)
            return EventAnswer(found.status_code, found.body) if found else None

        try:
            return self._with(reference, work, repeated)
        except Incomplete as error:
            raise WorkRefused(*error.messages) from None

    # -- internal steps

    def _with(
        self,
        reference: str,
        work: Callable[[UnitOfWork, WorkEntry], T],
        repeated: Callable[[UnitOfWork, int], T | None] = lambda _uow, _problem_id: None,
    ) -> T:
        """Do something with an entry whose problem is locked, or say why it is there no more."""

        def transaction(uow: UnitOfWork) -> T:
            ids = ProblemRepository(uow).find_any(reference)
            if len(ids) != 1:
                raise WorkRefused(f"{reference} is nothing that people work on")
            problem = ProblemRepository(uow).lock(ids[0])
            entry = self._queue(uow).find(reference)
            if entry:
                return work(uow, entry)
            if again := repeated(uow, problem.id):
                return again
            raise WorkRefused(self._gone(uow, reference, problem.id))

        return self._services.store.write(transaction)

    def _queue(self, uow: UnitOfWork) -> WorkQueue:
        return WorkQueue(uow, self._services.policy)

    def _check_own(self, entry: WorkEntry, by: Doer) -> None:
        if entry.holder is None:
            raise WorkRefused(f"nobody has {entry.reference}: take it first")
        if entry.holder.who != by.who:
            raise WorkRefused(_held(entry.reference, entry.holder))

    def _gone(self, uow: UnitOfWork, reference: str, problem_id: int) -> str:
        """Say what happened to something that is no longer in the queue."""
        problem = ProblemRepository(uow).get(problem_id)
        change = ChangeRequestRepository(uow).find(problem_id, reference)
        state = change.status if change else problem.state.status or problem.state.base
        acts = [
            each
            for each in OperatorActionRepository(uow).of(problem_id)
            if each.detail and each.detail.get("reference") == reference
        ]
        last = f": {acts[-1].action} by {acts[-1].who} at {to_wire(acts[-1].at)}" if acts else ""
        return f"{reference} waits for nobody any more{last}; it is {state} now"

    def _record(
        self, uow: UnitOfWork, entry: WorkEntry, action: str, by: Doer, **values: object
    ) -> None:
        """Record what was done, with who had it before and after."""
        before = entry.holder.who if entry.holder else None
        OperatorActionRepository(uow).add(
            Action(
                at=self._services.machine.now(),
                who=by.who,
                action=action,
                reason=by.reason,
                tenant=entry.tenant,
                problem_id=entry.problem_id,
                detail={"reference": entry.reference, "before": before, **values},
                address=by.address,
            )
        )


def _held(reference: str, holder: Holder) -> str:
    return f"{reference}: {holder.who} has had it since {to_wire(holder.since)}"
