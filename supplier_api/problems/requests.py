"""The gateway's four requests: each is one use case, one transaction and one answer."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

from supplier_api.problems.change import change_problem
from supplier_api.problems.create import create_problem
from supplier_api.problems.resolution import answer_resolution
from supplier_api.problems.rule_evaluation import RULE_BOOK_ONLY, OutcomeSource, RuleEvaluator
from supplier_api.problems.services import Caller, RequestAnswer, Services
from supplier_api.rules.model import Operation


class GatewayRequests:
    """The four operations of the gateway.

    Each takes the caller and the validated request document and returns the answer to send. All
    raise errors.Unavailable when nothing was stored within the answer budget.
    """

    def __init__(
        self, services: Services, rules: RuleEvaluator, outcomes: OutcomeSource = RULE_BOOK_ONLY
    ) -> None:
        """Decide by `rules`, and by what `outcomes` lays over them."""
        self._services = services
        self._rules = rules
        self._outcomes = outcomes

    def raise_problem(self, caller: Caller, document: Mapping[str, Any]) -> RequestAnswer:
        """Decide on a new service problem: 201, 202 or 422 (*supplier-create*)."""
        with self._in_time(caller):
            return create_problem(self._services, self._rules, self._outcomes, caller, document)

    def amend(self, caller: Caller, document: Mapping[str, Any]) -> RequestAnswer:
        """Decide on an amendment of a problem: 201, 202 or 422 (*supplier-amend*)."""
        return self._change(caller, Operation.AMENDMENT, document)

    def cancel(self, caller: Caller, document: Mapping[str, Any]) -> RequestAnswer:
        """Decide on the cancellation of a problem: 201, 202 or 422."""
        return self._change(caller, Operation.CANCELLATION, document)

    def settle(self, caller: Caller, reference: str, document: Mapping[str, Any]) -> RequestAnswer:
        """Record the tenant's answer to a resolution: 200 or 422."""
        with self._in_time(caller):
            return answer_resolution(self._services, caller, reference, document)

    def _change(
        self, caller: Caller, kind: Operation, document: Mapping[str, Any]
    ) -> RequestAnswer:
        with self._in_time(caller):
            return change_problem(
                self._services, self._rules, self._outcomes, caller, kind, document
            )

    def _in_time(self, caller: Caller) -> AbstractContextManager[None]:
        """Bound every wait for the database by the answer budget of this request."""
        return self._services.store.until(caller.entered + self._services.policy.answer_budget)
