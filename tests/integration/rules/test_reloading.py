"""Changed files are used within seconds; an invalid one changes nothing and is reported."""

import importlib
import json
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import wait
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from supplier_api.app.rule_upkeep import RuleUpkeep
from supplier_api.app.services import ClockPair
from supplier_api.app.web import build_heartbeat
from supplier_api.cli import main
from supplier_api.clock import ManualBusinessClock, ManualMachineClock
from supplier_api.ids import SeededIdSource
from supplier_api.rules import plugins
from supplier_api.rules.inventory import COLUMNS
from supplier_api.settings import Settings
from tests.logs import Lines
from tests.samples import problem_request
from tests.supplier import Supplier, on_sqlite

pytestmark = on_sqlite
SERVICES = [f"SI23454323453{number:02}" for number in range(10, 20)]
HEAD = ",".join(COLUMNS[:8])  # of the first release
Say = Callable[..., Result]


@pytest.fixture
def clocks() -> tuple[ManualMachineClock, ManualBusinessClock, ClockPair]:
    """Return a clock at the host's time, which the commands use."""
    machine = ManualMachineClock(datetime.now(UTC))
    business = ManualBusinessClock(machine)
    return machine, business, ClockPair(machine, business, SeededIdSource(1))


@pytest.fixture
def environ(environ: dict[str, str], request: pytest.FixtureRequest) -> dict[str, str]:
    """Return the environment of a supplier with an inventory file of its own."""
    if "answer" in request.fixturenames:
        # The rule must be installed before the supplier is made.
        request.getfixturevalue("answer")
    services = Path(environ["SUPPLIER_API_CONFIG_DIR"]) / "services.csv"
    services.write_text(f"{HEAD}\nSI1,,,live,,,,\n", encoding="utf-8")
    return environ


@pytest.fixture
def folder(environ: dict[str, str]) -> Path:
    return Path(environ["SUPPLIER_API_CONFIG_DIR"])


@pytest.fixture
def upkeep(supplier: Supplier) -> RuleUpkeep:
    """Return the chore that reloads files; a turn of it is a second's work."""
    upkeep: RuleUpkeep = supplier.app.extensions["upkeep"]
    return upkeep


@pytest.fixture
def say(supplier: Supplier, settings: Settings, environ: dict[str, str]) -> Say:
    """Return a function that runs a command, after the web server's heartbeat."""
    heartbeat = build_heartbeat(supplier.app, settings)

    def said(*words: str, stdin: str | None = None) -> Result:
        heartbeat.turn()
        return CliRunner().invoke(main, words, env=environ, input=stdin)

    return said


def looked(upkeep: RuleUpkeep) -> None:
    """Let it check twice: a file is read when it has not changed since the last check."""
    upkeep.turn()
    upkeep.turn()


def ceased(folder: Path, *services: str, state: str = "ceased") -> None:
    rows = "".join(f"{service},,,{state},,,,\n" for service in services)
    (folder / "services.csv").write_text(f"{HEAD}\n{rows}", encoding="utf-8")


def create(supplier: Supplier, number: int) -> int:
    """Raise a problem on the service of that number; return the status of the answer."""
    body = problem_request(id=number + 100, serviceId=SERVICES[number])
    return supplier.create(body).status_code


def line(say: Say, name: str) -> dict[str, str]:
    lines = json.loads(say("status", "--json").stdout)["lines"]
    return next(each for each in lines if each["name"] == name)


def version(say: Say, number: int) -> str:
    """Return the version of the rule book in the record of a decision."""
    shown = json.loads(say("problem", "show", str(number + 100), "--json").stdout)
    asked = next(entry for entry in shown["timeline"] if entry["what"] == "request")
    book: str = asked["bookVersion"]
    return book


def test_an_inventory_file_is_used_when_it_has_changed_and_stands_still(
    supplier: Supplier, upkeep: RuleUpkeep, folder: Path, logged: Lines
) -> None:
    assert create(supplier, 0) == 201
    ceased(folder, *SERVICES[1:3])
    upkeep.turn()
    # It may be being written.
    assert create(supplier, 1) == 201
    ceased(folder, *SERVICES[1:])
    upkeep.turn()
    assert create(supplier, 2) == 201
    upkeep.turn()
    assert create(supplier, 3) == 422
    loaded = [entry for entry in logged() if entry["event"] == "inventory.loaded"]
    assert [entry["size"] for entry in loaded] == [9]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (f"{HEAD}\n{SERVICES[0]},,,Live,,,,\n", "services.csv:2:19: state: Live is not known"),
        (f"{HEAD}\n", "services.csv: is empty, and had 1 services"),
        (None, "services.csv: cannot be read"),
    ],
)
def test_a_bad_inventory_file_changes_nothing_and_is_told(
    supplier: Supplier,
    upkeep: RuleUpkeep,
    folder: Path,
    say: Say,
    logged: Lines,
    text: str | None,
    why: str,
) -> None:
    (folder / "services.csv").unlink()
    if text is not None:
        (folder / "services.csv").write_text(text, encoding="utf-8")
    looked(upkeep)
    assert create(supplier, 0) == 201
    shown = line(say, "inventory")
    assert (shown["level"], shown["look"]) == ("bad", "supplier-api rules check")
    assert why in shown["text"]
    assert why in say("doctor").stdout
    (entry,) = [each for each in logged() if each["event"] == "inventory.not-loaded"]
    assert why in entry["why"]
    # It is not tried again and again.
    looked(upkeep)
    assert logged() == []

    ceased(folder, SERVICES[1])
    looked(upkeep)
    assert create(supplier, 1) == 422
    assert line(say, "inventory")["level"] == "ok"


