"""A journey along every path of the supplier, with a marker word in whatever is personal."""

import json
import threading
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy.exc import ProgrammingError
from werkzeug.test import TestResponse

from supplier_api.app.services import ClockPair
from supplier_api.app.worker import build_worker
from supplier_api.problems.decision_repository import DecisionRepository
from supplier_api.problems.transition import Transition
from supplier_api.sandbox.simulated_backoffice import SimulatedBackOffice
from supplier_api.settings import Settings
from tests.integration.delivery.sink import Handler, Sink, answer, break_off, refusal
from tests.samples import amendment_request, cancellation_request, published_problem
from tests.supplier import COMMITTED, DEFERRED, Problem, Supplier
from tests.waiting import PATIENCE

MARKER = "Zebrafinch"
CONTACT = {
    "name": f"Mr {MARKER}",
    "email": f"{MARKER}@example.com",
    "phoneNumber": f"01234 {MARKER}",
    "nickname": MARKER,
}
# What is personal or free text in a problem or an amendment, and what is not published at all.
PERSONAL: dict[str, Any] = {
    "problemText": f"{MARKER} has no light",
    "characteristics": [
        {"name": f"{MARKER}S_ROUTER", "value": f"{MARKER}'s router", MARKER: MARKER}
    ],
    "primaryContact": CONTACT,
    "secondaryContact": CONTACT,
    "hazards": f"{MARKER}, a dog",
    "onSiteRestrictions": f"Keys with {MARKER}",
    "notes": f"Ask for {MARKER}",
    "customer": {"name": MARKER, MARKER: [MARKER]},
}


