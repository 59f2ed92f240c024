"""`supplier-api rules`: what it prints, and how it exits."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from supplier_api.cli import main
from tests.samples import cancellation_request, problem_request
from tests.unit.rules.books import HEAD, rule

CONFIG = Path(__file__).parents[3] / "config"
MARKER = "MARKERWORD"


def rules(*arguments: str | Path, stdin: str | None = None) -> Result:
    return CliRunner().invoke(main, ["rules", *map(str, arguments)], input=stdin)


@pytest.fixture
def changed_book(tmp_path: Path) -> Any:
    """Return a function that writes the supplied book with one text replaced."""

    def change(old: str, new: str) -> Path:
        text = (CONFIG / "rules.yaml").read_text(encoding="utf-8")
        assert old in text
        path = tmp_path / "rules.yaml"
        path.write_text(text.replace(old, new, 1), encoding="utf-8")
        return path

    return change


def line_of(path: Path, text: str) -> int:
    """Return the number of the first line that holds `text`."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return next(number for number, line in enumerate(lines, start=1) if text in line)


def test_check_tells_that_the_supplied_book_is_good() -> None:
    result = rules("check")
    assert result.exit_code == 0
    assert "good, version" in result.output
    assert "amendment     2 rules, default commit, looks at problem, request" in result.output


def test_check_tells_each_mistake_with_its_place(changed_book: Any) -> None:
    path = changed_book("!service.known", "!service.knwon")
    result = rules("check", path)
    assert result.exit_code == 1
    assert "1 error" in result.stderr
    assert (
        f"{path}:{line_of(path, 'knwon')}:21: when: unknown field knwon (did you mean known?)"
        in result.stderr
    )


def test_check_warns_and_exits_with_0(changed_book: Any) -> None:
    path = changed_book(
        'when: "!service.known"',
        "active_from: 2026-01-02T00:00:00Z\n    "
        'active_until: 2026-01-01T00:00:00Z\n    when: "!service.known"',
    )
    result = rules("check", path)
    assert result.exit_code == 0
    assert (
        f"warning: {path}:{line_of(path, 'active_until')}:19: service-unknown: is never active"
        in result.output
    )
    assert "1 warning\n" in result.output


def test_test_tries_the_examples_and_tells_the_coverage() -> None:
    result = rules("test")
    assert result.exit_code == 0
    assert "0 failed; 11 of 11 rules shown from both sides" in result.output


def test_test_fails_with_the_place_of_the_example(changed_book: Any) -> None:
    path = changed_book("verdict: matched", "verdict: not matched")
    result = rules("test", path)
    assert result.exit_code == 1
    place = f"{path}:{line_of(path, 'not matched') - 1}:9"
    failed = "example of service-unknown problem: expected not matched, was matched"
    assert f"{place}: {failed}" in result.stderr


def written(folder: Path, request: dict[str, Any]) -> Path:
    path = folder / "request.json"
    path.write_text(json.dumps(request), encoding="utf-8")
    return path


def test_explain_tells_the_decision_rule_by_rule(tmp_path: Path) -> None:
    request = problem_request(
        serviceId="SI0000000000001",
        notes=MARKER,
        hazards=MARKER,
        problemText=f"{MARKER} is down",
        characteristics=[{"name": MARKER, "value": MARKER}],
        primaryContact={"name": MARKER, "phoneNumber": MARKER},
    )
    result = rules("explain", written(tmp_path, request), "--open", "SP_12345")
    assert result.exit_code == 0
    lines = result.output.splitlines()
    assert lines[0] == "problem: reject (422), decided by: service-not-live"
    assert "  INVALID_REQUEST  serviceId: service SI0000000000001 is ceased" in lines
    assert "  matched      already-open" in lines
    assert '                 service.state = "ceased"' in lines
    assert MARKER not in result.output
    assert "\x1b" not in result.output


