"""All use cases over one database, with helpers for both sides and manual clocks."""

import itertools
import json
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import select

from supplier_api import contract as wire
from supplier_api.clock import ManualBusinessClock, ManualMachineClock
from supplier_api.contract.codes import ProblemCode
from supplier_api.db import Store, UnitOfWork, tables
from supplier_api.http.gateway import GatewayRequests
from supplier_api.ids import IdSource, SeededIdSource
from supplier_api.outbox.model import Attempt, AttemptRecord, Claim, MessageState
from supplier_api.outbox.repository import LaneRepository
from supplier_api.problems.backoffice_events import BackOfficeEvents
from supplier_api.problems.deferred_decisions import DeferredDecisions
from supplier_api.problems.delivered_kcis import DeliveredKci, kci_delivered
from supplier_api.problems.incidents import Incidents
from supplier_api.problems.lifecycle import Event
from supplier_api.problems.model import ServiceProblem
from supplier_api.problems.parts_repository import ChangeRequestRepository, ResolutionRepository
from supplier_api.problems.repository import ProblemRepository
from supplier_api.problems.rule_evaluation import RULE_BOOK_ONLY, OutcomeSource, RuleEvaluator
from supplier_api.problems.services import (
    GATEWAY,
    Caller,
    EventAnswer,
    LifecyclePolicy,
    RequestAnswer,
    Services,
)
from supplier_api.problems.timers import DueTimerHandlers
from supplier_api.problems.work import DEFAULT_KINDS, BackOfficeEvent, OrderKind
from supplier_api.rules.inventory import TimedInventory
from supplier_api.rules.loading import load_book
from supplier_api.rules.reloading import Loaded
from tests.outbox import proceed

TENANT = "TENANT1"
CONTRACT = "1.15"
POLICY = LifecyclePolicy(
    reference_prefix="SP_",
    closure=timedelta(days=5),
    notice=timedelta(hours=24),
    answer_budget=3.0,
    settling=timedelta(milliseconds=250),
)
REPAIRED = {"resolutionCode": "NETWORK_CABLING", "resolutionText": "A joint was replaced."}
LEASE = timedelta(seconds=45)
CONTACT = {"name": "John Smith", "email": "john@smith.com", "phoneNumber": "01234 567890"}


