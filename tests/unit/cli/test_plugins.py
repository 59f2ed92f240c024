"""`supplier-api plugins` lists what is installed under our entry points, and what is loaded."""

import importlib
import json
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from click.testing import CliRunner

from supplier_api.cli import main

DESK = """
class Desk:
    def submit(self, order):
        raise NotImplementedError

class Demanding(Desk):
    kinds = ("problem", "parcel")
"""
RULE = """
from supplier_api.rules.model import Operation, Outcome
from supplier_api.rules.plugins import PythonRule

rule = PythonRule(
    id="on-sunday",
    applies_to=frozenset({Operation.PROBLEM}),
    needs=frozenset({"clock"}),
    when=lambda facts: facts.now.weekday() == 6,
    then=Outcome.DEFER,
)
"""
Publish = Callable[..., None]
Row = dict[str, object]


@pytest.fixture
def publish(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Publish]:
    """Return what installs a package: its name, its module, its entry points by group."""
    monkeypatch.syspath_prepend(str(tmp_path))
    modules: list[str] = []

    def install(package: str, source: str, **points: str) -> None:
        module = package.replace("-", "_")
        info = tmp_path / f"{module}-1.2.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.2\n")
        lines = [f"[supplier_api.{group}]\n{line}\n" for group, line in points.items()]
        (info / "entry_points.txt").write_text("".join(lines))
        (tmp_path / f"{module}.py").write_text(source)
        modules.append(module)
        importlib.invalidate_caches()

    yield install
    for module in modules:
        sys.modules.pop(module, None)


def listed(adapter: str = "simulated", inventory: str = "csv") -> tuple[int, list[Row]]:
    """Return the exit code, and what is listed beside our own adapters."""
    environ = {
        "SUPPLIER_API_PROFILE": "sandbox",
        "SUPPLIER_API__BACKOFFICE__ADAPTER": adapter,
        "SUPPLIER_API__INVENTORY__ADAPTER": inventory,
    }
    done = CliRunner().invoke(main, ["plugins", "--json"], env=environ)
    return done.exit_code, [
        row for row in json.loads(done.stdout) if row["package"] != "supplier_api"
    ]


def row(group: str, name: str, package: str = "", *, loaded: bool, why: str) -> Row:
    version = "1.2" if package else ""
    names = ("group", "name", "package", "version", "loaded", "why")
    return dict(
        zip(names, (f"supplier_api.{group}", name, package, version, loaded, why), strict=True)
    )


def test_without_any_there_are_ours() -> None:
    done = CliRunner().invoke(main, ["plugins"], env={"SUPPLIER_API_PROFILE": "sandbox"})

    assert done.exit_code == 0
    head, *rows = [line.split() for line in done.stdout.splitlines()]
    assert head == ["GROUP", "NAME", "PACKAGE", "STATE", "WHY"]
    (manual,) = [line for line in rows if line[1] == "manual"]
    assert manual[2] == "supplier_api"
    assert manual[4:] == ["not", "loaded", "backoffice.adapter", "is", "simulated"]
    loaded = [line[:2] for line in rows if line[3] == "loaded"]
    assert loaded == [["backoffice", "simulated"], ["inventory", "csv"]]


def test_what_the_settings_name_is_loaded(publish: Publish) -> None:
    publish("acme-desk", DESK, backoffice="desk = acme_desk:Desk")
    publish("acme-network", "class Network: ...", inventory="network = acme_network:Network")

    code, rows = listed("desk", "network")

    assert code == 0
    assert rows == [
        row("backoffice", "desk", "acme-desk", loaded=True, why="backoffice.adapter names it"),
        row("inventory", "network", "acme-network", loaded=True, why="inventory.adapter names it"),
    ]


def test_what_the_settings_do_not_name_is_not_imported(publish: Publish) -> None:
    publish("broken-desk", "import no_such_module", backoffice="desk = broken_desk:Desk")

    code, rows = listed()

    assert code == 0
    assert rows[0] == row(
        "backoffice", "desk", "broken-desk", loaded=False, why="backoffice.adapter is simulated"
    )
    assert "broken_desk" not in sys.modules


@pytest.mark.parametrize(
    ("source", "attribute", "why"),
    [
        (
            "import no_such_module",
            "Desk",
            "raised ModuleNotFoundError: No module named 'no_such_module'",
        ),
        ("raise OSError('one\\ntwo')", "Desk", "raised OSError: one two"),
        (
            DESK,
            "Demanding",
            "raised UnknownAdapter: backoffice.adapter: desk wants orders of the kind parcel;",
        ),
    ],
)
def test_why_one_cannot_be_loaded_is_one_line(
    publish: Publish, source: str, attribute: str, why: str
) -> None:
    publish("acme-desk", source, backoffice=f"desk = acme_desk:{attribute}")

    code, rows = listed("desk")

    assert code == 1
    assert str(rows[0]["why"]).startswith(why)
    assert rows[0]["loaded"] is False


def test_a_name_that_nothing_publishes_is_told_with_those_there_are() -> None:
    environ = {"SUPPLIER_API__BACKOFFICE__ADAPTER": "dekc", "SUPPLIER_API_PROFILE": "sandbox"}

    done = CliRunner().invoke(main, ["plugins"], env=environ)

    names = ", ".join(sorted({*entry_points(group="supplier_api.backoffice").names, "simulated"}))
    why = f"backoffice.adapter names it, nothing publishes it; expected one of: {names}"
    assert done.exit_code == 1
    assert done.stderr.splitlines() == [
        "Error: 1 plugin cannot be loaded",
        f"  supplier_api.backoffice dekc: {why}",
    ]


def test_rules_are_all_loaded_each_by_itself(publish: Publish) -> None:
    publish("sunday-rule", RULE, rules="sunday = sunday_rule:rule")
    publish("odd-rule", "rule = 1", rules="odd = odd_rule:rule")

    code, rows = listed()

    odd, sunday = [each for each in rows if each["group"] == "supplier_api.rules"]
    assert code == 1
    assert sunday == row("rules", "sunday", "sunday-rule", loaded=True, why="every rule is")
    assert odd["loaded"] is False
    assert "odd_rule:rule is int, not a PythonRule" in str(odd["why"])


def test_of_two_of_one_name_one_is_loaded(publish: Publish) -> None:
    publish("acme-desk", DESK, backoffice="desk = acme_desk:Desk")
    publish("other-desk", DESK, backoffice="desk = other_desk:Desk")

    _, rows = listed("desk")

    assert [each["loaded"] for each in rows if each["name"] == "desk"] == [True, False]
    assert rows[1]["why"] == "another package publishes this name too"


def test_what_else_is_wrong_with_the_settings_keeps_it_from_nothing(
    publish: Publish, tmp_path: Path
) -> None:
    """One that cannot be loaded declares no options: the settings alone would blame those."""
    publish("acme-desk", "import no_such_module", backoffice="desk = acme_desk:Desk")
    folder = tmp_path / "config"
    folder.mkdir()
    (folder / "production.toml").write_text(
        '[backoffice]\nadapter = "desk"\n[backoffice.options]\nurl = "https://desk.example"\n'
    )
    environ = {"SUPPLIER_API_PROFILE": "production", "SUPPLIER_API_CONFIG_DIR": str(folder)}

    done = CliRunner().invoke(main, ["plugins"], env=environ)

    assert "raised ModuleNotFoundError: No module named 'no_such_module'" in done.stdout
