"""What operators do with messages: replay, edit and skip them.

Each is one transaction: the problem is locked, then the lane, on which nobody may be sending; what
was done is recorded in it, with who did it and why. Numbers never get a silent gap: what is skipped
is told as withdrawn, under its own id and number, and only if even that is refused, by the next KCI
that was not tried yet.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import orjson

from supplier_api.clock import to_wire
from supplier_api.contract.codes import Status
from supplier_api.contract.limits import TEXT_MAX
from supplier_api.db import Gone, UnitOfWork
from supplier_api.db.operator_actions import Action, OperatorActionRepository
from supplier_api.delivery import kci_rewrite as replacing
from supplier_api.delivery import message_queries
from supplier_api.delivery.kci_rewrite import Course, KciRewrite
from supplier_api.outbox.message_repository import (
    BeingSent,
    LockedLane,
    MessageRepository,
    Rewritten,
    StoredMessage,
)
from supplier_api.outbox.model import NO_BODY, Message, MessageState, Revision
from supplier_api.problems.decision_repository import DecisionRepository
from supplier_api.problems.model import ServiceProblem
from supplier_api.problems.repository import ProblemRepository
from supplier_api.problems.services import BACK_OFFICE, GATEWAY, Services
from supplier_api.rules.model import Operation


class MessageAction(StrEnum):
    """What an operator can do with a message."""

    REPLAY = "replay"
    EDIT = "edit"
    SKIP = "skip"


_KCI = (MessageAction.REPLAY, MessageAction.EDIT, MessageAction.SKIP)
_ORDER = (MessageAction.REPLAY, MessageAction.SKIP)
# What may be done, by where a message goes and by its state. What was delivered is history; a KCI
# that was left out is, too, as the next one says so.
POSSIBLE: Mapping[str, Mapping[str, tuple[MessageAction, ...]]] = {
    GATEWAY: {
        MessageState.QUEUED: _KCI,
        MessageState.REFUSED: _KCI,
        MessageState.EXPIRED: _KCI,
        MessageState.SKIPPED: (),
        MessageState.DELIVERED: (),
    },
    BACK_OFFICE: {
        MessageState.QUEUED: _ORDER,
        MessageState.REFUSED: _ORDER,
        MessageState.EXPIRED: _ORDER,
        MessageState.SKIPPED: (MessageAction.REPLAY,),
        MessageState.DELIVERED: (),
    },
}
PAST = {
    MessageAction.REPLAY: "replayed",
    MessageAction.EDIT: "edited",
    MessageAction.SKIP: "withdrawn",
}


@dataclass(frozen=True, slots=True)
class Operator:
    """Who does it, and why."""

    who: str
    reason: str


@dataclass(frozen=True, slots=True)
class TimeWindow:
    """A window over when messages were made, in machine time; open where there is no end."""

    since: datetime | None = None
    until: datetime | None = None

    def holds(self, stored: StoredMessage) -> bool:
        """Tell whether a message was made in it."""
        return (self.since is None or stored.created >= self.since) and (
            self.until is None or stored.created < self.until
        )


@dataclass(frozen=True, slots=True)
class Result:
    """What was done with a message, or why nothing was: `told` in words."""

    name: str
    id: str
    was: str
    told: str
    done: bool = True


class NotPossible(Exception):
    """Nothing was done, and nothing recorded; the text says why, and what is possible."""


class _Rehearsed(Exception):
    """It was only to be seen what would be done."""


@dataclass(frozen=True, slots=True)
class _LockedProblem:
    """A lane in an operator's hand, its problem locked; when that is, and what waited on it."""

    uow: UnitOfWork
    problem: ServiceProblem
    lane: LockedLane
    destination: str
    machine: datetime
    business: datetime
    was: list[StoredMessage]

    def replacing(self, stored: StoredMessage) -> KciRewrite:
        """Return what replaces the body of one of its messages."""
        return KciRewrite(self.uow, self.problem, stored, self.was, self.business)

    def course(self) -> Course:
        """Return what the gateway hears of the problem, as it stands now."""
        problem = self.problem
        answered = DecisionRepository(self.uow).recorded(
            problem.tenant, Operation.PROBLEM, str(problem.gateway_id)
        )
        told = answered is not None and answered.status == 201
        status = (answered.body if told and answered else None) or {}
        return Course(
            status.get("status", Status.ACKNOWLEDGED),
            problem.reference if told else None,
            MessageRepository(self.uow).course(problem.id, self.destination),
        )


