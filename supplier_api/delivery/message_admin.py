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
from supplier_api.operations.retention_repository import NO_BODY
from supplier_api.outbox.message_repository import (
    BeingSent,
    LockedLane,
    MessageRepository,
    OutboxMessage,
    Rewritten,
)
from supplier_api.outbox.model import Message, MessageState, Revision
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

    def holds(self, letter: OutboxMessage) -> bool:
        """Tell whether a message was made in it."""
        return (self.since is None or letter.created >= self.since) and (
            self.until is None or letter.created < self.until
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
    was: list[OutboxMessage]

    def replacing(self, letter: OutboxMessage) -> KciRewrite:
        """Return what replaces the body of one of its messages."""
        return KciRewrite(self.uow, self.problem, letter, self.was, self.business)

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

    def __init__(self, office: Services) -> None:
        """Work with `office`."""
        self._office = office

    # -- one message

    def replay(self, destination: str, name: str, by: Operator) -> Result:
        """Send a message again, now.

        A KCI that later ones have passed goes as an ADDITIONAL with today's entity. Raises
        NotPossible, letters.NoSuchLetter and store.StoreUnavailable, as the others do.
        """

        def work(hand: _LockedProblem, letter: OutboxMessage) -> None:
            if letter.state != MessageState.QUEUED:
                self._queue_again(hand, letter)

        return self._do(destination, name, MessageAction.REPLAY, by, work)

    def edit(
        self, name: str, change: Callable[[dict[str, Any]], Mapping[str, Any]], by: Operator
    ) -> Result:
        """Let a KCI say what `change` makes of its body, and send it.

        Raises wire.MessageError, too, if that is off the contract or would make it another KCI.
        """

        def work(hand: _LockedProblem, letter: OutboxMessage) -> None:
            late = MessageRepository(hand.uow).overtaken(letter)
            today = str(hand.problem.state.status) if late else None
            document = change(orjson.loads(letter.body))
            edited = replacing.edited(letter, document, hand.course(), today)
            MessageRepository(hand.uow).queue_again(
                letter, hand.machine, PAST[MessageAction.EDIT], edited
            )

        return self._do(GATEWAY, name, MessageAction.EDIT, by, work)

    def skip(self, destination: str, name: str, by: Operator) -> Result:
        """Give a message up: a KCI is told as withdrawn, a work order is not sent at all."""
        work = self._skip_order if destination == BACK_OFFICE else self._withdraw
        return self._do(
            destination, name, MessageAction.SKIP, by, lambda hand, letter: work(hand, letter, by)
        )

    # -- a window

    def waiting(self, destination: str, window: TimeWindow) -> list[int]:
        """Return row ids of the problems with undelivered messages of that time."""
        return self._office.store.read(
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
            self._office.store.write(work)
        return results

    def _replay_lane(
        self, uow: UnitOfWork, destination: str, problem_id: int, window: TimeWindow, by: Operator
    ) -> list[Result]:
        try:
            hand = self._take_up(uow, problem_id, destination)
        except BeingSent as error:
            sent = MessageRepository(uow).undelivered(problem_id, destination)
            return [_result(each, str(error), done=False) for each in sent if window.holds(each)]
        wanted = [each for each in hand.was if window.holds(each)]
        for letter in wanted:
            if letter.dead:
                self._queue_again(hand, letter)
        behind = MessageRepository(uow).go_on(hand.lane, hand.machine)
        for letter in wanted:
            if letter.dead or behind is None:
                self._record(hand, letter, MessageAction.REPLAY, by, window=_plain(window))
        return [_told(letter, MessageRepository(uow).get(letter.id), behind) for letter in wanted]

    # -- what delivery reports

    def left_out(self, uow: UnitOfWork, message: Message) -> None:
        """See to it that a number that stays out is told of.

        Called in the transaction that settles the refusal of a withdrawal: by the first KCI of the
        problem that was never sent, or else by the next that is made.
        """
        sentences = replacing.left_out(message.number, message.body)
        following = MessageRepository(uow).untold(message.lane_id)
        if following:
            now = self._office.business.now(message.tenant)
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
        deed: MessageAction,
        by: Operator,
        work: Callable[[_LockedProblem, OutboxMessage], None],
    ) -> Result:
        def transaction(uow: UnitOfWork) -> Result:
            found = message_queries.find(uow, name, destination)
            hand = self._take_up(uow, found.problem_id, destination)
            letter = MessageRepository(uow).get(found.id)
            _check(letter, deed)
            work(hand, letter)
            behind = MessageRepository(uow).go_on(hand.lane, hand.machine)
            if behind and deed is MessageAction.REPLAY and letter.state == MessageState.QUEUED:
                waits = f"{letter.name} {_waits(behind)}; replay, edit or skip that"
                raise NotPossible(waits)
            self._record(hand, letter, deed, by)
            return _told(letter, MessageRepository(uow).get(letter.id), behind)

        with _plainly(name):
            return self._office.store.write(transaction)

    def _take_up(self, uow: UnitOfWork, problem_id: int, destination: str) -> _LockedProblem:
        """Lock the problem, then its lane; raises Gone and BeingSent."""
        problem = ProblemRepository(uow).lock(problem_id)
        machine = self._office.machine.now()
        lane = MessageRepository(uow).lock(problem_id, destination, machine)
        business = self._office.business.now(problem.tenant)
        was = MessageRepository(uow).undelivered(problem_id, destination)
        return _LockedProblem(uow, problem, lane, destination, machine, business, was)

    def _queue_again(self, hand: _LockedProblem, letter: OutboxMessage) -> None:
        """Queue a dead letter or a skipped order again."""
        late = letter.mended in (Revision.LATE, Revision.WITHDRAWN) or MessageRepository(
            hand.uow
        ).overtaken(letter)
        rewritten: Rewritten | None = None
        if late and hand.destination == GATEWAY:
            rewritten = hand.replacing(letter).late()
            ProblemRepository(hand.uow).save(hand.problem)
        MessageRepository(hand.uow).queue_again(
            letter, hand.machine, PAST[MessageAction.REPLAY], rewritten
        )

    def _withdraw(self, hand: _LockedProblem, letter: OutboxMessage, by: Operator) -> None:
        spare = TEXT_MAX - len(replacing.withdrawn_text(letter, ""))
        if len(by.reason) > spare:
            told = f"the reason is told to the tenant; expected at most {spare} characters"
            raise NotPossible(told)
        rewritten = hand.replacing(letter).withdrawn(by.reason)
        ProblemRepository(hand.uow).save(hand.problem)
        MessageRepository(hand.uow).queue_again(
            letter, hand.machine, PAST[MessageAction.SKIP], rewritten
        )

    def _skip_order(self, hand: _LockedProblem, letter: OutboxMessage, _by: Operator) -> None:
        MessageRepository(hand.uow).take_out(letter, hand.machine, "skipped")
        hand.problem.back_office_untold = True
        ProblemRepository(hand.uow).save(hand.problem)

    def _record(
        self,
        hand: _LockedProblem,
        letter: OutboxMessage,
        deed: MessageAction,
        by: Operator,
        **more: Any,
    ) -> None:
        OperatorActionRepository(hand.uow).add(
            Action(
                at=hand.machine,
                who=by.who,
                action=f"{message_queries.COMMANDS[hand.destination]} {deed}",
                reason=by.reason,
                destination=hand.destination,
                tenant=letter.tenant,
                problem_id=letter.problem_id,
                message=letter.uuid,
                detail={"number": letter.number, "was": letter.state, **more},
            )
        )


def possible(letter: OutboxMessage) -> tuple[MessageAction, ...]:
    """Return what may be done with a message as it stands; nothing once retention took its body."""
    if letter.body == NO_BODY:
        return ()
    return POSSIBLE[letter.destination][letter.state]


def _check(letter: OutboxMessage, deed: MessageAction) -> None:
    can = possible(letter)
    if deed in can:
        return
    when = f" (on {to_wire(letter.settled)})" if letter.settled else ""
    rest = ", ".join(["show", *can])
    raise NotPossible(f"{letter.name} is {letter.state}{when}: no {deed}; possible: {rest}")


def _told(was: OutboxMessage, letter: OutboxMessage, behind: OutboxMessage | None) -> Result:
    """Say what became of a message; `behind` is what its lane is still parked behind."""
    if letter.state == MessageState.SKIPPED:
        return _result(was, "is not sent; the problem is marked: back office not told")
    again = "queued again" if was.state != MessageState.QUEUED else "queued"
    if letter.body != was.body:
        again = f"{again} ({letter.mended})"
    if behind is not None:
        moved = letter.body != was.body or was.state != MessageState.QUEUED
        return _result(was, f"{again}, {_waits(behind)}", done=moved)
    return _result(was, f"{again}, due now")


def _waits(behind: OutboxMessage) -> str:
    return f"waits behind {behind.name}, which is {behind.state}"


def _result(letter: OutboxMessage, told: str, *, done: bool = True) -> Result:
    return Result(letter.name, letter.uuid, letter.state, told, done)


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
