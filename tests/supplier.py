"""The wired supplier in a test's hand, which plays the gateway, the back office and time."""

import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update
from werkzeug.test import TestResponse

from supplier_api.app.services import ClockPair
from supplier_api.clock import ManualBusinessClock, ManualMachineClock
from supplier_api.db import UnitOfWork, tables
from supplier_api.delivery.model import Destination, Lease, Meaning, Reply, RetryPolicy
from supplier_api.ids import SeededIdSource
from supplier_api.outbox.model import Claim, Message, MessageState
from supplier_api.outbox.repository import LaneRepository
from supplier_api.problems.backoffice_events import BackOfficeEvents
from supplier_api.problems.delivered_kcis import DeliveredKci, kci_delivered
from supplier_api.problems.incidents import Incidents
from supplier_api.problems.model import ServiceProblem
from supplier_api.problems.repository import ProblemRepository
from supplier_api.problems.services import BACK_OFFICE, GATEWAY, Services
from supplier_api.problems.timers import DueTimerHandlers
from tests.delivering import LaneDelivery
from tests.samples import problem_request

TENANT = "TENANT1"
# Tenants whose problems the rule book of the tests treats in a way of their own.
COMMITTED = "TENANT_COMMITTED"  # problems are begun at once
DEFERRED = "TENANT_DEFERRED"  # whatever is asked is left open
REPAIRED = {
    "resolutionCode": "NETWORK_CABLING",
    "resolutionText": "The cable at the pole was renewed.",
    "supplierCodes": ["R9"],
    "faultCode": ["DAMAGED_ONT"],
}
LEASE = 3600.0
# For what does not depend on the engine.
on_sqlite = pytest.mark.parametrize("upgraded_url", ["sqlite_file"], indirect=True, ids=["sqlite"])


@dataclass(frozen=True)
class Problem:
    """A problem as the gateway knows it."""

    id: int
    reference: str
    tenant: str = TENANT

    def named(self, request: Mapping[str, Any], **changes: Any) -> dict[str, Any]:
        """Return a request for a change with this problem's id and reference."""
        return {
            **request,
            "serviceProblemId": self.id,
            "supplierServiceProblemReference": self.reference,
            **changes,
        }