class MessageAdmin:
    """The desk's use cases for messages that went wrong."""

    def __init__(self, services: Services) -> None:
        """Work with `services`."""
        self._services = services

    # -- one message

    def replay(self, destination: str, name: str, by: Operator) -> Result:
        """Send a message again, now.

        A KCI that later ones have passed goes as an ADDITIONAL with today's entity. Raises
        NotPossible, letters.NoSuchLetter and store.StoreUnavailable, as the others do.
        """

        def work(locked: _LockedProblem, stored: StoredMessage) -> None:
            if stored.state != MessageState.QUEUED:
                self._queue_again(locked, stored)

        return self._do(destination, name, MessageAction.REPLAY, by, work)

    def edit(
        self, name: str, change: Callable[[dict[str, Any]], Mapping[str, Any]], by: Operator
    ) -> Result:
        """Let a KCI say what `change` makes of its body, and send it.

        Raises wire.MessageError, too, if that is off the contract or would make it another KCI.
        """

        def work(locked: _LockedProblem, stored: StoredMessage) -> None:
            late = MessageRepository(locked.uow).overtaken(stored)
            today = str(locked.problem.state.status) if late else None
            document = change(orjson.loads(stored.body))
            edited = replacing.edited(stored, document, locked.course(), today)
            MessageRepository(locked.uow).queue_again(
                stored, locked.machine, PAST[MessageAction.EDIT], edited
            )

        return self._do(GATEWAY, name, MessageAction.EDIT, by, work)

    def skip(self, destination: str, name: str, by: Operator) -> Result:
        """Give a message up: a KCI is told as withdrawn, a work order is not sent at all."""
        work = self._skip_order if destination == BACK_OFFICE else self._withdraw
        return self._do(
            destination,
            name,
            MessageAction.SKIP,
            by,
            lambda locked, stored: work(locked, stored, by),
        )

    # -- a window

    def waiting(self, destination: str, window: TimeWindow) -> list[int]:
        """Return row ids of the problems with undelivered messages of that time."""
        return self._services.store.read(
            lambda uow: MessageRepository(uow).problems_waiting(
                destination, window.since, window.until
            )
        )

    def replay_window(
        self,
        destination: str,
        problem_id: int,
        window: TimeWindow,
        by: Operator,
        *,
        rehearse: bool = False,
    ) -> list[Result]:
        """Replay what was not delivered of one problem's messages that were made in the window.

        Dead letters are queued again; for what was never tried, or waits for its next try, the lane
        becomes due. With `rehearse` nothing is done, and told all the same.
        """
        results: list[Result] = []

        def work(uow: UnitOfWork) -> None:
            results[:] = self._replay_lane(uow, destination, problem_id, window, by)
            if rehearse:
                raise _Rehearsed

        with suppress(_Rehearsed, Gone):
            self._services.store.write(work)
        return results

    def _replay_lane(
        self, uow: UnitOfWork, destination: str, problem_id: int, window: TimeWindow, by: Operator
    ) -> list[Result]:
        try:
            locked = self._take_up(uow, problem_id, destination)
        except BeingSent as error:
            sent = MessageRepository(uow).undelivered(problem_id, destination)
            return [_result(each, str(error), done=False) for each in sent if window.holds(each)]
        wanted = [each for each in locked.was if window.holds(each)]
        for stored in wanted:
            if stored.dead:
                self._queue_again(locked, stored)
        behind = MessageRepository(uow).go_on(locked.lane, locked.machine)
        for stored in wanted:
            if stored.dead or behind is None:
                self._record(locked, stored, MessageAction.REPLAY, by, window=_plain(window))
        return [_told(stored, MessageRepository(uow).get(stored.id), behind) for stored in wanted]

    # -- what delivery reports

    def left_out(self, uow: UnitOfWork, message: Message) -> None:
        """See to it that a number that stays out is told of.

        Called in the transaction that settles the refusal of a withdrawal: by the first KCI of the
        problem that was never sent, or else by the next that is made.
        """
        sentences = replacing.left_out(message.number, message.body)
        following = MessageRepository(uow).untold(message.lane_id)
        if following:
            now = self._services.business.now(message.tenant)
            MessageRepository(uow).rewrite(following, replacing.noted(following, sentences, now))
            return
        problem = ProblemRepository(uow).lock(message.problem_id)
        problem.left_out = [*(problem.left_out or []), *sentences]
        ProblemRepository(uow).save(problem)

    def order_taken(self, uow: UnitOfWork, message: Message) -> None:
        """Note that the back office took a work order that was skipped before."""
        if not any(entry["outcome"] == "skipped" for entry in message.log):
            return
        problem = ProblemRepository(uow).lock(message.problem_id)
        problem.back_office_untold = MessageRepository(uow).skipped(message.lane_id)
        ProblemRepository(uow).save(problem)

    # -- how

    def _do(
        self,
        destination: str,
        name: str,
        action: MessageAction,
        by: Operator,
        work: Callable[[_LockedProblem, StoredMessage], None],
    ) -> Result:
        def transaction(uow: UnitOfWork) -> Result:
            found = message_queries.find(uow, name, destination)
            locked = self._take_up(uow, found.problem_id, destination)
            stored = MessageRepository(uow).get(found.id)
            _check(stored, action)
            work(locked, stored)
            behind = MessageRepository(uow).go_on(locked.lane, locked.machine)
            if behind and action is MessageAction.REPLAY and stored.state == MessageState.QUEUED:
                waits = f"{stored.name} {_waits(behind)}; replay, edit or skip that"
                raise NotPossible(waits)
            self._record(locked, stored, action, by)
            return _told(stored, MessageRepository(uow).get(stored.id), behind)

        with _plainly(name):
            return self._services.store.write(transaction)

    def _take_up(self, uow: UnitOfWork, problem_id: int, destination: str) -> _LockedProblem:
        """Lock the problem, then its lane; raises Gone and BeingSent."""
        problem = ProblemRepository(uow).lock(problem_id)
        machine = self._services.machine.now()
        lane = MessageRepository(uow).lock(problem_id, destination, machine)
        business = self._services.business.now(problem.tenant)
        was = MessageRepository(uow).undelivered(problem_id, destination)
        return _LockedProblem(uow, problem, lane, destination, machine, business, was)

    def _queue_again(self, locked: _LockedProblem, stored: StoredMessage) -> None:
        """Queue a dead letter or a skipped order again."""
        late = stored.mended in (Revision.LATE, Revision.WITHDRAWN) or MessageRepository(
            locked.uow
        ).overtaken(stored)
        rewritten: Rewritten | None = None
        if late and locked.destination == GATEWAY:
            rewritten = locked.replacing(stored).late()
            ProblemRepository(locked.uow).save(locked.problem)
        MessageRepository(locked.uow).queue_again(
            stored, locked.machine, PAST[MessageAction.REPLAY], rewritten
        )

    def _withdraw(self, locked: _LockedProblem, stored: StoredMessage, by: Operator) -> None:
        spare = TEXT_MAX - len(replacing.withdrawn_text(stored, ""))
        if len(by.reason) > spare:
            told = f"the reason is told to the tenant; expected at most {spare} characters"
            raise NotPossible(told)
        rewritten = locked.replacing(stored).withdrawn(by.reason)
        ProblemRepository(locked.uow).save(locked.problem)
        MessageRepository(locked.uow).queue_again(
            stored, locked.machine, PAST[MessageAction.SKIP], rewritten
        )

    def _skip_order(self, locked: _LockedProblem, stored: StoredMessage, _by: Operator) -> None:
        MessageRepository(locked.uow).take_out(stored, locked.machine, "skipped")
        locked.problem.back_office_untold = True
        ProblemRepository(locked.uow).save(locked.problem)

    def _record(
        self,
        locked: _LockedProblem,
        stored: StoredMessage,
        action: MessageAction,
        by: Operator,
        **more: Any,
    ) -> None:
        OperatorActionRepository(locked.uow).add(
            Action(
                at=locked.machine,
                who=by.who,
                action=f"{message_queries.COMMANDS[locked.destination]} {action}",
                reason=by.reason,
                destination=locked.destination,
                tenant=stored.tenant,
                problem_id=stored.problem_id,
                message=stored.uuid,
                detail={"number": stored.number, "was": stored.state, **more},
            )
        )


