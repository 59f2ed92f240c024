"""Tries a request against a rule book: what would be decided, and why. Nothing is stored."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from marshmallow import Schema
from marshmallow.fields import Field

from supplier_api import contract
from supplier_api.contract.codes import Status
from supplier_api.contract.fields import Items, Object
from supplier_api.problems.model import TERMINAL, Base, Waiting
from supplier_api.rules.book import RuleBook
from supplier_api.rules.facts import REQUESTS, Facts, ProblemFacts, Service, Unknown
from supplier_api.rules.model import Decision, Operation

NOT_ASKED = "no rule is asked, since the request breaks the published contract:"


def read_request(operation: Operation, body: bytes) -> dict[str, Any]:
    """Return the request in a body; raises contract.MessageError where the contract is broken."""
    return contract.load(REQUESTS[operation], contract.read_json(body))


def example_request(operation: Operation) -> dict[str, Any]:
    """Return a request with the mandatory fields, as the published contract has them."""
    return _examples(REQUESTS[operation])


def _examples(schema: Schema) -> dict[str, Any]:
    return {name: _example(each) for name, each in schema.fields.items() if each.required}


def _example(field: Field[Any]) -> Any:
    if isinstance(field, Object):
        return _examples(field.schema)
    if isinstance(field, Items) and "example" not in field.metadata:
        return [_example(field.inner)]
    return field.metadata["example"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A request, and what the database would know: the problems open on the service, and so on.

    `service_of_problem` and `status` are those of the problem that a change is about.
    """

    operation: Operation
    request: Mapping[str, Any]
    tenant: str
    open_problems: Sequence[str] = ()
    incidents: Sequence[str] = ()
    service_of_problem: str | None = None
    status: Status = Status.IN_PROGRESS

    @property
    def service_id(self) -> str | None:
        """The service that the request is about, if it is known."""
        named: str | None = self.request.get("serviceId", self.service_of_problem)
        return named

    def decide(self, book: RuleBook, service: Service | Unknown | None, now: datetime) -> Decision:
        """Return what `book` decides at `now` (business time); its rules in Python are asked."""
        facts = Facts(
            request=self.request,
            tenant=self.tenant,
            now=now,
            service=service,
            open_problems=self.open_problems,
            incidents=self.incidents,
            problem=_problem(self.status),
        )
        return book.decide(self.operation, facts, book.plugins.evaluate(self.operation, facts))


def _problem(status: Status) -> ProblemFacts:
    """Return a problem that shows `status`; what lies beneath is the work in progress."""
    base = Base(status) if status in Base.__members__ else Base.IN_PROGRESS
    working = base in (Base.ACKNOWLEDGED, Base.IN_PROGRESS)
    return ProblemFacts(
        reference="SP_EXPLAINED",
        status=status,
        base=base,
        waiting=status if status in Waiting.__members__ else None,
        open=working and status not in (Status.PENDING_AMENDMENT, Status.PENDING_CANCELLATION),
        terminal=base in TERMINAL,
    )