class Supplier:
    """The application behind a test client, with clocks that move when told to."""

    def __init__(
        self,
        app: Flask,
        client: FlaskClient,
        machine: ManualMachineClock,
        business: ManualBusinessClock,
    ) -> None:
        self.app = app
        self.client = client
        self.machine = machine
        self.business = business
        self.services: Services = app.extensions["services"]
        self._tokens: dict[str, tuple[str, float]] = {}
        self._ids = itertools.count(1)
        # What the gateway answers to KCIs of these numbers, instead of taking them.
        self.answers: dict[int, Reply] = {}

    # -- over HTTP

    def token(self, name: str = "gateway", client: FlaskClient | None = None, **form: str) -> str:
        """Return a token of the supplier's own token endpoint, a new one when the last is old."""
        kept, until = self._tokens.get(name, ("", 0.0))
        if kept and not form and self.machine.monotonic() < until:
            return kept
        answer = (client or self.client).post(
            "/oauth2/token",
            data={
                "grant_type": "client_credentials",
                "client_id": name,
                "client_secret": f"{name}-secret",
                **form,
            },
        )
        token: str = answer.get_json()["access_token"]
        if not form:
            self._tokens[name] = token, self.machine.monotonic() + answer.get_json()["expires_in"]
        return token

    def headers(self, tenant: str = TENANT) -> dict[str, str]:
        """Return every header that a call of the gateway carries."""
        return {
            "Authorization": f"Bearer {self.token()}",
            "X-Request-ID": f"request-{next(self._ids)}",
            "X-Conversation-ID": "conversation-1",
            "Tenant": tenant,
        }

    def call(
        self, method: str, path: str, body: Mapping[str, Any], *, tenant: str = TENANT
    ) -> TestResponse:
        """Send a call of the gateway."""
        return self.client.open(path, method=method, json=body, headers=self.headers(tenant))

    def create(self, body: Mapping[str, Any], *, tenant: str = TENANT) -> TestResponse:
        """Raise a problem."""
        return self.call("POST", "/service-problems", body, tenant=tenant)

    def amend(self, body: Mapping[str, Any], *, tenant: str = TENANT) -> TestResponse:
        """Ask for an amendment."""
        return self.call("POST", "/service-problem-amendments", body, tenant=tenant)

    def cancel(self, body: Mapping[str, Any], *, tenant: str = TENANT) -> TestResponse:
        """Ask for a cancellation."""
        return self.call("POST", "/service-problem-cancellations", body, tenant=tenant)

    def settle(
        self, reference: str, status: str, *, tenant: str = TENANT, **more: Any
    ) -> TestResponse:
        """Answer a resolution."""
        body = {"status": status, **more}
        return self.call("PATCH", f"/service-problem-resolutions/{reference}", body, tenant=tenant)

    def event(self, name: str | int, event: str, **fields: Any) -> TestResponse:
        """Say an event as the back office; it has an id of its own unless one is given."""
        return self.client.post(
            f"/back-office/v1/problems/{name}/events",
            json={"id": f"event-{next(self._ids)}", "event": event, **fields},
            headers={"Authorization": f"Bearer {self.token('back-office')}"},
        )

    # -- a problem under way

    def opened(self, *, tenant: str = TENANT, **changes: Any) -> Problem:
        """Raise the example problem and return it; one that was left open is accepted first."""
        body = problem_request(**changes)
        answer = self.create(body, tenant=tenant)
        assert answer.status_code in (201, 202), answer.get_json()
        reference = self.stored(body["id"], tenant).reference
        if answer.status_code == 202:
            assert self.event(reference, "accept").status_code == 200
            self.deliver()
        return Problem(body["id"], reference, tenant)

    def resolved(self, problem: Problem) -> str:
        """Have a problem resolved and that told; return our reference of the resolution."""
        assert self.event(problem.reference, "resolve", resolution=REPAIRED).status_code == 200
        self.deliver()
        told = self.kcis(problem)[-1]
        assert told["reasonCode"] == "RESOLVED"
        reference: str = told["serviceProblemResolution"]["supplierReference"]
        return reference

    def stored(self, gateway_id: int, tenant: str = TENANT) -> ServiceProblem:
        """Return a problem as it is stored."""

        def find(uow: UnitOfWork) -> ServiceProblem:
            problem_id = ProblemRepository(uow).find(tenant, gateway_id)
            assert problem_id is not None
            return ProblemRepository(uow).get(problem_id)

        return self.services.store.read(find)

    def kcis(self, problem: Problem) -> list[dict[str, Any]]:
        """Return every KCI about a problem, in order."""
        problem_id = self.stored(problem.id, problem.tenant).id
        rows = self.services.store.read(lambda uow: LaneRepository(uow).messages_of(problem_id))
        bodies = [json.loads(row["body"]) for row in rows]
        return [body for body in bodies if "reasonCode" in body]

    def told(self, problem: Problem) -> list[str]:
        """Return every KCI about a problem as `1 COMMITTED/IN_PROGRESS`."""
        return [
            f"{kci['sequenceNumber']} {kci['reasonCode']}/{kci['serviceProblem']['status']}"
            for kci in self.kcis(problem)
        ]

    def problems(self) -> int:
        """Count the problems that are stored."""
        return self.services.store.read(lambda uow: ProblemRepository(uow).count())

    # -- what else happens

    def deliver(self) -> None:
        """Let the gateway take every KCI that is under way."""
        self.machine.advance(1)
        store, now = self.services.store, self.machine.now()
        until = now + timedelta(seconds=LEASE)

        def claim(uow: UnitOfWork) -> list[Claim]:
            return LaneRepository(uow).claim(GATEWAY, "test", now, until, limit=100, failed=100)

        ends = self.machine.monotonic() + LEASE
        for claimed in store.write(claim):
            self._executor().deliver_lane(Lease(claimed, ends))

    def deliver_orders(self) -> None:
        """Let the back office take every work order."""
        lane, message = tables.lane, tables.message
        theirs = lane.c.destination == BACK_OFFICE

        def work(uow: UnitOfWork) -> None:
            taken = update(message).where(message.c.lane_id.in_(select(lane.c.id).where(theirs)))
            uow.connection.execute(taken.values(state=MessageState.DELIVERED))
            uow.connection.execute(update(lane).where(theirs).values(due_at=None))

        self.services.store.write(work)

    def pass_days(self, days: float) -> None:
        """Let business time pass, and run what becomes due."""
        self.business.advance(days * 86400)
        progress = BackOfficeEvents(self.services)
        DueTimerHandlers(self.services, progress, Incidents(self.services)).run_due()

    def _executor(self) -> LaneDelivery:
        def taken(uow: UnitOfWork, message: Message, _reply: Reply) -> None:
            told = DeliveredKci(message.problem_id, message.kind, message.subject)
            kci_delivered(self.services, uow, told)

        policy = RetryPolicy((timedelta(seconds=5),), 0, timedelta(hours=1), timedelta(hours=72))
        gateway = Destination(GATEWAY, Told(self.answers), policy, on_delivered=taken)
        services = self.services
        return LaneDelivery(gateway, services.store, services.machine, services.id_source, LEASE)


@dataclass
class Told:
    """A gateway that takes every KCI but those of the numbers that it was told of."""

    answers: Mapping[int, Reply]

    def send(self, message: Message, seconds: float) -> Reply:  # noqa: ARG002 - the port's
        """Take it, or answer as told."""
        return self.answers.get(message.number, Reply(Meaning.ACCEPTED, "204", 204))


def refusal(answer: TestResponse) -> tuple[int, str, list[str]]:
    """Return status, code and messages of an error answer, and check that it is the envelope."""
    body = answer.get_json()
    assert answer.content_type == "application/json"
    # An event that lacks something is also told where the problem stands.
    assert body.keys() - {"state", "legalEvents"} == {"uuid", "code", "messages"}
    assert str(UUID(body["uuid"])) == body["uuid"]
    return answer.status_code, body["code"], body["messages"]


def manual_clocks() -> tuple[ManualMachineClock, ManualBusinessClock, ClockPair]:
    """Return clocks that stand still, and what an application is made with."""
    machine = ManualMachineClock()
    business = ManualBusinessClock(machine)
    return machine, business, ClockPair(machine, business, SeededIdSource(1))
