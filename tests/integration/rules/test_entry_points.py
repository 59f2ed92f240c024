"""Rules written in Python, installed as a package would install them."""

import sys
from pathlib import Path

import pytest

from supplier_api.rules.model import BookError
from supplier_api.rules.plugins import Plugins

MODULE = """
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


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder that is on the path for packages."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "sunday_rule", raising=False)
    (tmp_path / "sunday_rule.py").write_text(MODULE, encoding="utf-8")
    return tmp_path


def declare(folder: Path, value: str) -> None:
    info = folder / "sunday-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: sunday\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[supplier_api.rules]\nsunday = {value}\n")


def test_an_installed_rule_is_found(install: Path) -> None:
    declare(install, "sunday_rule:rule")
    assert [rule.id for rule in Plugins.discover(1.0).rules] == ["on-sunday"]


def test_the_digest_changes_with_the_source_of_a_rule(
    install: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    declare(install, "sunday_rule:rule")
    before = Plugins.discover(1.0).digest
    assert Plugins.discover(1.0).digest == before
    with (install / "sunday_rule.py").open("a") as file:
        file.write("# a helper of the rule changed\n")
    monkeypatch.delitem(sys.modules, "sunday_rule")
    changed = Plugins.discover(1.0).digest
    (install / "sunday-1.0.dist-info" / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: sunday\nVersion: 1.1\n"
    )
    assert len({before, changed, Plugins.discover(1.0).digest}) == 3


def test_without_one_there_is_none() -> None:
    assert Plugins.discover(1.0).rules == ()


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("sunday_rule:Outcome", "is EnumType, not a PythonRule"),
        ("sunday_rule:missing", "raised AttributeError"),
        ("no_such_module:rule", "raised ModuleNotFoundError"),
    ],
)
def test_one_that_cannot_be_loaded_stops_the_start(install: Path, value: str, why: str) -> None:
    declare(install, value)
    with pytest.raises(BookError, match=why):
        Plugins.discover(1.0)
