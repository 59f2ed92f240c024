"""Delivers updates to the tenants that have a URL of their own, in order per problem.

The published text does not show the message: here it is the update as GET shows it, with the
problem it is about as of now. It has arrived with any 2xx; with a repeat its id is the same.
"""

import json
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import requests

from supplier_api.clock import MachineClock
from supplier_api.db import Store, UnitOfWork
from supplier_api.logging import bind, get_logger
from supplier_api.sandbox.gateway.clock_and_ids import Identifiers
from supplier_api.sandbox.gateway.codes import GatewayErrorCode
from supplier_api.sandbox.gateway.config import TenantAccount
from supplier_api.sandbox.gateway.model import Document, Problem
from supplier_api.sandbox.gateway.repository import GatewayRepository
from supplier_api.sandbox.gateway.updates import UpdateLog, problem_head, update_view

log = get_logger(__name__)

PATH = "/kcis"
TIMEOUT = (5.0, 10.0)  # seconds to connect, and between two bytes of the answer
WAITS = (1.0, 5.0, 30.0, 60.0)  # seconds after each failure in a row; the last one repeats


@dataclass(frozen=True, slots=True)
class _Notification:
    """An update on its way: its row, the problem it is about, and what is sent."""

    update_id: int
    problem: Problem
    body: Document


@dataclass(slots=True)
class _Failures:
    """How often in a row a problem's next update failed, and when to try again (monotonic)."""

    count: int = 0
    until: float = 0.0


class WebhookSender:
    """Delivers what waits, to one tenant or to all; in the background it is asked regularly."""

    def __init__(
        self,
        tenants: Sequence[TenantAccount],
        database: Store,
        machine: MachineClock,
        update_log: UpdateLog,
        ids: Identifiers,
        session_factory: Callable[[], requests.Session],
        stopping: threading.Event,
    ) -> None:
        """Deliver to those of `tenants` that have a URL, until `stopping` is set."""
        self._sessions = {tenant: session_factory() for tenant in tenants if tenant.url}
        self._database = database
        self._machine = machine
        self._update_log = update_log
        self._ids = ids
        self._stopping = stopping
        self._failures: dict[int, _Failures] = {}

    @property
    def tenants(self) -> Sequence[TenantAccount]:
        """The tenants that have a URL."""
        return list(self._sessions)

    def close(self) -> None:
        """Close the connections to the tenants."""
        for session in self._sessions.values():
            session.close()

    def run_due(self) -> None:
        """Deliver all that can be delivered now."""
        for tenant in self._sessions:
            self.deliver(tenant)

    def deliver(self, tenant: TenantAccount) -> None:
        """Deliver all that can be delivered to a tenant now."""
        for problem_id in self._database.read(
            lambda uow: GatewayRepository(uow).problems_with_undelivered(tenant.name)
        ):
            failures = self._failures.get(problem_id)
            if failures is None or failures.until <= self._machine.monotonic():
                self._deliver_in_order(tenant, problem_id)

    def _deliver_in_order(self, tenant: TenantAccount, problem_id: int) -> None:
        while not self._stopping.is_set():
            notification = self._database.read(lambda uow: _next_notification(uow, problem_id))
            if notification is None:
                return
            failure = self._post(tenant, notification)
            if failure is not None:
                self._note_failure(notification.problem, failure)
                return
            self._failures.pop(problem_id, None)
            self._mark_delivered(notification)

    def _post(self, tenant: TenantAccount, notification: _Notification) -> str | None:
        """Return None when the update has arrived, or else what went wrong."""
        failures = self._failures.get(notification.problem.id)
        # An id for this attempt, the same in every run where ids are repeatable.
        attempt = ("delivery", notification.body["id"], failures.count if failures else 0)
        headers = {
            "Content-Type": "application/json",
            "X-Request-ID": str(self._ids.uuid(tenant.name, *attempt)),
            "X-Conversation-ID": notification.problem.conversation_id,
        }
        try:
            with self._sessions[tenant].post(
                f"{tenant.url}{PATH}",
                data=json.dumps(notification.body, ensure_ascii=False).encode(),
                headers=headers,
                timeout=TIMEOUT,
                allow_redirects=False,
                stream=True,
            ) as answer:
                return None if 200 <= answer.status_code < 300 else str(answer.status_code)
        except requests.RequestException as error:
            return type(error).__name__

    def _mark_delivered(self, notification: _Notification) -> None:
        delivered_on = self._update_log.now(notification.problem.tenant)
        self._database.write(
            lambda uow: GatewayRepository(uow).mark_delivered(notification.update_id, delivered_on)
        )

    def _note_failure(self, problem: Problem, failure: str) -> None:
        failures = self._failures.setdefault(problem.id, _Failures())
        wait = WAITS[min(failures.count, len(WAITS) - 1)]
        failures.count += 1
        failures.until = self._machine.monotonic() + wait
        with bind(
            gateway_id=problem.id,
            tenant=problem.tenant,
            conversation_id=problem.conversation_id,
        ):
            log.warning(
                "update not delivered",
                code=GatewayErrorCode.TENANT_FAULT.value,
                failure=failure,
                failures=failures.count,
                again_in=wait,
            )


def _next_notification(uow: UnitOfWork, problem_id: int) -> _Notification | None:
    repository = GatewayRepository(uow)
    update = next(iter(repository.updates(problem_id, undelivered=True)), None)
    if update is None:
        return None
    problem = repository.problem(problem_id)
    shown = update_view(problem, update, repository.unsettled_answers(problem_id))
    del shown["deliveryStatus"]  # what arrives is delivered
    about = {"serviceProblem": problem_head(problem) | problem.document}
    return _Notification(update.id, problem, shown | about)