def test_the_version_recorded_is_that_of_the_book_that_decided(
    supplier: Supplier, upkeep: RuleUpkeep, folder: Path, say: Say
) -> None:
    book = folder / "rules.yaml"
    text = book.read_text(encoding="utf-8")
    assert create(supplier, 0) == 201
    book.write_text(text.replace("problem: acknowledge", "problem: commit"), encoding="utf-8")
    assert create(supplier, 1) == 201
    looked(upkeep)
    assert create(supplier, 2) == 201
    book.write_text(text.replace("problem: acknowledge", "problem: perhaps"), encoding="utf-8")
    looked(upkeep)
    assert create(supplier, 3) == 201

    states = [supplier.stored(number + 100).state.base for number in range(4)]
    assert states == ["ACKNOWLEDGED", "ACKNOWLEDGED", "IN_PROGRESS", "IN_PROGRESS"]
    versions = [version(say, number) for number in range(4)]
    assert versions[0] == versions[1] != versions[2] == versions[3]
    shown = line(say, "rules")
    assert (shown["level"], shown["look"]) == ("bad", "supplier-api rules check")
    assert "rules.yaml:16:12: problem: unknown word perhaps" in shown["text"]
    # The processes report what they use.
    assert versions[3] in line(say, "versions")["text"]


def test_when_told_to_it_reads_its_files_at_once(
    supplier: Supplier, upkeep: RuleUpkeep, folder: Path, logged: Lines
) -> None:
    ceased(folder, SERVICES[0])
    upkeep.reload()
    upkeep.turn()
    assert create(supplier, 0) == 422
    assert {"rules.loaded", "inventory.loaded"} <= {entry["event"] for entry in logged()}


# -- rules written in Python

MODULE = """
from supplier_api.rules.model import Operation, Outcome
from supplier_api.rules.plugins import PythonRule

rule = PythonRule(
    id="slow-rule",
    applies_to=frozenset({Operation.PROBLEM}),
    needs=frozenset({"request"}),
    when=lambda facts: answer.wait(),
    then=Outcome.COMMIT,
)
"""
SLOW = {"SUPPLIER_API__RULES__PYTHON_TIME_LIMIT": "0.05"}


@pytest.fixture
def answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Install a rule that hangs until the event that is returned is set."""
    site = tmp_path / "site"
    info = site / "slow-1.0.dist-info"
    info.mkdir(parents=True)
    (site / "slow_rule.py").write_text(MODULE, encoding="utf-8")
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: slow\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[supplier_api.rules]\nslow = slow_rule:rule\n")
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.delitem(sys.modules, "slow_rule", raising=False)
    answer = threading.Event()
    monkeypatch.setattr(importlib.import_module("slow_rule"), "answer", answer, raising=False)
    yield answer
    answer.set()


@pytest.mark.parametrize("more_settings", [SLOW])
def test_a_python_rule_that_is_switched_off_is_told_everywhere_and_comes_back_by_itself(
    answer: threading.Event,
    supplier: Supplier,
    upkeep: RuleUpkeep,
    say: Say,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert [create(supplier, number) for number in range(4)] == [202] * 4
    shown = line(say, "rules")
    assert (shown["level"], shown["look"]) == ("bad", "supplier-api doctor")
    assert "slow-rule switched off for" in shown["text"]
    found = {
        each["check"]: each["cases"]
        for each in json.loads(say("doctor", "--json").stdout)["findings"]
    }
    ((check, [case]),) = found.items()
    assert "Python rules that are switched off" in check
    assert case["text"].startswith("slow-rule since ")
    assert case["mend"][0].startswith("supplier-api maintenance on ")
    reasons = [say("problem", "show", str(number)).stdout for number in (100, 103)]
    assert "slow-rule could not be judged: took too long" in reasons[0]
    assert "slow-rule could not be judged: switched off after 3 time-outs" in reasons[1]

    # Now it answers, and however slow the machine is, that is waited for.
    answer.set()
    monkeypatch.setattr(plugins, "wait", lambda answers, timeout: wait(answers))  # noqa: ARG005
    upkeep.turn()
    assert line(say, "rules")["level"] == "bad"
    supplier.machine.advance(60)
    upkeep.turn()
    assert line(say, "rules")["level"] == "ok"
    assert create(supplier, 4) == 201
    assert supplier.stored(104).state.base == "IN_PROGRESS"
