"""Idempotency: a gateway request is processed once; its stored answer is returned to repeats."""

from collections.abc import Callable, Mapping
from typing import Any

from supplier_api import contract as wire
from supplier_api.clock import to_wire
from supplier_api.contract import RequestRefused, refusals
from supplier_api.db import CommitUnknown, NeverStored, StoreUnavailable, UnitOfWork
from supplier_api.logging import get_logger
from supplier_api.problems.decision_repository import (
    DecisionRepository,
    RecordedDecision,
    RequestKey,
)
from supplier_api.problems.model import ServiceProblem
from supplier_api.problems.repository import ProblemRepository
from supplier_api.problems.services import Caller, RequestAnswer, Services, Unavailable
from supplier_api.rules.model import Decision, Operation

# The operation under which the answer to a resolution is recorded; its key is the reference.
RESOLUTION = "resolution"
NOTE_SECONDS = 1.0  # for recording that an answer is late; the answer waits for it
log = get_logger(__name__)


class IdempotentRequest:
    """One request of the gateway under its idempotency key.

    `write` runs the transaction of a use case. That begins with `claim`; if the key is taken it
    ends with `repeated_answer`, else with `record`.
    """

    def __init__(
        self,
        services: Services,
        caller: Caller,
        operation: str,
        key: str,
        document: Mapping[str, Any],
    ) -> None:
        """Identify the request; `key` is the gateway's id, or a resolution's reference."""
        self._services = services
        self._caller = caller
        self._document = document
        self._recorded = False
        self._key = RequestKey(
            tenant=caller.tenant,
            operation=operation,
            key=key,
            fingerprint=wire.fingerprint(document),
            contract=services.contract,
            conversation_id=caller.conversation_id,
            request_id=caller.request_id,
            created=services.business.now(caller.tenant),
        )

    def write(self, transaction: Callable[[UnitOfWork], RequestAnswer]) -> RequestAnswer:
        """Run `transaction` within the answer budget and return its answer once that is durable.

        RequestRefused from it rolls everything back, the key included, and is answered with 422.
        Raises Unavailable.
        """
        store = self._services.store
        ends = self._caller.entered + self._services.policy.answer_budget
        try:
            answer = store.write(transaction, deadline=ends, commit_by=ends)
        except RequestRefused as refused:
            return refusal(self._services, self._caller, refused)
        except CommitUnknown as error:
            store.defer(self._mark_doubtful_if_stored)
            raise Unavailable(str(error)) from error
        except StoreUnavailable as error:
            raise Unavailable(str(error)) from error
        if self._recorded and self._services.machine.monotonic() > ends:
            self._record_late_answer()
        return answer

    def claim(self, uow: UnitOfWork, *, lock_service: str | None = None) -> int | None:
        """Claim the key, as the transaction's first statement; None if it is taken.

        Returns what `record` needs. `lock_service` is the service of a new problem, to be locked.
        """
        return DecisionRepository(uow).claim(self._key, lock_service)

    def repeated_answer(self, uow: UnitOfWork) -> RequestAnswer:
        """Return the answer stored under the key.

        Raises RequestRefused if it was another request's, or is no longer kept, and Unavailable if
        there is none yet.
        """
        key = self._key
        recorded = DecisionRepository(uow).recorded(key.tenant, key.operation, key.key)
        if recorded is None or recorded.status is None:
            raise Unavailable("the same request is being answered at this moment")
        if not wire.is_fingerprint_of(recorded.fingerprint, self._document):
            raise _key_reused(key, recorded)
        if recorded.thinned and not _has_no_body(key.operation, recorded.status):
            raise _no_longer_kept(key, recorded)
        return RequestAnswer(recorded.status, recorded.body)

    def answered_again(self, uow: UnitOfWork) -> None:
        """Record that this process has now answered the request, which it may do after another."""
        key = self._key
        DecisionRepository(uow).answered_by(
            key.tenant, key.operation, key.key, self._services.process
        )

    def record(
        self,
        uow: UnitOfWork,
        claimed: int,
        answer: RequestAnswer,
        decision: Decision | None = None,
        problem: ServiceProblem | None = None,
        reference: str | None = None,
    ) -> None:
        """Store the answer under the claimed key, with the decision behind it.

        `reference` is that of the problem, the change or the resolution.
        """
        DecisionRepository(uow).answer(
            claimed,
            decision.document() if decision else {},
            status=answer.status,
            body=answer.body,
            problem_id=problem.id if problem else None,
            reference=reference,
            committed=self._services.machine.now(),
            process=self._services.process,
        )
        self._recorded = True

    def _mark_doubtful_if_stored(self, uow: UnitOfWork) -> None:
        """Mark the problem doubtful if a request that was answered 503 was stored after all.

        Claiming its key waits for a COMMIT that is still under way. Raises NeverStored.
        """
        if DecisionRepository(uow).claim(self._key) is not None:
            raise NeverStored
        self._mark_doubtful(uow)

    def _mark_doubtful(self, uow: UnitOfWork) -> None:
        """Record that the answer may have been lost, unless another process has answered since."""
        given = DecisionRepository(uow).given_to(self._key, self._services.process)
        if given is None:
            return
        row_id, problem_id = given
        DecisionRepository(uow).late(row_id, self._services.machine.now())
        if self._key.operation == Operation.PROBLEM and problem_id is not None:
            ProblemRepository(uow).mark_doubtful(problem_id)

    def _record_late_answer(self) -> None:
        """Record a late answer: after so long a commit the gateway may have given up waiting."""
        deadline = self._services.machine.monotonic() + NOTE_SECONDS
        try:
            self._services.store.write(self._mark_doubtful, deadline=deadline)
        except StoreUnavailable as error:
            # The answer is sent all the same.
            self._services.store.defer(self._mark_doubtful)
            log.warning("answer.late", noted=False, error=str(error))


def refusal(services: Services, caller: Caller, refused: RequestRefused) -> RequestAnswer:
    """Return an error answer that is not stored."""
    uuid = services.id_source.uuid(caller.tenant, "error", caller.request_id)
    answer = refused.answer
    return RequestAnswer(answer.status, answer.body(refused.messages, str(uuid)))


def rejection(
    services: Services,
    tenant: str,
    decision: Decision,
    operation: Operation,
    document: Mapping[str, Any],
) -> RequestAnswer:
    """Return the 422 with all the reasons of a decision."""
    uuid = services.id_source.uuid(tenant, "rejection", operation, document["id"])
    reasons = [reason.message for reason in decision.reasons]
    answer = refusals.RULE.answer
    return RequestAnswer(answer.status, answer.body(reasons, str(uuid)))


def _key_reused(key: RequestKey, recorded: RecordedDecision) -> RequestRefused:
    """Return the refusal of a different request under the same key."""
    when = to_wire(recorded.created)
    if key.operation == RESOLUTION:
        status = recorded.body["status"] if recorded.body else "answered"
        return refusals.RESOLUTION_ANSWERED.error(status=status, when=when)
    return refusals.ID_USED.error(id=key.key, operation=key.operation, when=when)


def _has_no_body(operation: str, status: int) -> bool:
    """Return whether the answer has no body by contract: the 202 to a new problem."""
    return operation == Operation.PROBLEM and status == 202


def _no_longer_kept(key: RequestKey, recorded: RecordedDecision) -> RequestRefused:
    field = "status" if key.operation == RESOLUTION else "id"
    reference = f", reference {recorded.reference}" if recorded.reference else ""
    when, status = to_wire(recorded.created), recorded.status
    return refusals.ANSWER_NOT_KEPT.error(path=field, when=when, status=status, reference=reference)
