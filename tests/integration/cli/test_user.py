"""`supplier-api user`: accounts of the console from a shell."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from supplier_api.audit import Audit
from supplier_api.auth.accounts import Accounts, By, SignInRefused
from supplier_api.cli import main
from supplier_api.db.operator_actions import OperatorActionRepository
from tests.supplier import Supplier

PASSWORD = "correct horse battery"
HERE = "192.0.2.1"


class Command:
    """The command `supplier-api user` on the supplier's database."""

    def __init__(self, environ: dict[str, str]) -> None:
        self._environ = {**environ, "SUPPLIER_API_OPERATOR": "root"}

    def __call__(self, *words: str, typed: str | bytes = "", why: bool = True) -> Result:
        reason = ("--reason", "because") if why else ()
        return CliRunner().invoke(main, ["user", *words, *reason], env=self._environ, input=typed)


@pytest.fixture
def command(environ: dict[str, str]) -> Command:
    return Command(environ)


@pytest.fixture
def accounts(supplier: Supplier) -> Accounts:
    machine = supplier.services.machine
    return Accounts(supplier.services.store, machine, Audit(machine))


@pytest.fixture
def password_file(tmp_path: Path) -> str:
    file = tmp_path / "password"
    file.write_text(f"{PASSWORD}\n", encoding="utf-8")
    return str(file)


@pytest.fixture
def jo(command: Command, accounts: Accounts, password_file: str) -> Accounts:
    """Return accounts, of which there is one: the operator jo."""
    added = command("add", "jo", "--role", "operator", "--password-file", password_file)
    assert (added.stdout, added.stderr) == ("jo may sign in as operator\n", "")
    return accounts


def test_a_user_is_made_changed_and_disabled(jo: Accounts, command: Command) -> None:
    jo.sign_in("jo", PASSWORD, HERE)
    assert command("role", "jo", "admin").stdout == "jo is admin from now on\n"
    typed = "another good password"
    changed = command("password", "jo", "--password-file", "-", typed=typed)
    assert changed.stdout == "jo has another password; all sessions are ended\n"
    jo.sign_in("jo", typed, HERE)
    disabled = command("disable", "jo")
    assert disabled.stdout == "jo may not sign in any more; all sessions are ended\n"
    with pytest.raises(SignInRefused):
        jo.sign_in("jo", typed, HERE)
    (line,) = command("list", why=False).stdout.splitlines()
    assert line.startswith("jo  admin  disabled since 20")
    assert command("enable", "jo").stdout == "jo may sign in again\n"

    (shown,) = json.loads(command("list", "--json", why=False).stdout)
    assert shown.pop("created").endswith("Z")
    assert shown == {"name": "jo", "role": "admin", "disabled": None}


def test_each_change_is_recorded(jo: Accounts, command: Command, supplier: Supplier) -> None:
    command("role", "jo", "viewer")

    recent = supplier.services.store.read(lambda uow: OperatorActionRepository(uow).recent(limit=9))
    found = [(each.who, each.action, each.reason) for _, each in recent]
    assert found == [("root", "user role", "because"), ("root", "user add", "because")]
    assert jo.all()[0].role == "viewer"


def test_sessions_are_listed_and_ended(jo: Accounts, command: Command) -> None:
    none = command("sessions", why=False)
    assert (none.stdout, none.stderr) == ("", "nobody is signed in\n")
    token = jo.sign_in("jo", PASSWORD, HERE)

    (line,) = command("sessions", why=False).stdout.splitlines()
    assert line.startswith("jo  since 20")
    assert line.endswith(f"from {HERE}")
    (shown,) = json.loads(command("sessions", "--json", why=False).stdout)
    assert (shown["user"], shown["role"], shown["address"]) == ("jo", "operator", HERE)
    assert token not in str(shown)
    assert command("sessions", "--end", "jo").stdout == "jo: 1 session ended\n"
    assert jo.person_of(token) is None


def test_what_cannot_be_done_is_refused_in_a_line(
    jo: Accounts, command: Command, password_file: str, tmp_path: Path
) -> None:
    short, latin = tmp_path / "short", tmp_path / "latin"
    short.write_text("secret\r\n", encoding="utf-8")
    latin.write_bytes(b"\xe9" * 12)
    viewer = ("--role", "viewer", "--password-file")
    refusals = {
        ("add", "jo", *viewer, password_file): "there is a user jo already",
        ("add", "Ann", *viewer, password_file): (
            "name: expected up to 64 of a-z, 0-9 and . _ @ -, a letter or digit first"
        ),
        ("add", "local", *viewer, password_file): (
            "name: local stands for those who sign in with a link"
        ),
        ("add", "ann", *viewer, str(short)): ("password: expected 12 to 1,000 characters, not 6"),
        ("add", "ann", *viewer, str(latin)): "password: expected UTF-8",
        ("add", "ann", "--role", "viewer"): (
            "there is no terminal to ask for the password at: give --password-file FILE, or - for"
            " standard input"
        ),
        ("password", "ann"): "there is no user ann",
        ("role", "ann", "admin"): "there is no user ann",
        ("disable", "ann"): "there is no user ann",
        ("enable", "jo"): "user jo is not disabled",
        ("sessions", "--end", "ann"): "there is no user ann",
    }
    for words, said in refusals.items():
        refused = command(*words)
        assert (refused.exit_code, refused.stderr) == (1, f"Error: {said}\n"), words
    assert [each.name for each in jo.all()] == ["jo"]


@pytest.mark.parametrize(
    "words",
    [
        ("add", "ann", "--reason", "x"),
        ("add", "ann", "--role", "boss", "--reason", "x"),
        ("role", "jo", "boss", "--reason", "x"),
        ("disable", "jo"),
        ("disable", "jo", "--reason", " "),
        ("sessions", "--end", "jo"),
        ("sessions", "--reason", "x"),
        ("sessions", "--end", "jo", "--json", "--reason", "x"),
    ],
)
def test_wrong_use_is_told(command: Command, words: tuple[str, ...]) -> None:
    assert command(*words, why=False).exit_code == 2


def test_the_password_is_asked_for_twice_at_a_terminal(
    accounts: Accounts, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("supplier_api.cli.user._at_a_terminal", lambda: True)
    typed = f"{PASSWORD}\nanother\n{PASSWORD}\n{PASSWORD}\n"

    added = command("add", "jo", "--role", "viewer", typed=typed)

    assert added.exit_code == 0, added.output
    assert PASSWORD not in added.output
    accounts.sign_in("jo", PASSWORD, HERE)


def test_a_restored_database_knows_no_session_that_was_ended_since(
    jo: Accounts, environ: dict[str, str]
) -> None:
    token, link = jo.sign_in("jo", PASSWORD, HERE), jo.new_link(By("root", "because"))

    words = ["db", "restored", "--reason", "the disk failed"]
    assert CliRunner().invoke(main, words, env=environ).exit_code == 0

    assert jo.person_of(token) is None
    with pytest.raises(SignInRefused):
        jo.redeem(link, HERE)
    jo.sign_in("jo", PASSWORD, HERE)


def test_a_link_signs_in_as_admin(command: Command, accounts: Accounts) -> None:
    said = command("link").stdout.strip()
    address, _, token = said.rpartition("/")
    assert address == "http://127.0.0.1:8080/console/sign-in/link"
    assert accounts.redeem(token, HERE)
