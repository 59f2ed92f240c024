"""A supplier's own inventory that does not answer: the gateway gets its 202 all the same."""

import importlib
import json
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from supplier_api.app.rule_upkeep import RuleUpkeep
from supplier_api.app.services import ClockPair, build_services
from supplier_api.app.web import build_heartbeat, create_app
from supplier_api.cli import main
from supplier_api.clock import ManualBusinessClock, ManualMachineClock
from supplier_api.rules.facts import InventoryUnavailable, Service
from supplier_api.rules.inventory import InventoryError
from supplier_api.settings import Settings, load_settings
from tests.samples import problem_request
from tests.supplier import Supplier, manual_clocks, on_sqlite
from tests.waiting import PATIENCE

# As an engineer would write and package it.
MODULE = """
class OurInventory:
    made = []

    def __init__(self, settings):
        self.probe_every = settings.probe_every
        self.made.append(self)

    def find(self, tenant, service_id):
        return self.answer(service_id)
"""


class Held:
    """Answers when it is let, or raises `error`."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.go = threading.Event()
        self.error: Exception | None = None

    def __call__(self, service_id: str) -> Service:
        self.asked.set()
        if self.error:
            raise self.error
        self.go.wait()
        return Service(service_id, "ftthl2r", "FTTH")


@pytest.fixture
def held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Held]:
    """Install an inventory named `ours`; yield what holds its answers back."""
    site = tmp_path / "site"
    info = site / "ours-1.0.dist-info"
    info.mkdir(parents=True)
    (site / "our_inventory.py").write_text(MODULE, encoding="utf-8")
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: ours\nVersion: 1.0\n")
    points = "[supplier_api.inventory]\nours = our_inventory:OurInventory\n"
    (info / "entry_points.txt").write_text(points)
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.delitem(sys.modules, "our_inventory", raising=False)
    held = Held()
    ours = importlib.import_module("our_inventory")
    monkeypatch.setattr(ours.OurInventory, "answer", staticmethod(held), raising=False)
    yield held
    held.go.set()


@on_sqlite
@pytest.mark.parametrize(
    "more_settings",
    [
        {
            "SUPPLIER_API__INVENTORY__ADAPTER": "ours",
            # It is waited for half of this.
            "SUPPLIER_API__SERVER__ANSWER_BUDGET": "1",
        }
    ],
)
def test_a_look_up_that_hangs_becomes_a_202(held: Held, environ: dict[str, str]) -> None:
    machine, business, clocks = manual_clocks()
    app = create_app(load_settings(environ), clocks)
    supplier = Supplier(app, app.test_client(), machine, business)

    answer = supplier.create(problem_request(id=1))

    # It was asked, and has not answered to this moment.
    assert held.asked.wait(PATIENCE)
    assert not held.go.is_set()
    assert (answer.status_code, answer.data) == (202, b"")
    supplier.services.store.close()


@on_sqlite
@pytest.mark.parametrize(
    "more_settings",
    [
        {
            "SUPPLIER_API__INVENTORY__ADAPTER": "ours",
            # Once it is let, it answers, however slow the machine is.
            "SUPPLIER_API__SERVER__ANSWER_BUDGET": "60",
            "SUPPLIER_API__INVENTORY__DOWN_AFTER_FAILURES": "2",
            "SUPPLIER_API__INVENTORY__DOWN_AFTER": "1",
            "SUPPLIER_API__INVENTORY__PROBE_EVERY": "5",
        }
    ],
)
def test_an_inventory_that_is_down_is_shown_until_it_answers(
    held: Held, environ: dict[str, str]
) -> None:
    machine, business, clocks = manual_clocks()
    # The commands go by the time of the host.
    machine.instant = datetime.now(UTC)
    settings = load_settings(environ)
    app = create_app(settings, clocks)
    supplier = Supplier(app, app.test_client(), machine, business)
    heartbeat = build_heartbeat(app, settings)

    def said(*words: str) -> str:
        heartbeat.turn()
        return CliRunner().invoke(main, words, env=environ).stdout

    held.error = InventoryUnavailable("it is being moved")
    for number in (1, 2):
        assert supplier.create(problem_request(id=number)).status_code == 202
        machine.advance(2)
    assert "decisions are put off" in said("status")
    shown = json.loads(said("maintenance", "show", "--json"))
    assert (shown["on"], list(shown["inventoryDown"])) == (False, [supplier.services.process])
    assert f"as {supplier.services.process} sees it" in said("maintenance", "show")

    found = said("doctor")
    assert "the inventory gives no answer: 1" in found
    assert f"asked for the service of {supplier.stored(2).reference}: InventoryUnavailable" in found

    # It is tried though nobody asks for anything.
    held.error = None
    held.go.set()
    upkeep: RuleUpkeep = app.extensions["upkeep"]
    upkeep.turn()
    assert "decisions are put off" in said("status")
    machine.advance(5)
    upkeep.turn()
    assert "not known to be down" in said("status")
    assert json.loads(said("maintenance", "show", "--json"))["inventoryDown"] == {}
    assert supplier.create(problem_request(id=3, serviceId="SI1")).status_code == 201
    supplier.services.store.close()


@on_sqlite
@pytest.mark.parametrize("more_settings", [{"SUPPLIER_API__INVENTORY__ADAPTER": "ours"}])
def test_commands_ask_the_configured_inventory(held: Held, environ: dict[str, str]) -> None:
    def explained() -> Result:
        # A service that the file does not have.
        request = json.dumps(problem_request(serviceId="SI1"))
        words = ("rules", "explain", "-")
        return CliRunner().invoke(main, words, env=environ, input=request)

    held.go.set()
    assert "problem: acknowledge" in explained().stdout
    held.error = InventoryUnavailable("it is being moved")
    result = explained()
    assert "problem: defer (202), decided by: fallback" in result.stdout
    assert "the inventory ours: raised InventoryUnavailable" in result.stderr
    checked = CliRunner().invoke(main, ("rules", "check"), env=environ)
    assert "ours: asked when it is needed" in checked.stdout


@on_sqlite
@pytest.mark.parametrize("more_settings", [{"SUPPLIER_API__INVENTORY__ADAPTER": "theirs"}])
def test_an_inventory_that_nobody_published_stops_the_start(
    settings: Settings, clocks: tuple[ManualMachineClock, ManualBusinessClock, ClockPair]
) -> None:
    services = build_services(settings, clocks[2])
    with pytest.raises(InventoryError, match=r"inventory.adapter: theirs .* expected one of: csv"):
        RuleUpkeep(settings, services)
    services.store.close()
