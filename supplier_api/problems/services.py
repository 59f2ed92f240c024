"""What every use case works with: the services, the caller, and the answers it returns."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from supplier_api.clock import BusinessClock, MachineClock
from supplier_api.contract.codes import ProblemCode
from supplier_api.db import Store
from supplier_api.ids import IdSource
from supplier_api.problems.work import DEFAULT_KINDS, OrderKind
from supplier_api.value_object import value_object

GATEWAY = "gateway"
BACK_OFFICE = "back-office"
# Lanes are locked in this order.
DESTINATIONS = (GATEWAY, BACK_OFFICE)


@value_object
class Caller:
    """Who asks, under which ids of the gateway.

    `entered` is when the last byte of the request arrived, in monotonic seconds.
    """

    tenant: str
    request_id: str
    conversation_id: str
    entered: float


@value_object
class RequestAnswer:
    """An answer to the gateway: a published status and the body, None for no body."""

    status: int
    body: Mapping[str, Any] | None


@value_object
class EventAnswer:
    """An answer to the back office: 200, 404, 409, 412 or 422, and a body.

    `version` is the problem's, where the answer is about its present state.
    """

    status: int
    body: Mapping[str, Any]
    version: int | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class DecisionDeadline:
    """By when people must have decided on a request that was answered 202.

    `after` counts from the request, in business time; the back office is reminded `remind` before
    that, if at all. `fallback` is what is decided when it passes, None for nothing; a rejection
    carries `code` and `text`.
    """

    after: timedelta
    remind: timedelta | None = None
    fallback: Literal["accept", "reject"] | None = None
    code: ProblemCode | None = None
    text: str | None = None


@dataclass(frozen=True, slots=True)
class LifecyclePolicy:
    """The settings of the lifecycle.

    `closure` and `notice` are business time; `answer_budget` is in seconds; `settling` is how long
    a KCI is held back after the answer that it follows. `deadlines` are those of decisions, by the
    operation that is decided on.
    """

    reference_prefix: str
    closure: timedelta
    notice: timedelta
    answer_budget: float
    settling: timedelta
    deadlines: Mapping[OrderKind, DecisionDeadline] = field(default_factory=dict)

    def decide_by(self, operation: OrderKind, asked: datetime) -> datetime | None:
        """Return by when a request must be decided on, None if there is no deadline."""
        deadline = self.deadlines.get(operation)
        return asked + deadline.after if deadline else None


@dataclass(frozen=True, slots=True)
class Services:
    """What every use case works with.

    `process` is the name of this process, `adapter` that of the adapter to the back office.
    `order_kinds` are the work orders that it wants: no others are queued.
    """

    store: Store
    machine: MachineClock
    business: BusinessClock
    id_source: IdSource
    policy: LifecyclePolicy
    contract: str
    process: str = ""
    adapter: str = ""
    order_kinds: frozenset[OrderKind] = DEFAULT_KINDS

    def reference(self, tenant: str, *what: object) -> str:
        """Return a new reference for the problem, change or resolution that `what` identifies."""
        return self.id_source.reference(tenant, self.policy.reference_prefix, *what)


class Unavailable(Exception):
    """Nothing was stored; the caller may try again after `retry_after` seconds (503)."""

    def __init__(self, why: str, retry_after: int = 2) -> None:
        """Keep the reason for the log and the time for the caller."""
        self.retry_after = retry_after
        super().__init__(why)
