"""Each request of the gateway is done once, and its answer is kept and given again."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from supplier_api import contract as wire
from supplier_api.clock import to_wire
from supplier_api.contract.codes import ErrorCode
from supplier_api.db import CommitUnknown, NeverStored, StoreUnavailable, UnitOfWork
from supplier_api.logging import get_logger
from supplier_api.problems.decision_repository import (
    ClaimedKey,
    DecisionRepository,
    RecordedDecision,
    RequestKey,
    StoredAnswer,
)
from supplier_api.problems.errors import EventRefused, Unavailable
from supplier_api.problems.repository import ProblemRepository
from supplier_api.problems.services import Answer, Caller, Services
from supplier_api.rules.model import Decision, Operation

NOTE_SECONDS = 1.0  # in which it is noted that an answer is late, while that answer waits
log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class StoredResult:
    """An answer that is kept, with what led to it; `problem_id` is the problem that it is about."""

    answer: Answer
    problem_id: int | None = None
    reference: str | None = None
    decision: Decision | None = None


def _nothing(_uow: UnitOfWork) -> None:
    """Leave a repeat at its answer."""


class IdempotentRequest:
    """Runs a request in one transaction under its key."""

    def __init__(self, services: Services) -> None:
        """Work with `services`."""
        self._services = services

    def run(
        self,
        caller: Caller,
        operation: str,
        key: str,
        document: Mapping[str, Any],
        do: Callable[[UnitOfWork, ClaimedKey], StoredResult],
        *,
        new_on: str | None = None,
        reused: Callable[[RecordedDecision], EventRefused] | None = None,
        repeated: Callable[[UnitOfWork], None] = _nothing,
    ) -> Answer:
        """Do the request, or give the answer that was given before.

        `do` works inside the transaction; what it raises rolls everything back, the key included.
        `new_on` is the service that a new problem is about; it is locked.
        `reused` makes the refusal of another request under the same key, `repeated` is done when
        the same one comes again. Raises Unavailable.
        """
        budget = self._services.policy.answer_budget
        asked = self._asked(caller, operation, key, document)
        ends = caller.entered + budget
        done = False

        def work(uow: UnitOfWork) -> Answer:
            nonlocal done
            claimed = DecisionRepository(uow).claim(asked, new_on)
            if claimed is None:
                recorded = DecisionRepository(uow).recorded(caller.tenant, operation, key)
                answer = _again(recorded, asked, document, reused)
                repeated(uow)
                return answer
            made = do(uow, claimed)
            done = True
            DecisionRepository(uow).answer(claimed.row_id, self._given(made))
            return made.answer

        try:
            answer = self._services.store.write(work, deadline=ends, commit_by=ends)
        except EventRefused as refused:
            return refusal(self._services, caller, refused.code, refused.messages)
        except CommitUnknown as error:
            self._services.store.owe(partial(self._doubt_if_stored, asked=asked))
            raise Unavailable(str(error)) from error
        except StoreUnavailable as error:
            raise Unavailable(str(error)) from error
        if done and self._age(caller) > budget:
            self._note_late(asked)
        return answer

    def _asked(
        self, caller: Caller, operation: str, key: str, document: Mapping[str, Any]
    ) -> RequestKey:
        return RequestKey(
            tenant=caller.tenant,
            operation=operation,
            key=key,
            fingerprint=wire.fingerprint(document),
            contract=self._services.contract,
            conversation_id=caller.conversation_id,
            request_id=caller.request_id,
            created=self._services.business.now(caller.tenant),
        )

    def _given(self, done: StoredResult) -> StoredAnswer:
        decided = done.decision.document() if done.decision else {}
        return StoredAnswer(
            status=done.answer.status,
            body=done.answer.body,
            problem_id=done.problem_id,
            reference=done.reference,
            committed=self._services.machine.now(),
            process=self._services.process,
            outcome=decided.get("outcome"),
            rule=decided.get("rule"),
            reasons=decided.get("reasons"),
            trace=decided.get("trace"),
            book_version=decided.get("bookVersion"),
        )

    def _age(self, caller: Caller) -> float:
        return self._services.machine.monotonic() - caller.entered

    def _doubt_if_stored(self, uow: UnitOfWork, asked: RequestKey) -> None:
        """Remember the doubt about a request that was answered 503, if it was stored after all.

        To claim its key is to wait for a COMMIT that is still under way. Raises NeverStored.
        """
        if DecisionRepository(uow).claim(asked) is not None:
            raise NeverStored
        self._doubt(uow, asked)

    def _doubt(self, uow: UnitOfWork, asked: RequestKey) -> None:
        """Remember that the answer may have been lost, unless another process has given it too."""
        given = DecisionRepository(uow).given_to(asked, self._services.process)
        if given is None:
            return
        DecisionRepository(uow).late(given.row_id, self._services.machine.now())
        if asked.operation == Operation.PROBLEM and given.problem_id is not None:
            ProblemRepository(uow).doubt(given.problem_id)

    def _note_late(self, asked: RequestKey) -> None:
        """Remember the doubt: the commit took so long that the answer may have been lost."""
        doubt = partial(self._doubt, asked=asked)
        try:
            self._services.store.write(
                doubt, deadline=self._services.machine.monotonic() + NOTE_SECONDS
            )
        except StoreUnavailable as error:
            # The answer stands all the same, and is on its way.
            self._services.store.owe(doubt)
            log.warning("answer.late", noted=False, error=str(error))


def refusal(services: Services, caller: Caller, code: ErrorCode, messages: list[str]) -> Answer:
    """Return a 422 that is not kept, with these reasons."""
    uuid = services.chance.uuid(caller.tenant, "error", caller.request_id)
    return Answer(422, wire.envelope(code, messages, str(uuid)))


def rejection(
    services: Services,
    tenant: str,
    decision: Decision,
    operation: str,
    document: Mapping[str, Any],
) -> Answer:
    """Return the 422 with all the reasons of a decision."""
    uuid = services.chance.uuid(tenant, "rejection", operation, document["id"])
    reasons = [reason.message for reason in decision.reasons]
    return Answer(422, wire.envelope(ErrorCode.INVALID_REQUEST, reasons, str(uuid)))


def _again(
    recorded: RecordedDecision | None,
    asked: RequestKey,
    document: Mapping[str, Any],
    reused: Callable[[RecordedDecision], EventRefused] | None,
) -> Answer:
    if recorded is None or recorded.status is None:
        raise Unavailable("the same request is being answered at this moment")
    if wire.is_fingerprint_of(recorded.fingerprint, document):
        if recorded.thinned and not _has_no_body(asked.operation, recorded.status):
            raise _no_longer_kept(asked, recorded)
        return Answer(recorded.status, recorded.body)
    if reused:
        raise reused(recorded)
    used = f"id: {asked.key} was used for another {asked.operation} on {to_wire(recorded.created)}"
    expected = "expected a new id, or the same request again"
    raise EventRefused(ErrorCode.INVALID_REQUEST, [f"{used}; {expected}"])


def _has_no_body(operation: str, status: int) -> bool:
    """Tell whether an answer never has a body: of those that are kept, the 202 to a problem."""
    return operation == Operation.PROBLEM and status == 202


def _no_longer_kept(asked: RequestKey, recorded: RecordedDecision) -> EventRefused:
    field = "id" if asked.operation in set(Operation) else "status"
    told = f"{field}: already answered on {to_wire(recorded.created)} with {recorded.status}"
    reference = f", reference {recorded.reference}" if recorded.reference else ""
    return EventRefused(ErrorCode.INVALID_REQUEST, [told + reference])
