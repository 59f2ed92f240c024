"""Delivers updates to the tenants that have a URL of their own, in order per problem.

The published text does not show the message: here it is the update as GET shows it, with the
problem it is about as of now. It has arrived with any 2xx; with a repeat its id is the same.
"""

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass

import requests

from supplier_api.contract.headers import CONVERSATION_ID, REQUEST_ID
from supplier_api.logging import bind, get_logger
from supplier_api.sandbox.gateway.codes import GatewayErrorCode
from supplier_api.sandbox.gateway.config import TenantAccount
from supplier_api.sandbox.gateway.model import Document, Problem
from supplier_api.sandbox.gateway.repository import GatewayServices, Records
from supplier_api.sandbox.gateway.updates import problem_head, update_view

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
        services: GatewayServices,
        session_factory: Callable[[], requests.Session],
        stopping: threading.Event,
    ) -> None:
        """Deliver to the tenants that have a URL, until `stopping` is set."""
        self.tenants = [tenant for tenant in services.config.tenants if tenant.url]
        self._sessions = {tenant: session_factory() for tenant in self.tenants}
        self._services = services
        self._stopping = stopping
        self._failures: dict[int, _Failures] = {}

    def close(self) -> None:
        """Close the connections to the tenants."""
        for session in self._sessions.values():
            session.close()

    def run_due(self) -> None:
        """Deliver all that can be delivered now."""
        for tenant in self.tenants:
            self.deliver(tenant)

    def deliver(self, tenant: TenantAccount) -> None:
        """Deliver all that can be delivered to a tenant now."""
        for problem_id in self._services.read(
            lambda records: records.problems_with_undelivered(tenant.name)
        ):
            failures = self._failures.get(problem_id)
            if failures is None or failures.until <= self._services.machine.monotonic():
                self._deliver_in_order(tenant, problem_id)

    def _deliver_in_order(self, tenant: TenantAccount, problem_id: int) -> None:
        while not self._stopping.is_set():
            notification = self._services.read(
                lambda records: _next_notification(records, problem_id)
            )
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
            REQUEST_ID: str(self._services.ids.uuid(tenant.name, *attempt)),
            CONVERSATION_ID: notification.problem.conversation_id,
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
        tenant = notification.problem.tenant
        self._services.write(
            lambda records: records.mark_delivered(notification.update_id, records.now(tenant))
        )

    def _note_failure(self, problem: Problem, failure: str) -> None:
        failures = self._failures.setdefault(problem.id, _Failures())
        wait = WAITS[min(failures.count, len(WAITS) - 1)]
        failures.count += 1
        failures.until = self._services.machine.monotonic() + wait
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


def _next_notification(records: Records, problem_id: int) -> _Notification | None:
    update = records.first_undelivered(problem_id)
    if update is None:
        return None
    problem = records.problem(problem_id)
    shown = update_view(problem, update, records.unsettled_answers(problem_id))
    del shown["deliveryStatus"]  # what arrives is delivered
    about = {"serviceProblem": problem_head(problem) | problem.document}
    return _Notification(update.id, problem, shown | about)