class Rig:
    """The use cases over one database.

    The gateway's requests are `create`, `amend`, `cancel` and `settle`; `take` is the gateway
    accepting our KCIs; `say` is an event of the back office. They are about the problem with the
    gateway's id 1 unless named otherwise. `kci_lines` are its KCIs: `n REASON/STATUS + content`.
    """

    def __init__(
        self,
        url: str,
        book: Path,
        inventory: TimedInventory,
        policy: LifecyclePolicy = POLICY,
        id_source: IdSource | None = None,
        process: str = "",
        outcomes: OutcomeSource = RULE_BOOK_ONLY,
        order_kinds: frozenset[OrderKind] = DEFAULT_KINDS,
    ) -> None:
        self.machine = ManualMachineClock()
        self.business = ManualBusinessClock(self.machine)
        self.store = Store(url, self.machine)
        self.services = Services(
            self.store,
            self.machine,
            self.business,
            id_source or SeededIdSource(1),
            policy,
            CONTRACT,
            process,
            order_kinds=order_kinds,
        )
        # The loaded rule book and inventory; replace it to reload.
        self.loaded = Loaded(load_book(book, "sandbox"), inventory)
        self.rule_evaluator = RuleEvaluator(self.services, lambda: self.loaded)
        self.intake = GatewayRequests(self.services, self.rule_evaluator, outcomes)
        self.progress = BackOfficeEvents(self.services)
        self.incidents = Incidents(self.services)
        deciding = DeferredDecisions(self.services, self.rule_evaluator, outcomes)
        self.timers = DueTimerHandlers(self.services, self.progress, self.incidents, deciding)
        self._ids = itertools.count(1)

    # -- requests of the gateway

    def caller(self, tenant: str = TENANT, age: float = 0.0) -> Caller:
        """Return a caller whose request arrived `age` seconds ago."""
        entered = self.machine.monotonic() - age
        return Caller(tenant, f"request-{next(self._ids)}", "conversation-1", entered)

    def create(self, notes: str = "none", tenant: str = TENANT, **changes: Any) -> RequestAnswer:
        """Raise a problem; `notes` may be defer, commit or reject."""
        request = problem(changes.pop("id", 1), notes=notes, **changes)
        return self.intake.raise_problem(self.caller(tenant), request)

    def amend(self, gateway_id: int = 101, tenant: str = TENANT, **fields: Any) -> RequestAnswer:
        """Ask for an amendment; `notes` may be defer or reject."""
        body = {"id": gateway_id, **self._about(), **(fields or {"notes": "The gate is open."})}
        return self.intake.amend(self.caller(tenant), body)

    def cancel(self, gateway_id: int = 201, tenant: str = TENANT, **fields: Any) -> RequestAnswer:
        """Ask for a cancellation; `text` may be defer or reject."""
        body = {"id": gateway_id, **self._about(), "reasonCode": "ISSUE_RESOLVED", **fields}
        return self.intake.cancel(self.caller(tenant), body)

    def settle(self, status: str, reference: str | None = None, **fields: Any) -> RequestAnswer:
        """Answer the newest resolution, or the one named."""
        reference = reference or self.resolution_reference()
        return self.intake.settle(self.caller(), reference, {"status": status, **fields})

    # -- delivery to the gateway

    def take(self, most: int = 1000) -> list[dict[str, Any]]:
        """Let the gateway accept up to `most` queued KCIs, in their order; return them."""
        self.machine.advance(1.0)
        taken: list[dict[str, Any]] = []
        while len(taken) < most and (claim := self.claim()):
            taken.append(json.loads(claim.message.body))
            self.settled(claim, MessageState.DELIVERED)
        return taken

    def claim(self) -> Claim | None:
        """Claim a KCI as a worker does: it is in flight."""
        now = self.machine.now()
        claims = self.store.write(
            lambda uow: LaneRepository(uow).claim(
                GATEWAY, "test", now, now + LEASE, limit=1, failed=1
            )
        )
        return claims[0] if claims else None

    def settled(self, claim: Claim, state: MessageState) -> None:
        """Record the result of the KCI in flight."""
        message, now = claim.message, self.machine.now()
        attempt = Attempt(now, state, 204 if state is MessageState.DELIVERED else 422, 1, "")

        def work(uow: UnitOfWork) -> None:
            ProblemRepository(uow).lock(claim.problem_id)
            LaneRepository(uow).lock_claimed([claim])
            LaneRepository(uow).record([AttemptRecord(message, attempt, state)])
            if state is MessageState.DELIVERED:
                taken = DeliveredKci(claim.problem_id, message.kind, message.subject)
                kci_delivered(self.services, uow, taken)
            proceed(uow, claim, now, parks=state is not MessageState.DELIVERED)

        self.store.write(work)

    # -- events of the back office

    def say(self, event: str, name: str | None = None, **fields: Any) -> EventAnswer:
        """Send an event about the problem, with what its KCI must carry."""
        if "problem_code" in fields:
            fields["problem_code"] = ProblemCode(fields["problem_code"])
        fields = {"id": f"event-{next(self._ids)}", **fields}
        sent = BackOfficeEvent(event=Event(event), **fields)
        return self.progress.event(name or self.problem().reference, sent)

    def resolve(self) -> EventAnswer:
        """Send the event that resolves the problem."""
        return self.say("resolve", resolution=REPAIRED)

    # -- time

    def pass_days(self, days: float) -> None:
        """Advance business time and run what is due then."""
        self.business.advance(days * 86400)
        self.run_timers()

    def run_timers(self) -> None:
        """Run timers until none is due."""
        for _ in range(100):
            if not self.timers.run_due():
                return
        raise AssertionError("timers never come to rest")

    # -- results

    def problem(self, gateway_id: int = 1, tenant: str = TENANT) -> ServiceProblem:
        """Return the problem as it is stored."""

        def work(uow: UnitOfWork) -> ServiceProblem:
            problem_id = ProblemRepository(uow).find(tenant, gateway_id)
            assert problem_id is not None, "no such problem"
            return ProblemRepository(uow).get(problem_id)

        return self.store.read(work)

    def resolution_reference(self, gateway_id: int = 1) -> str:
        """Return our reference of the newest resolution."""
        problem_id = self.problem(gateway_id).id
        resolution = self.store.read(lambda uow: ResolutionRepository(uow).current(problem_id))
        assert resolution is not None
        return resolution.reference

    def change_reference(self, gateway_id: int = 1) -> str:
        """Return our reference of the change that is undecided."""
        problem_id = self.problem(gateway_id).id
        change = self.store.read(lambda uow: ChangeRequestRepository(uow).pending(problem_id))
        assert change is not None
        return change.reference

    def kcis(self, gateway_id: int = 1, tenant: str = TENANT) -> list[dict[str, Any]]:
        """Return every KCI of the problem, each checked against the published contract."""
        rows = self.messages(GATEWAY, gateway_id, tenant)
        bodies = [json.loads(row["body"]) for row in rows]
        for number, (row, body) in enumerate(zip(rows, bodies, strict=True), 1):
            assert wire.load_kci(body) == body
            assert body["sequenceNumber"] == row["number"] == number
            assert body["id"] == row["uuid"]
            assert row["kind"] == body["reasonCode"]
            assert row["conversation_id"] == "conversation-1"
        dates = [body["issuedOn"] for body in bodies]
        assert dates == sorted(set(dates))
        return bodies

    def kci_lines(self, gateway_id: int = 1) -> list[str]:
        """Return every KCI of the problem as a line."""
        reference = self.problem(gateway_id).reference
        return [_line(body, reference) for body in self.kcis(gateway_id)]

    def messages(
        self, destination: str, gateway_id: int = 1, tenant: str = TENANT
    ) -> list[Mapping[str, Any]]:
        """Return the rows of the messages to a destination."""
        lane, message = tables.lane.c, tables.message.c
        query = (
            select(tables.message)
            .join(tables.lane)
            .where(lane.problem_id == self.problem(gateway_id, tenant).id)
            .where(lane.destination == destination)
            .order_by(message.number)
        )
        return self.store.read(
            lambda uow: [dict(row) for row in uow.connection.execute(query).mappings()]
        )

    def _about(self) -> dict[str, Any]:
        return {
            "serviceProblemId": 1,
            "supplierServiceProblemReference": self.problem().reference,
        }