class Journey:
    """Takes the marker along every path there is."""

    def __init__(self, supplier: Supplier, patch: pytest.MonkeyPatch) -> None:
        self.supplier = supplier
        self._patch = patch
        self._count = 100
        self.problems: list[Problem] = []

    def request(self, **changes: Any) -> dict[str, Any]:
        """Return a problem with the marker everywhere, on a service of its own."""
        self._count += 1
        own = {"id": self._count, "serviceId": f"SI{self._count:013}"}
        return published_problem(**{**PERSONAL, **own, **changes})

    def opened(self, tenant: str = "TENANT1") -> Problem:
        body = self.request()
        problem = self.supplier.opened(tenant=tenant, **body)
        self.problems.append(problem)
        return problem

    def amendment(self, problem: Problem, **changes: Any) -> dict[str, Any]:
        self._count += 1
        return problem.named(amendment_request(**PERSONAL), id=self._count, **changes)

    def cancellation(self, problem: Problem, **changes: Any) -> dict[str, Any]:
        self._count += 1
        told = {"text": f"{MARKER} is well again", "customer": MARKER}
        return problem.named(cancellation_request(**told), id=self._count, **changes)

    def expect(self, status: int, answered: TestResponse) -> TestResponse:
        assert answered.status_code == status, answered.data
        return answered

    # -- the paths

    def requests(self) -> None:
        """Problems, their repeats and their refusals."""
        supplier, body = self.supplier, self.request()
        self.expect(201, supplier.create(body))
        self.expect(201, supplier.create(body))
        self.expect(422, supplier.create({**body, "notes": f"Not {MARKER}"}))
        self.expect(422, supplier.create({**body, "id": 9}))
        self.expect(201, supplier.create(self.request(), tenant=COMMITTED))
        self.expect(422, supplier.create(self.request(serviceId="SI0000000000001")))
        self.expect(422, supplier.create(self.request(serviceId="SI0000000000002")))

    def unreadable(self) -> None:
        """Bodies, headers and paths that are refused."""
        wrong: list[dict[str, Any]] = [
            {"notes": MARKER * 200},
            {"notes": {MARKER: MARKER}},
            {"problemType": MARKER},
            {"id": MARKER},
            {"characteristics": [{MARKER: MARKER}]},
            {"characteristics": [{"name": MARKER, "value": MARKER}] * 101},
            {"primaryContact": {"name": MARKER}},
            {"parentServiceProblemReference": MARKER},
        ]
        for changes in wrong:
            assert self.supplier.create(self.request(**changes)).status_code in (400, 422)
        good = json.dumps(self.request())
        client, headers = self.supplier.client, self.supplier.headers()
        for data in (MARKER, good[:-1], good + MARKER, f'{{"{MARKER}": 1, "{MARKER}": 2}}'):
            self.expect(
                400,
                client.post(
                    "/service-problems", data=data, headers=headers, content_type="application/json"
                ),
            )
        self.expect(400, client.post("/service-problems", data=good, headers=headers))
        self.expect(404, client.post(f"/{MARKER}?{MARKER}", json=self.request(), headers=headers))
        self.expect(405, client.put(f"/service-problems?{MARKER}", json=self.request()))
        bearer = {**headers, "Authorization": f"Bearer {MARKER}"}
        self.expect(401, client.post("/service-problems", json=self.request(), headers=bearer))

    def changes(self) -> None:
        """Amendments and cancellations: done, left open, decided, refused."""
        supplier = self.supplier
        problem = self.opened()
        self.expect(201, supplier.amend(self.amendment(problem)))
        self.expect(422, supplier.amend(self.amendment(problem, serviceProblemId=7)))
        self.expect(422, supplier.amend(self.amendment(problem), tenant="TENANT2"))
        self.expect(422, supplier.amend(self.amendment(problem, problemText=MARKER * 9)))
        self.expect(201, supplier.cancel(self.cancellation(problem)))
        self.expect(422, supplier.cancel(self.cancellation(problem)))
        self.expect(422, supplier.amend(self.amendment(problem)))
        asked = self.opened(DEFERRED)
        refused = {"problemCode": "OTHER", "text": f"{MARKER} said no"}
        for ask, request, event in (
            (supplier.amend, self.amendment, "reject-change"),
            (supplier.amend, self.amendment, "accept-change"),
            (supplier.cancel, self.cancellation, "reject-change"),
        ):
            change = self.expect(202, ask(request(asked), tenant=DEFERRED)).get_json()
            self.expect(422, ask(request(asked), tenant=DEFERRED))
            reference = {"changeReference": change["supplierReference"]}
            self.expect(200, supplier.event(asked.reference, event, **reference, **refused))
            supplier.deliver()

    def events(self) -> None:
        """Say what a back office may and may not say; give the tenant's word on it."""
        supplier, problem = self.supplier, self.opened()
        told = {
            "problemCode": "OTHER",
            "text": f"{MARKER} was out",
            "note": {"note": f"{MARKER} called", "type": f"{MARKER}'s note"},
            "customer": MARKER,
        }
        fixed = {"resolutionCode": "OTHER", "resolutionText": f"{MARKER} is happy", MARKER: MARKER}
        for event in ("hold", "ask-information", "ask-appointment", "warn", "note"):
            self.expect(200, supplier.event(problem.reference, event, **told))
        self.expect(409, supplier.event(problem.reference, "complete", **told))
        self.expect(422, supplier.event(problem.reference, "hold", text=MARKER))
        self.expect(422, supplier.event(problem.reference, "note", problemCode=MARKER))
        self.expect(400, supplier.event(problem.reference, "note", text={MARKER: MARKER}))
        self.expect(404, supplier.event("SP_UNKNOWN01", "hold", **told))
        for word in ("REJECTED", "ACCEPTED"):
            supplier.event(problem.reference, "resolve", resolution=fixed, **told)
            supplier.deliver()
            resolution = supplier.kcis(problem)[-1]["serviceProblemResolution"]
            reference = resolution["supplierReference"]
            note = {"tenantNotes": f"{MARKER} says {word}"}
            self.expect(422, supplier.settle(reference, MARKER, **note))
            self.expect(422, supplier.settle(reference, word, tenantNotes=MARKER * 200))
            self.expect(200, supplier.settle(reference, word, **note, customer=MARKER))
            self.expect(422, supplier.settle(reference, word, tenantNotes=f"Not {MARKER}"))

    def failures(self) -> None:
        """Fail as nobody foresaw, in each call, in an event and in a timer."""
        supplier, problem = self.supplier, self.opened()
        reference = supplier.resolved(problem)
        other = self.opened()

        def fail(*_: object) -> None:
            # The error's text holds the statement with its parameters.
            raise ProgrammingError(f"SELECT '{MARKER}'", {"x": MARKER}, ValueError(MARKER))

        def raise_value_error(*_: object, **__: object) -> None:
            raise ValueError(f"cannot do {MARKER}: {PERSONAL}")

        asks: list[Callable[[], TestResponse]] = [
            lambda: supplier.create(self.request()),
            lambda: supplier.amend(self.amendment(other)),
            lambda: supplier.cancel(self.cancellation(other)),
            lambda: supplier.settle(reference, "REJECTED", tenantNotes=MARKER),
        ]
        for place, method, failure in (
            (DecisionRepository, "answer", fail),
            (Transition, "finish", raise_value_error),
        ):
            with self._patch.context() as patch:
                patch.setattr(place, method, failure)
                for ask in asks:
                    assert ask().status_code in (500, 503)
        with self._patch.context() as patch:
            patch.setattr(Transition, "finish", raise_value_error)
            self.expect(500, supplier.event(problem.reference, "note", text=MARKER))
            supplier.pass_days(6)

    def deliveries(self, settings: Settings, clocks: ClockPair, gateway: Sink) -> None:
        """Every way in which a gateway and a back office can throw a message back at us."""

        def repeat(status: int) -> Callable[[Handler], None]:
            def react(handler: Handler) -> None:
                sent = gateway.kcis[-1].body
                assert MARKER.encode() in sent
                refusal(status, "INVALID_REQUEST", f"cannot take {sent.decode()}")(handler)

            return react

        def in_so_many_words(handler: Handler) -> None:
            handler.send_response(422, f"{MARKER} is not known")
            handler.send_header("Content-Length", "0")
            handler.end_headers()

        gateway.kci_reactions += [
            repeat(422),
            repeat(400),
            repeat(404),
            repeat(500),
            refusal(422, MARKER, MARKER),
            answer(400, f"<html>{MARKER}</html>".encode()),
            answer(302, Location=f"{gateway.url}/{MARKER}"),
            in_so_many_words,
            break_off,
        ]
        count = len(gateway.kci_reactions)
        for _ in range(count):
            problem = self.opened()
            told = {"text": f"{MARKER} was out", "problemCode": "OTHER"}
            self.expect(200, self.supplier.event(problem.reference, "hold", **told))

        failed = threading.Event()

        def fail(_: object, order: object) -> None:
            failed.set()
            raise RuntimeError(f"cannot take {order}")

        self.supplier.machine.advance(1)
        with self._patch.context() as patch:
            patch.setattr(SimulatedBackOffice, "submit", fail)
            # One database connection for both, which the application's fixture closes.
            patch.setattr(
                "supplier_api.app.worker.build_services", lambda *_: self.supplier.services
            )
            worker = build_worker(settings, clocks)
            worker.start()
            try:
                while len(gateway.kcis) < count:
                    assert gateway.arrived.acquire(timeout=PATIENCE)
                assert failed.wait(PATIENCE)
            finally:
                assert worker.stop(30)
