"""What one operation costs, in calls and SQL: it may not creep up.

The ceilings stand in tests/ceilings.toml. Counts do not depend on the machine.
"""

import threading
import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text

from supplier_api.app.destinations import to_gateway
from supplier_api.app.services import ClockPair
from supplier_api.clock import ManualBusinessClock, ManualMachineClock
from supplier_api.db import UnitOfWork
from supplier_api.http_client.watchdog import Watchdog
from supplier_api.operations.heartbeat import Activity
from supplier_api.problems.repository import ProblemRepository
from supplier_api.settings import Settings
from tests.counting import Cost, counting
from tests.delivering import LaneDelivery
from tests.integration.cli.test_production import PRODUCTION
from tests.integration.conftest import CONFIG
from tests.integration.delivery.sink import Sink, serving
from tests.samples import amendment_request, cancellation_request, published_problem
from tests.supplier import Problem, Supplier

CEILINGS = tomllib.loads((Path(__file__).parents[1] / "ceilings.toml").read_text("utf-8"))
SPARE = 0.15  # of a ceiling; a count that is lower still has outgrown it
WARM = 2  # times that an operation is done before it is counted
NUMBERS = range(1000, 1100)  # ids of problems and changes
FLUSH_SECONDS = 20.0
SECRETS = {
    "gateway": PRODUCTION["SUPPLIER_API__ACCESS__CLIENTS__GATEWAY__SECRET"],
    "back-office": PRODUCTION["SUPPLIER_API__ACCESS__CLIENTS__BACK_OFFICE__SECRET"],
}
Prepare = Callable[[], Callable[[], object]]
Clocks = tuple[ManualMachineClock, ManualBusinessClock, ClockPair]
in_production = pytest.mark.parametrize("more_settings", ["production"], indirect=True)


class CountedSupplier(Supplier):
    """A supplier whose operations are prepared first, and then done by one call that is counted."""

    def __init__(
        self,
        app: Flask,
        client: FlaskClient,
        machine: ManualMachineClock,
        business: ManualBusinessClock,
    ) -> None:
        super().__init__(app, client, machine, business)
        self._numbers = iter(NUMBERS)

    def counted(self, prepare: Prepare) -> Cost:
        """Return what the operation costs that `prepare` returns, when it is done once more."""
        for _ in range(WARM):
            prepare()()
        operation = prepare()
        if recorder := self.app.extensions.get("recorder"):
            # Its thread would share commits with ours.
            assert recorder.flush(FLUSH_SECONDS)
        with counting() as cost:
            operation()
        return cost

    def create_one(self) -> Callable[[], object]:
        body = self._body()
        return lambda: self._expect(201, self.create(body))

    def amend_one(self) -> Callable[[], object]:
        body = self._another().named(amendment_request(), id=next(self._numbers))
        return lambda: self._expect(201, self.amend(body))

    def cancel_one(self) -> Callable[[], object]:
        body = self._another().named(cancellation_request(), id=next(self._numbers))
        return lambda: self._expect(201, self.cancel(body))

    def answer_a_resolution(self) -> Callable[[], object]:
        reference = self.resolved(self._another())
        return lambda: self._expect(200, self.settle(reference, "ACCEPTED"))

    def say_an_event(self) -> Callable[[], object]:
        reference = self._another().reference
        return lambda: self._expect(200, self.event(reference, "start"))

    def look_at_one(self) -> Callable[[], object]:
        path = f"/admin/problems/{self._another().reference}"
        return lambda: self._expect(200, self.client.get(path))

    def _another(self) -> Problem:
        return self.opened(**self._body())

    def _body(self) -> dict[str, Any]:
        number = next(self._numbers)
        return published_problem(
            id=number,
            serviceId=f"SI{number:013}",
            characteristics=[{"name": "SERVICE_HAS_WORKED", "value": "false"}],
        )

    def _expect(self, status: int, answer: Any) -> None:
        assert answer.status_code == status, answer.get_json()


class ProductionSupplier(CountedSupplier):
    """The same in the production profile: its secrets, and its rules for delivery."""

    def __init__(
        self,
        app: Flask,
        client: FlaskClient,
        clocks: Clocks,
        settings: Settings,
        sink: Sink,
    ) -> None:
        machine, business, _ = clocks
        super().__init__(app, client, machine, business)
        self._sink = sink
        self._issued: dict[str, str] = {}
        services = self.services
        gateway = to_gateway(settings, services, Watchdog(machine), Activity(machine))
        self._delivery = LaneDelivery(
            gateway, services.store, machine, services.id_source, settings.delivery.lease
        )

    def token(self, name: str = "gateway", client: FlaskClient | None = None, **form: str) -> str:
        if name not in self._issued:
            secret = {"client_secret": SECRETS[name]}
            self._issued[name] = super().token(name, client, **secret, **form)
        return self._issued[name]

    def deliver_a_kci(self) -> Callable[[], object]:
        problem = self._another()
        self.deliver()
        self.event(problem.reference, "start")
        self._sink.kcis.clear()
        return self._deliver_it

    def _deliver_it(self) -> None:
        self.deliver()
        assert len(self._sink.kcis) == 1

    def _executor(self) -> LaneDelivery:
        return self._delivery


