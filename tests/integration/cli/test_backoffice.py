"""`supplier-api backoffice`: what it prints, and how it exits."""

import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from supplier_api.settings import load_settings
from tests.commands import Ran, run_command

EXAMPLES = Path(__file__).parents[3] / "config" / "examples"


@pytest.fixture
def jira(tmp_path: Path) -> Path:
    """Return a mapping of its own, to put mistakes into."""
    shutil.copytree(EXAMPLES / "jira", tmp_path, dirs_exist_ok=True)
    return tmp_path / "mapping.yaml"


def check(*arguments: Path, **environ: str) -> Ran:
    return run_command(("backoffice", "check", *map(str, arguments)), environ)


def change(mapping: Path, old: str, new: str) -> None:
    text = mapping.read_text(encoding="utf-8")
    assert text.count(old) == 1
    mapping.write_text(text.replace(old, new), encoding="utf-8")


def test_every_status_is_held_against_every_state(jira: Path) -> None:
    ran = check(jira)
    assert (ran.exit_code, ran.stderr) == (0, "")
    _, head, *lines = ran.stdout.splitlines()
    assert head.split()[:5] == ["status", "means", "UNDECIDED", "ACKNOWLEDGED", "IN_PROGRESS"]
    row = next(line for line in lines if line.startswith("Waiting for customer"))
    assert " PENDING       accept, ask-information  ask-information " in row
    assert "of an amendment or a cancellation, Declined rejects it" in lines
    assert "warning: states: no status means COMPLETED" in lines
    assert lines[-1] == f"{jira}: good, 15 samples, 1 warning"


def test_what_leads_nowhere_is_an_error_below_the_table(jira: Path) -> None:
    change(jira, "problemCode: INFORMATION_REQUIRED, text: note", "text: note")
    asked = "samples/03-waiting-for-customer.json"
    ran = check(jira)
    assert ran.exit_code == 1
    assert "Waiting for customer" in ran.stdout
    assert ran.stderr.splitlines() == [
        f"Error: {jira}: 3 errors",
        "  states.Waiting for customer: PENDING needs problemCode",
        "  states.Waiting for customer: a dead end, no problem gets there by this mapping",
        f"  {asked}: the ticket gives no problemCode for Waiting for customer",
    ]


def test_mistakes_are_told_with_their_place(jira: Path) -> None:
    change(jira, "status: body.issue.fields.status.name", "status: body.issue.fields.state.name")
    change(jira, "Open: ACKNOWLEDGED", "Open: ACKNOWLEDGE")
    ran = check(jira)
    assert (ran.exit_code, ran.stdout) == (1, "")
    headline, *findings = ran.stderr.splitlines()
    assert headline == f"Error: {jira}: 2 errors"
    assert findings == [
        f"  {jira}:14:27: status: no sample has state (did you mean status?)",
        f"  {jira}:24:9: states.Open: unknown word ACKNOWLEDGE (did you mean ACKNOWLEDGED?)",
    ]


def test_without_a_name_the_mapping_of_the_configuration_is_checked(jira: Path) -> None:
    ran = check(SUPPLIER_API_CONFIG_DIR=str(jira.parent))
    assert ran.exit_code == 0
    assert f"{jira}: good" in ran.stdout


def test_without_a_name_the_mapping_of_the_adapter_is_checked(
    jira: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = load_settings({})
    options = SimpleNamespace(mapping=jira)
    given = settings.model_copy(
        update={"backoffice": settings.backoffice.model_copy(update={"options": options})}
    )
    monkeypatch.setattr("supplier_api.cli.backoffice.load_settings", lambda: given)
    assert f"{jira}: good" in check().stdout


def test_without_a_name_the_mapping_of_the_adapter_http_is_checked(jira: Path) -> None:
    options = "SUPPLIER_API__BACKOFFICE__OPTIONS__"
    ran = check(
        SUPPLIER_API__BACKOFFICE__ADAPTER="http",
        **{f"{options}URL": "https://desk.example", f"{options}MAPPING_FILE": str(jira)},
    )
    assert f"{jira}: good" in ran.stdout


def test_without_any_mapping_the_use_is_wrong() -> None:
    ran = check()
    assert ran.exit_code == 2
    assert "there is no mapping.yaml in" in ran.stderr


def test_a_mapping_is_checked_without_any_settings(jira: Path) -> None:
    assert check(jira, SUPPLIER_API_PROFILE="production").exit_code == 0