def problem(gateway_id: int = 1, **changes: Any) -> dict[str, Any]:
    """Return a request for a problem on a service of its own."""
    return {
        "id": gateway_id,
        "problemType": "STABILITY",
        "problemText": "The service keeps dropping between 6pm and 9pm every evening.",
        "serviceId": f"SI{gateway_id + 1000:013d}",
        "serviceSpecification": {"id": "ftthl2r"},
        "characteristics": [{"name": "SERVICE_HAS_WORKED", "value": "false"}],
        "primaryContact": CONTACT,
        "notes": "none",
        **changes,
    }


def _line(body: Mapping[str, Any], reference: str) -> str:
    entity = body["serviceProblem"]
    parts = [f"{body['sequenceNumber']} {body['reasonCode']}/{entity['status']}"]
    if "problemCode" in body:
        parts.append(body["problemCode"])
    if "text" in body:
        parts.append("text")
    for stored, name in (("A", "Amendment"), ("C", "Cancellation"), ("R", "Resolution")):
        beside = body.get(f"serviceProblem{name}")
        if beside:
            closed = " closed" if "closedDate" in beside else ""
            parts.append(f"{stored} {beside['status']}{closed}")
    if "supplierReference" not in entity:
        parts.append("no reference")
    else:
        assert entity["supplierReference"] == reference
    return " + ".join(parts)
