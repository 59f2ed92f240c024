"""The use case of snapshots: a ticket's state becomes the events that bring its problem there.

All events of a snapshot are applied in one transaction, or none: then the ticket is apart, in one
row, until a later snapshot of it fits.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from supplier_api.db import Gone, UnitOfWork
from supplier_api.logging import get_logger
from supplier_api.problems.backoffice_events import BackOfficeEvents
from supplier_api.problems.lifecycle import Event
from supplier_api.problems.model import Base, ServiceProblem, State, Waiting
from supplier_api.problems.parts_repository import ChangeRequestRepository
from supplier_api.problems.repository import ProblemRepository
from supplier_api.problems.services import EventAnswer, Services
from supplier_api.problems.snapshot import Snapshot
from supplier_api.problems.snapshot_events import events_of
from supplier_api.problems.ticket_repository import TicketOwner, TicketRepository
from supplier_api.problems.ticket_ways import Apart, NotFollowed
from supplier_api.problems.transition import Incomplete, TooManyCharacteristics
from supplier_api.problems.work import BackOfficeEvent

TICKET_MAX = 100
URL_MAX = 1000
# Where a problem is that nobody has worked on.
_BEGUN = frozenset({Base.UNDECIDED, Base.ACKNOWLEDGED})
_WAITS = frozenset({Waiting.PENDING, Waiting.HELD})
log = get_logger(__name__)


class SnapshotResult(StrEnum):
    """What became of a snapshot."""

    # Events were applied.
    APPLIED = "applied"
    # The problem is in that state already, or the snapshot says nothing of it.
    NOTHING = "nothing"
    # It is not newer than what was applied, or than our own order made.
    OLD = "old"
    # An order about the problem is under way: try again when it is delivered, with a new look at
    # the ticket where the adapter can.
    WAITS = "waits"
    # It cannot be followed: the ticket is apart.
    APART = "apart"
    # The ticket is of no problem, and names none. Where an answer to an order was lost, it is of
    # one as soon as the order is answered.
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class TakenSnapshot:
    """What became of a snapshot of a problem's ticket, and the problem after it.

    `reason` says why the ticket is apart, where it is.
    """

    result: SnapshotResult
    problem: ServiceProblem
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Preview:
    """What applying a snapshot would come to: its result, by which events, or why it cannot be."""

    result: SnapshotResult
    events: tuple[Event, ...] = ()
    reason: str = ""


class Snapshots:
    """Applies snapshots of tickets to problems and changes."""

    def __init__(self, services: Services, events: BackOfficeEvents) -> None:
        """Work with `services`, for the adapter that they name."""
        self._services = services
        self._events = events

    def take(self, snapshot: Snapshot) -> SnapshotResult:
        """Apply a snapshot in a transaction of its own. Raises db.StoreUnavailable."""
        return self._services.store.write(lambda uow: self.apply(uow, snapshot))

    def take_of(
        self,
        problem_id: int,
        name: str,
        snapshot: Snapshot,
        versions: Collection[int] | None = None,
    ) -> TakenSnapshot | EventAnswer | None:
        """Apply a snapshot of a ticket of this problem, or of its change that `name` refers to.

        With `versions`, the problem must have one of them: else the answer is that of an event,
        412; but one that is not newer than what is known does nothing, and may come again. Returns
        None for a ticket that is another problem's. Raises db.StoreUnavailable and Gone.
        """

        def work(uow: UnitOfWork) -> TakenSnapshot | EventAnswer | None:
            tickets = TicketRepository(uow, self._services.adapter)
            problem = ProblemRepository(uow).lock(problem_id)
            known = tickets.find(snapshot.ticket)
            owners = [known.owner] if known else tickets.owners(snapshot.ticket)
            if any(owner.problem_id != problem_id for owner in owners):
                return None
            other = versions is not None and problem.version not in versions
            if other and not self._is_old(tickets, snapshot):
                return self._events.stale(problem)
            named = name if tickets.owner_by_reference(name) else problem.reference
            result = self.apply(uow, replace(snapshot, reference=named))
            apart = tickets.apart(snapshot.ticket) if result is SnapshotResult.APART else None
            after = ProblemRepository(uow).get(problem_id)
            return TakenSnapshot(result, after, apart.reason if apart else None)

        return self._services.store.write(work)

    def apply(self, uow: UnitOfWork, snapshot: Snapshot) -> SnapshotResult:
        """Apply a snapshot within a transaction; locks its problem. Takes it as often as it comes.

        A snapshot that waits leaves nothing behind.
        """
        tickets = TicketRepository(uow, self._services.adapter)
        try:
            owner = self._owner(tickets, snapshot)
            if owner is None:
                return SnapshotResult.UNKNOWN
            problem = ProblemRepository(uow).lock(owner.problem_id)
        except NotFollowed as error:
            return self._set_apart(tickets, snapshot, None, error)
        except Gone:
            return SnapshotResult.UNKNOWN
        if self._is_old(tickets, snapshot):
            return SnapshotResult.OLD
        if tickets.order_under_way(problem.id):
            return SnapshotResult.WAITS
        return self._follow(uow, tickets, snapshot, owner, problem)

    def preview(self, uow: UnitOfWork, snapshot: Snapshot) -> Preview:
        """Return what applying a snapshot would come to; locks and changes nothing.

        OLD is one that calls for events, and is not newer than what was applied; but one of a
        ticket that nobody has touched since our order made it is NOTHING, while its problem is
        where it began. Whether the events
        have all that their KCIs must carry is only known when they are applied.
        """
        tickets = TicketRepository(uow, self._services.adapter)
        try:
            owner = self._owner(tickets, snapshot)
            if owner is None:
                return Preview(SnapshotResult.UNKNOWN)
            if tickets.order_under_way(owner.problem_id):
                return Preview(SnapshotResult.WAITS)
            problem = ProblemRepository(uow).get(owner.problem_id)
            events = tuple(each.event for each in events_of(uow, snapshot, owner, problem))
        except NotFollowed as error:
            return Preview(SnapshotResult.APART, reason=str(error))
        except Gone:
            return Preview(SnapshotResult.UNKNOWN)
        if not events or self._is_untouched(tickets, snapshot, problem.state):
            return Preview(SnapshotResult.NOTHING)
        old = self._is_old(tickets, snapshot)
        return Preview(SnapshotResult.OLD if old else SnapshotResult.APPLIED, events)

    def why_apart(self, uow: UnitOfWork, snapshot: Snapshot) -> Preview:
        """Return why the ticket of a snapshot is apart."""
        apart = TicketRepository(uow, self._services.adapter).apart(snapshot.ticket)
        return Preview(SnapshotResult.APART, reason=apart.reason if apart else "")

    # -- whose it is

    def _owner(self, tickets: TicketRepository, snapshot: Snapshot) -> TicketOwner | None:
        """Return whose the ticket is, None for nobody's; raises NotFollowed."""
        if len(snapshot.ticket) > TICKET_MAX:
            return None
        if known := tickets.find(snapshot.ticket):
            return known.owner
        owners = tickets.owners(snapshot.ticket)
        if len(owners) > 1:
            raise NotFollowed(Apart.SEVERAL, f"the ticket is that of {len(owners)} problems")
        if owners:
            return owners[0]
        if not snapshot.reference:
            return None
        owner = tickets.owner_by_reference(snapshot.reference)
        if owner is None:
            why = "the ticket names a problem or change that there is not"
            raise NotFollowed(Apart.UNKNOWN_REFERENCE, why)
        return owner

    def _is_old(self, tickets: TicketRepository, snapshot: Snapshot) -> bool:
        """Return whether something as new is known; what did not fit may be tried again."""
        known, apart = tickets.find(snapshot.ticket), tickets.apart(snapshot.ticket)
        if apart and apart.cause == Apart.OTHER_TICKET:
            apart = None  # whoever named it by mistake counts other versions
        versions = [known.version if known else None, apart.snapshot.version if apart else None]
        newest = max((each for each in versions if each is not None), default=-1)
        return snapshot.version < newest or (snapshot.version == newest and apart is None)

    def _is_untouched(self, tickets: TicketRepository, snapshot: Snapshot, state: State) -> bool:
        """Return whether a ticket is as our order made it, and its problem where it began."""
        known = tickets.find(snapshot.ticket)
        begun = state.base in _BEGUN and state.waiting not in _WAITS
        return bool(known and known.heard is None and begun and self._is_old(tickets, snapshot))

    # -- what follows from it

    def _follow(
        self,
        uow: UnitOfWork,
        tickets: TicketRepository,
        snapshot: Snapshot,
        owner: TicketOwner,
        problem: ServiceProblem,
    ) -> SnapshotResult:
        now = self._services.machine.now()
        try:
            self._link(uow, snapshot, owner, problem)
        except NotFollowed as error:
            # Not stored as its problem's: it may be the ticket of another one, named by mistake.
            return self._set_apart(tickets, snapshot, None, error)
        try:
            events = events_of(uow, snapshot, owner, problem)
            with uow.connection.begin_nested():
                self._apply_all(uow, problem, events)
        except NotFollowed as error:
            tickets.save(snapshot.ticket, owner, snapshot.version, now)
            return self._set_apart(tickets, snapshot, problem, error)
        tickets.save(snapshot.ticket, owner, snapshot.version, now)
        if tickets.together(snapshot.ticket):
            log.info("ticket.together", ticket=snapshot.ticket, reference=problem.reference)
        return SnapshotResult.APPLIED if events else SnapshotResult.NOTHING

    def _link(
        self, uow: UnitOfWork, snapshot: Snapshot, owner: TicketOwner, problem: ServiceProblem
    ) -> None:
        """Store the ticket with its problem or change where that has none; raises NotFollowed."""
        url = snapshot.url if len(snapshot.url or "") <= URL_MAX else None
        changes = ChangeRequestRepository(uow)
        change = None
        if owner.change_reference:
            change = changes.find(problem.id, owner.change_reference)
        of = change or problem
        if of.back_office_id not in (None, snapshot.ticket):
            why = f"{of.reference} has the ticket {of.back_office_id} already"
            raise NotFollowed(Apart.OTHER_TICKET, why)
        if of.back_office_id and (of.back_office_url or not url):
            return
        of.back_office_id, of.back_office_url = snapshot.ticket, url
        if change:
            changes.save(change)
        else:
            ProblemRepository(uow).save(problem)

    def _apply_all(
        self, uow: UnitOfWork, problem: ServiceProblem, events: Sequence[BackOfficeEvent]
    ) -> None:
        """Apply the events; raises NotFollowed, and then none may stay."""
        for event in events:
            try:
                answer = self._events.apply(uow, problem.id, event)
            except Incomplete as error:
                raise NotFollowed(Apart.INCOMPLETE, "; ".join(error.messages)) from error
            except TooManyCharacteristics as error:
                raise NotFollowed(Apart.INVALID, str(error)) from error
            if answer.status != 200:
                raise NotFollowed(Apart.NO_WAY, "; ".join(answer.body["messages"]))

    def _set_apart(
        self,
        tickets: TicketRepository,
        snapshot: Snapshot,
        problem: ServiceProblem | None,
        error: NotFollowed,
    ) -> SnapshotResult:
        now, reason = self._services.machine.now(), str(error)
        problem_id = problem.id if problem else None
        if problem is None:
            # What it says would be kept for as long as nobody looks: it goes with no problem.
            snapshot = replace(snapshot, wanted=None, decision=None)
        tickets.set_apart(snapshot, problem_id, error.cause, reason, now)
        reference = problem.reference if problem else None
        log.warning("ticket.apart", ticket=snapshot.ticket, cause=error.cause, reference=reference)
        return SnapshotResult.APART
