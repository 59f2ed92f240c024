"""Delivers updates to the tenants that have a URL of their own, in order per problem.

The published text does not show the message: here it is the update as GET shows it, with the
problem it is about as of now. It has arrived with any 2xx; with a repeat its id is the same.
"""

import json
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import requests
from sqlalchemy import Connection

from supplier_api.clock import MachineClock
from supplier_api.ids import Chance
from supplier_api.logging import bind, get_logger
from supplier_api.sandbox.gateway.codes import GatewayErrorCode
from supplier_api.sandbox.gateway.config import TenantAccount
from supplier_api.sandbox.gateway.database import GatewayDatabase
from supplier_api.sandbox.gateway.documents import Document
from supplier_api.sandbox.gateway.records import calls, problems
from supplier_api.sandbox.gateway.records import updates as told
from supplier_api.sandbox.gateway.records.problems import Problem
from supplier_api.sandbox.gateway.update_log import UpdateLog
from supplier_api.sandbox.gateway.views import problem_head, update_view

log = get_logger(__name__)

PATH = "/kcis"
TIMEOUT = (5.0, 10.0)  # seconds to connect, and between two bytes of the answer
WAITS = (1.0, 5.0, 30.0, 60.0)  # seconds after each failure in a row; the last one repeats
LOOK_EVERY = 0.5


@dataclass(frozen=True, slots=True)
class _Notification:
    """An update on its way: its row, the problem it is about, and what is sent."""

    update_id: int
    problem: Problem
    body: Document


@dataclass(slots=True)
class _Trouble:
    """How often in a row a problem's next update failed, and when to try again (monotonic)."""

    failures: int
    until: float


class WebhookSender:
    """Delivers in the background, one thread for each tenant, or once by `run_due`."""

    def __init__(
        self,
        tenants: Sequence[TenantAccount],
        database: GatewayDatabase,
        machine: MachineClock,
        update_log: UpdateLog,
        chance: Chance,
        session_factory: Callable[[], requests.Session],
    ) -> None:
        """Deliver to those of `tenants` that have a URL."""
        self._tenants = {tenant: session_factory() for tenant in tenants if tenant.url}
        self._database = database
        self._machine = machine
        self._update_log = update_log
        self._chance = chance
        self._troubles: dict[int, _Trouble] = {}
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Work in the background until `stop`."""
        # Daemons: a tenant that answers drop by drop must not keep the process from ending.
        self._threads = [
            threading.Thread(target=self._look_regularly, args=(tenant,), daemon=True)
            for tenant in self._tenants
        ]
        for thread in self._threads:
            thread.start()

    def stop(self, patience: float = 3.0) -> None:
        """Deliver nothing new and wait `patience` seconds for the answers that are still out."""
        self._stopping.set()
        until = self._machine.monotonic() + patience
        for thread in self._threads:
            thread.join(max(0.0, until - self._machine.monotonic()))
        for session in self._tenants.values():
            session.close()

    def run_due(self) -> None:
        """Deliver all that can be delivered now."""
        for tenant in self._tenants:
            self._serve(tenant)

    def _look_regularly(self, tenant: TenantAccount) -> None:
        while not self._stopping.wait(LOOK_EVERY):
            try:
                self._serve(tenant)
            except Exception:
                log.exception("delivery to tenant failed", tenant=tenant.name)

    def _serve(self, tenant: TenantAccount) -> None:
        waiting = self._database.read(
            lambda connection: told.problems_with_undelivered(connection, tenant.name)
        )
        for problem_id in waiting:
            trouble = self._troubles.get(problem_id)
            if trouble is None or trouble.until <= self._machine.monotonic():
                self._deliver_in_order(tenant, problem_id)

    def _deliver_in_order(self, tenant: TenantAccount, problem_id: int) -> None:
        while not self._stopping.is_set():
            stored = self._database.read(lambda connection: _next_letter(connection, problem_id))
            if stored is None:
                return
            failure = self._post(tenant, stored)
            if failure is not None:
                self._note_failure(stored.problem, failure)
                return
            self._troubles.pop(problem_id, None)
            self._mark_delivered(stored)

    def _post(self, tenant: TenantAccount, stored: _Notification) -> str | None:
        """Return None when the update has arrived, or else what went wrong."""
        headers = {
            "Content-Type": "application/json",
            "X-Request-ID": self._request_id(tenant, stored),
            "X-Conversation-ID": stored.problem.conversation_id,
        }
        body = json.dumps(stored.body, ensure_ascii=False).encode()
        try:
            with self._tenants[tenant].post(
                f"{tenant.url}{PATH}",
                data=body,
                headers=headers,
                timeout=TIMEOUT,
                allow_redirects=False,
                stream=True,
            ) as answer:
                return None if 200 <= answer.status_code < 300 else str(answer.status_code)
        except requests.RequestException as error:
            return type(error).__name__

    def _request_id(self, tenant: TenantAccount, stored: _Notification) -> str:
        """Return an id for this attempt, the same in every run where ids are repeatable."""
        trouble = self._troubles.get(stored.problem.id)
        failures = trouble.failures if trouble else 0
        return str(self._chance.uuid(tenant.name, "delivery", stored.body["id"], failures))

    def _mark_delivered(self, stored: _Notification) -> None:
        delivered_on = self._update_log.now(stored.problem.tenant)
        self._database.write(
            lambda connection: told.mark_delivered(connection, stored.update_id, delivered_on)
        )

    def _note_failure(self, problem: Problem, failure: str) -> None:
        trouble = self._troubles.setdefault(problem.id, _Trouble(0, 0.0))
        wait = WAITS[min(trouble.failures, len(WAITS) - 1)]
        trouble.failures += 1
        trouble.until = self._machine.monotonic() + wait
        with bind(
            gateway_id=problem.id,
            tenant=problem.tenant,
            conversation_id=problem.conversation_id,
        ):
            log.warning(
                "update not delivered",
                code=GatewayErrorCode.TENANT_FAULT.value,
                failure=failure,
                failures=trouble.failures,
                again_in=wait,
            )


def _next_letter(connection: Connection, problem_id: int) -> _Notification | None:
    update = told.first_undelivered(connection, problem_id)
    if update is None:
        return None
    problem = problems.get(connection, problem_id)
    shown = update_view(problem, update, calls.unsettled_answers(connection, problem_id))
    del shown["deliveryStatus"]  # what arrives is delivered
    about = {"serviceProblem": problem_head(problem) | problem.document}
    return _Notification(update.id, problem, shown | about)