def possible(stored: StoredMessage) -> tuple[MessageAction, ...]:
    """Return what may be done with a message as it stands; nothing once retention took its body."""
    if stored.body == NO_BODY:
        return ()
    return POSSIBLE[stored.destination][stored.state]


def _check(stored: StoredMessage, action: MessageAction) -> None:
    can = possible(stored)
    if action in can:
        return
    when = f" (on {to_wire(stored.settled)})" if stored.settled else ""
    rest = ", ".join(["show", *can])
    raise NotPossible(f"{stored.name} is {stored.state}{when}: no {action}; possible: {rest}")


def _told(was: StoredMessage, stored: StoredMessage, behind: StoredMessage | None) -> Result:
    """Say what became of a message; `behind` is what its lane is still parked behind."""
    if stored.state == MessageState.SKIPPED:
        return _result(was, "is not sent; the problem is marked: back office not told")
    again = "queued again" if was.state != MessageState.QUEUED else "queued"
    if stored.body != was.body:
        again = f"{again} ({stored.mended})"
    if behind is not None:
        moved = stored.body != was.body or was.state != MessageState.QUEUED
        return _result(was, f"{again}, {_waits(behind)}", done=moved)
    return _result(was, f"{again}, due now")


def _waits(behind: StoredMessage) -> str:
    return f"waits behind {behind.name}, which is {behind.state}"


def _result(stored: StoredMessage, told: str, *, done: bool = True) -> Result:
    return Result(stored.name, stored.uuid, stored.state, told, done)


def _plain(window: TimeWindow) -> list[str | None]:
    return [to_wire(each) if each else None for each in (window.since, window.until)]


@contextmanager
def _plainly(name: str) -> Iterator[None]:
    try:
        yield
    except BeingSent as error:
        raise NotPossible(f"{name}: {error}") from None
    except Gone as error:
        raise message_queries.NoSuchMessage(str(error)) from None
