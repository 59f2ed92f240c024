"""Idempotency: a gateway request is processed once; its stored answer is returned to repeats."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from supplier_api import contract as wire
from supplier_api.clock import to_wire
from supplier_api.contract import RequestRefused, refusals
from supplier_api.db import CommitUnknown, NeverStored, StoreUnavailable, UnitOfWork
from supplier_api.logging import get_logger
from supplier_api.problems.decision_repository import (
    ClaimedKey,
    DecisionRepository,
    RecordedDecision,
    RequestKey,
    StoredAnswer,
)
from supplier_api.problems.errors import Unavailable
from supplier_api.problems.repository import ProblemRepository
from supplier_api.problems.services import Answer, Caller, Services
from supplier_api.rules.model import Decision, Operation

NOTE_SECONDS = 1.0  # for recording that an answer is late; the answer waits for it
log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class StoredResult:
    """An answer to store, with the decision behind it; `problem_id` is the problem's row id."""

    answer: Answer
    problem_id: int | None = None
    reference: str | None = None
    decision: Decision | None = None


def _nothing(_uow: UnitOfWork) -> None:
    """Do nothing more for a repeated request than return its answer."""


class IdempotentRequest:
    """Runs a request in one transaction under its idempotency key."""

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
        lock_service: str | None = None,
        refuse_reuse: Callable[[RecordedDecision], RequestRefused] | None = None,
        on_repeat: Callable[[UnitOfWork], None] = _nothing,
    ) -> Answer:
        """Process the request, or return the stored answer of an earlier one.

        `do` runs inside the transaction; an exception from it rolls everything back, the key
        included. `lock_service` is the service of a new problem, to be locked. `refuse_reuse` makes
        the refusal of a different request under the same key; `on_repeat` runs when the same
        request comes again. Raises Unavailable.
        """
        budget = self._services.policy.answer_budget
        request_key = self._request_key(caller, operation, key, document)
        ends = caller.entered + budget
        done = False

        def work(uow: UnitOfWork) -> Answer:
            nonlocal done
            claimed = DecisionRepository(uow).claim(request_key, lock_service)
            if claimed is None:
                recorded = DecisionRepository(uow).recorded(caller.tenant, operation, key)
                answer = _repeat_answer(recorded, request_key, document, refuse_reuse)
                on_repeat(uow)
                return answer
            made = do(uow, claimed)
            done = True
            DecisionRepository(uow).answer(claimed.row_id, self._stored_answer(made))
            return made.answer

        try:
            answer = self._services.store.write(work, deadline=ends, commit_by=ends)
        except RequestRefused as refused:
            return refusal(self._services, caller, refused)
        except CommitUnknown as error:
            self._services.store.owe(
                partial(self._mark_doubtful_if_stored, request_key=request_key)
            )
            raise Unavailable(str(error)) from error
        except StoreUnavailable as error:
            raise Unavailable(str(error)) from error
        if done and self._age(caller) > budget:
            self._record_late_answer(request_key)
        return answer

    def _request_key(
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

    def _stored_answer(self, done: StoredResult) -> StoredAnswer:
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

    def _mark_doubtful_if_stored(self, uow: UnitOfWork, request_key: RequestKey) -> None:
        """Mark the problem doubtful if a request that was answered 503 was stored after all.

        Claiming its key waits for a COMMIT that is still under way. Raises NeverStored.
        """
        if DecisionRepository(uow).claim(request_key) is not None:
            raise NeverStored
        self._mark_doubtful(uow, request_key)

    def _mark_doubtful(self, uow: UnitOfWork, request_key: RequestKey) -> None:
        """Record that the answer may have been lost, unless another process has answered since."""
        given = DecisionRepository(uow).given_to(request_key, self._services.process)
        if given is None:
            return
        DecisionRepository(uow).late(given.row_id, self._services.machine.now())
        if request_key.operation == Operation.PROBLEM and given.problem_id is not None:
            ProblemRepository(uow).mark_doubtful(given.problem_id)

    def _record_late_answer(self, request_key: RequestKey) -> None:
        """Record a late answer: after so long a commit the gateway may have given up waiting."""
        mark = partial(self._mark_doubtful, request_key=request_key)
        try:
            self._services.store.write(
                mark, deadline=self._services.machine.monotonic() + NOTE_SECONDS
            )
        except StoreUnavailable as error:
            # The answer is sent all the same.
            self._services.store.owe(mark)
            log.warning("answer.late", noted=False, error=str(error))


def refusal(services: Services, caller: Caller, refused: RequestRefused) -> Answer:
    """Return an error answer that is not stored."""
    uuid = services.chance.uuid(caller.tenant, "error", caller.request_id)
    return Answer(refused.answer.status, refused.answer.body(refused.messages, str(uuid)))


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
    answer = refusals.RULE.answer
    return Answer(answer.status, answer.body(reasons, str(uuid)))


def _repeat_answer(
    recorded: RecordedDecision | None,
    request_key: RequestKey,
    document: Mapping[str, Any],
    refuse_reuse: Callable[[RecordedDecision], RequestRefused] | None,
) -> Answer:
    if recorded is None or recorded.status is None:
        raise Unavailable("the same request is being answered at this moment")
    if wire.is_fingerprint_of(recorded.fingerprint, document):
        if recorded.thinned and not _has_no_body(request_key.operation, recorded.status):
            raise _no_longer_kept(request_key, recorded)
        return Answer(recorded.status, recorded.body)
    if refuse_reuse:
        raise refuse_reuse(recorded)
    raise refusals.ID_USED.error(
        id=request_key.key, operation=request_key.operation, when=to_wire(recorded.created)
    )


def _has_no_body(operation: str, status: int) -> bool:
    """Return whether the answer has no body by contract: the 202 to a new problem."""
    return operation == Operation.PROBLEM and status == 202


def _no_longer_kept(request_key: RequestKey, recorded: RecordedDecision) -> RequestRefused:
    field = "id" if request_key.operation in set(Operation) else "status"
    reference = f", reference {recorded.reference}" if recorded.reference else ""
    when, status = to_wire(recorded.created), recorded.status
    return refusals.ANSWER_NOT_KEPT.error(path=field, when=when, status=status, reference=reference)