def test_explain_knows_incidents_that_are_named(tmp_path: Path) -> None:
    file = written(tmp_path, problem_request())
    result = rules("explain", file, "--incident", "INC1", "--json")
    assert json.loads(result.output)["rule"] == "known-incident"


@pytest.mark.parametrize(
    ("status", "rule"),
    [("CANCELLED", "problem-closed"), ("RESOLVED", "problem-resolved"), ("PENDING", "default")],
)
def test_explain_takes_a_change_of_a_problem(status: str, rule: str) -> None:
    result = rules(
        *("explain", "-", "--operation", "cancellation", "--status", status, "--json"),
        stdin=json.dumps(cancellation_request()),
    )
    assert result.exit_code == 0
    assert json.loads(result.output)["rule"] == rule


def test_explain_refuses_what_no_rule_would_see(tmp_path: Path) -> None:
    result = rules("explain", written(tmp_path, {"id": "23467"}))
    assert result.exit_code == 1
    assert "serviceId: missing" in result.stderr


@pytest.mark.parametrize(
    "arguments", [("explain",), ("explain", "none.json"), ("check", "a", "b"), ("chek",)]
)
def test_wrong_use_exits_with_2(arguments: tuple[str, ...]) -> None:
    assert rules(*arguments).exit_code == 2


def test_test_fails_below_the_coverage_that_is_asked_for(changed_book: Any) -> None:
    example = "      - facts: {service: {state: ceased}}\n        verdict: not matched\n"
    path = changed_book(example, "")
    assert rules("test", path).exit_code == 0
    assert rules("test", path, "--min-coverage", "90").exit_code == 0
    result = rules("test", path, "--min-coverage", "100")
    assert result.exit_code == 1
    assert "90.91 % of the rules are shown from both sides, 100 are needed" in result.stderr


def test_diff_tells_what_is_added_removed_changed_and_moved(
    changed_book: Any, tmp_path: Path
) -> None:
    old = changed_book("!service.known", "! service.known").rename(tmp_path / "old.yaml")
    assert rules("diff", CONFIG / "rules.yaml", old).output == (
        "the same rules, in the same order\n"
    )
    new = changed_book("id: already-open", "id: open-already")
    text = new.read_text(encoding="utf-8").replace('state != "live"', 'state == "ceased"', 1)
    new.write_text(text.replace("amendment: commit", "amendment: defer"), encoding="utf-8")
    lines = rules("diff", old, new).output.splitlines()
    assert lines == [
        "added    open-already",
        "removed  already-open",
        "changed  service-not-live",
        "  when",
        '    old  service.known && service.state != "live"',
        '    new  service.known && service.state == "ceased"',
        "default  amendment: commit, now defer",
    ]
    found = json.loads(rules("diff", old, new, "--json").output)
    assert found["changed"][0]["keys"].keys() == {"when"}
    assert found["moved"] == []
    assert found["defaults"] == [{"operation": "amendment", "old": "commit", "new": "defer"}]


def test_diff_tells_dates_and_rules_that_stand_elsewhere(tmp_path: Path) -> None:
    old, new = tmp_path / "old.yaml", tmp_path / "new.yaml"
    first, second = rule("one", 'tenant == "A"', "defer"), rule("two", 'tenant == "B"', "defer")
    old.write_text(HEAD + first + second, encoding="utf-8")
    dated = rule("one", 'tenant == "A"', "defer", active_until="2026-02-01T00:00:00Z")
    new.write_text(HEAD + second + dated, encoding="utf-8")
    assert rules("diff", old, new).output.splitlines() == [
        "moved    two",
        "changed  one",
        "  active_until",
        "    old  none",
        "    new  2026-02-01T00:00:00.000Z",
    ]


def test_what_needs_no_database_imports_none() -> None:
    code = (
        "import sys; from supplier_api.cli import main\n"
        "main(['rules', 'check'], standalone_mode=False)\n"
        "assert 'sqlalchemy' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)