@pytest.fixture
def more_settings(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, str]:
    """Return the settings of the profile, with a service for each problem."""
    services = tmp_path / "numbered.csv"
    columns, *_ = (CONFIG / "services.csv").read_text(encoding="utf-8").splitlines()
    rows = [f"SI{number:013},ftthl2r,FTTH,live,,,,false," for number in NUMBERS]
    services.write_text("\n".join([columns, *rows]), encoding="utf-8")
    profile = PRODUCTION if getattr(request, "param", "") == "production" else {}
    return {**profile, "SUPPLIER_API__INVENTORY__FILE": str(services)}


@pytest.fixture
def sandbox(app: Flask, client: FlaskClient, clocks: Clocks) -> CountedSupplier:
    return CountedSupplier(app, client, clocks[0], clocks[1])


@pytest.fixture
def production(
    app: Flask, client: FlaskClient, clocks: Clocks, settings: Settings
) -> Iterator[ProductionSupplier]:
    with serving() as sink:
        # The profile wants TLS, which would cost no more calls of ours.
        urls = {"kci_url": f"{sink.url}/kcis", "token_url": f"{sink.url}/access-token"}
        gateway = settings.gateway.model_copy(update=urls)
        nearby = settings.model_copy(update={"gateway": gateway})
        yield ProductionSupplier(app, client, clocks, nearby, sink)


def findings(name: str, numbers: Mapping[str, int], ceilings: Mapping[str, int]) -> list[str]:
    """Return a line for each number that is above its ceiling, or far below it."""
    found = []
    for what, number in numbers.items():
        told = f"{name}: {number} {what}, the ceiling is {ceilings[what]}"
        if number > ceilings[what]:
            found.append(f"{told}: make it cheaper, or raise the ceiling and say why")
        elif number < ceilings[what] * (1 - SPARE):
            found.append(f"{told}: it has become cheaper, so lower the ceiling")
    return found


def check(supplier: CountedSupplier, operations: Mapping[str, Prepare]) -> None:
    """Count the operations; fail with what was counted where one is not as its ceilings say."""
    dialect = supplier.services.store.dialect
    found, counted = [], []
    for name, prepare in operations.items():
        cost = supplier.counted(prepare)
        if lines := findings(f"{name} on {dialect}", cost.numbers(), CEILINGS[name][dialect]):
            found += lines
            counted.append(f"{name} on {dialect}:\n{cost}")
    if found:
        pytest.fail("\n".join([*found, "", *counted, "", *found]), pytrace=False)


@in_production
def test_no_operation_costs_more_than_its_ceiling(production: ProductionSupplier) -> None:
    check(
        production,
        {
            "create": production.create_one,
            "amendment": production.amend_one,
            "cancellation": production.cancel_one,
            "resolution-answer": production.answer_a_resolution,
            "event": production.say_an_event,
            "kci": production.deliver_a_kci,
        },
    )


def test_nor_in_the_sandbox(sandbox: CountedSupplier) -> None:
    check(sandbox, {"sandbox-create": sandbox.create_one, "admin-problem": sandbox.look_at_one})


def test_a_needless_call_or_statement_is_counted(sandbox: CountedSupplier) -> None:
    def cost_of(*needless: Callable[[UnitOfWork], object]) -> Cost:
        def work(uow: UnitOfWork) -> None:
            ProblemRepository(uow).count()
            for each in needless:
                each(uow)

        sandbox.services.store.read(work)
        with counting() as cost:
            sandbox.services.store.read(work)
        return cost

    needed, call = cost_of(), cost_of(UnitOfWork.wake)
    statement = cost_of(lambda uow: uow.connection.execute(text("SELECT 1")))

    assert call.functions - needed.functions == {"db/compiled_statements.py UnitOfWork.wake": 1}
    assert call.statements == needed.statements
    assert statement.statements == [*needed.statements, "SELECT 1"]
    assert statement.numbers()["transactions"] == needed.numbers()["transactions"] == 1


def test_what_other_threads_do_is_not_counted(sandbox: CountedSupplier) -> None:
    with counting() as cost:
        other = threading.Thread(target=sandbox.problems)
        other.start()
        other.join()
    assert cost.numbers() == {"calls": 0, "statements": 0, "transactions": 0}


def test_a_ceiling_is_tight() -> None:
    def told(calls: int) -> str:
        return "".join(findings("create", {"calls": calls}, {"calls": 100}))

    assert told(101).startswith("create: 101 calls, the ceiling is 100: make it cheaper")
    assert told(100) == told(85) == ""
    assert told(84).endswith("lower the ceiling")
