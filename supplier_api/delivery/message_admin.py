"""The operators' actions on messages: replay, edit and skip.

Each is one transaction: it locks the problem, then the lane, which no worker may hold at that time,
and records what was done, by whom and why. Numbers never get a silent gap: a skipped KCI is sent as
a withdrawal under its own id and number; only if that is refused too, the next KCI that was not
tried yet mentions the missing number.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import orjson

from supplier_api.clock import to_wire
from supplier_api.contract.codes import Status
from supplier_api.contract.differences import differences
from supplier_api.contract.limits import TEXT_MAX
from supplier_api.db import Gone, UnitOfWork
from supplier_api.db.operator_actions import Action, Operator, OperatorActionRepository
from supplier_api.delivery import kci_rewrite, message_queries
from supplier_api.delivery.kci_rewrite import KciChange, KciRewrite, KciSequence
from supplier_api.delivery.message_actions import (
    COMMANDS,
    PAST,
    MessageAction,
    NotPossible,
    check,
    check_order,
    waits,
)
from supplier_api.delivery.seen_message import SeenMessage
from supplier_api.delivery.time_window import TimeWindow
from supplier_api.outbox.messages import BeingSent, MessageRepository
from supplier_api.outbox.model import (
    LaneRow,
    Message,
    MessageState,
    Revision,
    Rewritten,
    StoredMessage,
)
from supplier_api.problems.decision_repository import DecisionRepository
from supplier_api.problems.model import ServiceProblem
from supplier_api.problems.record_mending import MendedField, NotOfTheRecord, mend_record
from supplier_api.problems.repository import ProblemRepository
from supplier_api.problems.services import BACK_OFFICE, GATEWAY, Services
from supplier_api.rules.model import Operation

# What the record of acts says of looking at a message with its personal data.
OPEN = "open"


@dataclass(frozen=True, slots=True)
class Result:
    """What was done with a message, or why nothing was; `text` is for the operator.

    `mended` are the fields of the record that were mended with it.
    """

    name: str
    id: str
    was: str
    text: str
    done: bool = True
    mended: tuple[MendedField, ...] = ()

    def __str__(self) -> str:
        """Return it in one line."""
        return f"{self.name}  {self.was}{' ->' if self.done else ':'} {self.text}"


class _RolledBack(Exception):
    """Rolls a rehearsal back, which only shows what would be done: `results`."""

    def __init__(self, *results: Result) -> None:
        """Keep what would be done."""
        super().__init__()
        self.results = results


@dataclass(frozen=True, slots=True)
class _LockedProblem:
    """A lane locked for an operator, its problem locked too; the time, and what was undelivered."""

    uow: UnitOfWork
    problem: ServiceProblem
    lane: LaneRow
    destination: str
    machine: datetime
    business: datetime
    was: list[StoredMessage]

    def rewrite(self, stored: StoredMessage) -> KciRewrite:
        """Return the rewrite of the body of one of its messages."""
        return KciRewrite(self.uow, self.problem, stored, self.was, self.business)

    def kci_sequence(self) -> KciSequence:
        """Return what the gateway receives about the problem, as it stands now."""
        problem = self.problem
        answered = DecisionRepository(self.uow).recorded(
            problem.tenant, Operation.PROBLEM, str(problem.gateway_id)
        )
        created = answered is not None and answered.status == 201
        status = (answered.body if created and answered else None) or {}
        return KciSequence(
            status.get("status", Status.ACKNOWLEDGED),
            problem.reference if created else None,
            MessageRepository(self.uow).course(problem.id, self.destination),
        )


class MessageAdmin:
    """The operators' use cases for messages that could not be delivered."""

    def __init__(self, services: Services) -> None:
        """Work with `services`."""
        self._services = services

    # -- one message

    def replay(
        self, destination: str, name: str, by: Operator, seen: SeenMessage | None = None
    ) -> Result:
        """Send a message again, now.

        A KCI that later ones have overtaken is sent as an ADDITIONAL with today's entity. Raises
        NotPossible, message_queries.NoSuchMessage and db.StoreUnavailable, as the others do; and
        seen_message.ChangedMeanwhile (a NotPossible) if the message is no longer as it was `seen`.
        """
        return self._do(destination, name, MessageAction.REPLAY, by, self._replay, seen)

    def edit(
        self,
        name: str,
        change: KciChange,
        by: Operator,
        *,
        and_record: bool = False,
        seen: SeenMessage | None = None,
        rehearse: bool = False,
    ) -> Result:
        """Replace a KCI's body by what `change` makes of it, and send it.

        With `and_record` the record is mended alike, so that the next KCI is without the fault.
        With `rehearse` nothing is done, but the same is returned or raised.
        Also raises contract.MessageError if the result breaks the contract or would be another KCI.
        """
        mended: list[MendedField] = []

        def work(locked: _LockedProblem, stored: StoredMessage, _by: Operator) -> list[MendedField]:
            late = MessageRepository(locked.uow).overtaken(stored)
            today = str(locked.problem.state.status) if late else None
            document = change(orjson.loads(stored.body))
            edited = kci_rewrite.edited(stored, document, locked.kci_sequence(), today)
            MessageRepository(locked.uow).queue_again(
                stored, locked.machine, PAST[MessageAction.EDIT], edited
            )
            mended[:] = _mend(locked, stored, edited.body) if and_record else []
            return mended

        done = self._do(GATEWAY, name, MessageAction.EDIT, by, work, seen, rehearse=rehearse)
        return replace(done, mended=tuple(mended))

    def skip(
        self, destination: str, name: str, by: Operator, seen: SeenMessage | None = None
    ) -> Result:
        """Give a message up: a KCI is sent as a withdrawal, a work order is not sent at all."""
        work = self._skip_order if destination == BACK_OFFICE else self._withdraw
        return self._do(destination, name, MessageAction.SKIP, by, work, seen)

    def open(self, uuid: str, by: Operator) -> None:
        """Record that somebody looks at a message with its personal data, and why.

        Raises message_queries.NoSuchMessage.
        """
        now = self._services.machine.now()

        def work(uow: UnitOfWork) -> None:
            stored = message_queries.by_id(uow, uuid)
            OperatorActionRepository(uow).add(_action(stored, OPEN, by, now))

        self._services.store.write(work)

    # -- a window

    def waiting(
        self, destination: str, window: TimeWindow, *, after: int = 0, limit: int | None = None
    ) -> list[int]:
        """Return the row ids of problems with undelivered messages created in the window.

        In the order of these ids: `limit` of those that are greater than `after`.
        """
        return self._services.store.read(
            lambda uow: MessageRepository(uow).problems_waiting(
                destination, window.since, window.until, after=after, limit=limit
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
        """Replay the undelivered messages of one problem that were created in the window.

        Dead letters are queued again; for messages that were never tried, or wait for the next try,
        the lane becomes due. With `rehearse` nothing is done, but the same results are returned.
        """
        results: list[Result] = []

        def work(uow: UnitOfWork) -> None:
            results[:] = self._replay_lane(uow, destination, problem_id, window, by)
            if rehearse:
                raise _RolledBack

        with suppress(_RolledBack, Gone):
            self._services.store.write(work)
        return results

    def _replay_lane(
        self, uow: UnitOfWork, destination: str, problem_id: int, window: TimeWindow, by: Operator
    ) -> list[Result]:
        try:
            locked = self._lock(uow, problem_id, destination)
        except BeingSent as error:
            sent = MessageRepository(uow).undelivered(problem_id, destination)
            return [_result(each, str(error), done=False) for each in sent if window.holds(each)]
        wanted = [each for each in locked.was if window.holds(each)]
        for stored in wanted:
            self._replay(locked, stored, by)
        behind = MessageRepository(uow).go_on(locked.lane, locked.machine)
        for stored in wanted:
            if stored.dead or behind is None:
                self._record(locked, stored, MessageAction.REPLAY, by, window=_wire_times(window))
        return [
            _outcome(stored, MessageRepository(uow).get(stored.id), behind) for stored in wanted
        ]

    # -- what delivery reports

    def left_out(self, uow: UnitOfWork, message: Message) -> None:
        """Have a number that is never delivered mentioned in another KCI.

        Called in the transaction that completes the refusal of a withdrawal. The first KCI of the
        problem that was never sent mentions it, or else the next one that is made.
        """
        sentences = kci_rewrite.left_out(message.number, message.body)
        following = MessageRepository(uow).first_untried(message.lane_id)
        if following:
            now = self._services.business.now(message.tenant)
            MessageRepository(uow).rewrite(following, kci_rewrite.noted(following, sentences, now))
            return
        problem = ProblemRepository(uow).lock(message.problem_id)
        problem.left_out = [*(problem.left_out or []), *sentences]
        ProblemRepository(uow).save(problem)

    def order_taken(self, uow: UnitOfWork, message: Message) -> None:
        """Note that the back office accepted a work order that was skipped before."""
        if not any(entry["outcome"] == "skipped" for entry in message.log):
            return
        problem = ProblemRepository(uow).lock(message.problem_id)
        problem.back_office_untold = MessageRepository(uow).skipped(message.lane_id)
        ProblemRepository(uow).save(problem)

    # -- internal steps

    def _do(
        self,
        destination: str,
        name: str,
        action: MessageAction,
        by: Operator,
        work: Callable[[_LockedProblem, StoredMessage, Operator], list[MendedField] | None],
        seen: SeenMessage | None,
        *,
        rehearse: bool = False,
    ) -> Result:
        def transaction(uow: UnitOfWork) -> Result:
            found = message_queries.find(uow, name, destination)
            locked = self._lock(uow, found.problem_id, destination)
            stored = MessageRepository(uow).get(found.id)
            if seen:
                seen.check(uow, stored)
            check(stored, action)
            record = [each.path for each in work(locked, stored, by) or () if not each.kept]
            behind = MessageRepository(uow).go_on(locked.lane, locked.machine)
            check_order(stored, action, behind)
            self._record(locked, stored, action, by, **({"record": record} if record else {}))
            result = _outcome(stored, MessageRepository(uow).get(stored.id), behind)
            if rehearse:
                raise _RolledBack(result)
            return result

        try:
            return self._services.store.write(transaction)
        except _RolledBack as rehearsed:
            return rehearsed.results[0]
        except BeingSent as error:
            raise NotPossible(f"{name}: {error}") from None
        except Gone as error:
            raise message_queries.NoSuchMessage(str(error)) from None

    def _lock(self, uow: UnitOfWork, problem_id: int, destination: str) -> _LockedProblem:
        """Lock the problem, then its lane; raises Gone and BeingSent."""
        problem = ProblemRepository(uow).lock(problem_id)
        machine = self._services.machine.now()
        lane = MessageRepository(uow).lock(problem_id, destination, machine)
        business = self._services.business.now(problem.tenant)
        was = MessageRepository(uow).undelivered(problem_id, destination)
        return _LockedProblem(uow, problem, lane, destination, machine, business, was)

    def _replay(self, locked: _LockedProblem, stored: StoredMessage, _by: Operator) -> None:
        """Queue a dead letter or a skipped order again; what is queued becomes due anyhow."""
        if stored.state == MessageState.QUEUED:
            return
        late = stored.mended in (Revision.LATE, Revision.WITHDRAWN) or MessageRepository(
            locked.uow
        ).overtaken(stored)
        rewritten: Rewritten | None = None
        if late and locked.destination == GATEWAY:
            rewritten = locked.rewrite(stored).late()
            ProblemRepository(locked.uow).save(locked.problem)
        MessageRepository(locked.uow).queue_again(
            stored, locked.machine, PAST[MessageAction.REPLAY], rewritten
        )

    def _withdraw(self, locked: _LockedProblem, stored: StoredMessage, by: Operator) -> None:
        spare = TEXT_MAX - len(kci_rewrite.withdrawn_text(stored, ""))
        if len(by.reason) > spare:
            text = f"the reason is told to the tenant; expected at most {spare} characters"
            raise NotPossible(text)
        rewritten = locked.rewrite(stored).withdrawn(by.reason)
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
        now = MessageRepository(locked.uow).get(stored.id)
        if changed := _changed(stored, now):
            more["changed"] = changed
        more = {"was": stored.state, "now": now.state, **more}
        OperatorActionRepository(locked.uow).add(
            _action(stored, action, by, locked.machine, **more)
        )


def _action(stored: StoredMessage, what: str, by: Operator, at: datetime, **more: Any) -> Action:
    return Action(
        at=at,
        who=by.who,
        action=f"{COMMANDS[stored.destination]} {what}",
        reason=by.reason,
        destination=stored.destination,
        tenant=stored.tenant,
        problem_id=stored.problem_id,
        message=stored.uuid,
        detail={"number": stored.number, **more},
    )


def _mend(locked: _LockedProblem, stored: StoredMessage, body: str) -> list[MendedField]:
    """Mend the record as the KCI was edited; raises NotPossible."""
    was, now = orjson.loads(stored.body), orjson.loads(body)
    try:
        return mend_record(locked.uow, locked.problem, stored.subject, was, now)
    except NotOfTheRecord as error:
        raise NotPossible(str(error)) from None


def _outcome(was: StoredMessage, stored: StoredMessage, behind: StoredMessage | None) -> Result:
    """Return what became of a message; `behind` is the dead letter its lane is still parked at."""
    if stored.state == MessageState.SKIPPED:
        return _result(was, "is not sent; the problem is marked: back office not told")
    again = "queued again" if was.state != MessageState.QUEUED else "queued"
    if stored.body != was.body:
        again = f"{again} ({stored.mended})"
    if behind is not None:
        moved = stored.body != was.body or was.state != MessageState.QUEUED
        return _result(was, f"{again}, {waits(behind)}", done=moved)
    return _result(was, f"{again}, due now")


def _changed(was: StoredMessage, now: StoredMessage) -> list[str]:
    """Return the fields of a body that an action changed."""
    if was.body == now.body:
        return []
    return [each.path for each in differences(orjson.loads(was.body), orjson.loads(now.body))]


def _result(stored: StoredMessage, text: str, *, done: bool = True) -> Result:
    return Result(stored.name, stored.uuid, stored.state, text, done)


def _wire_times(window: TimeWindow) -> list[str | None]:
    return [to_wire(each) if each else None for each in (window.since, window.until)]
