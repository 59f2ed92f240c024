"""What the production profile refuses, and what asks for a profile, as commands tell it."""

from pathlib import Path

import pytest

from tests.commands import run_command

PRODUCTION = {
    "SUPPLIER_API_PROFILE": "production",
    "SUPPLIER_API__GATEWAY__KCI_URL": "https://gateway.example/kcis",
    "SUPPLIER_API__GATEWAY__TOKEN_URL": "https://gateway.example/auth/supplier/access-token",
    "SUPPLIER_API__GATEWAY__CLIENT_ID": "us",
    "SUPPLIER_API__GATEWAY__CLIENT_SECRET": "a-long-secret-of-one",
    "SUPPLIER_API__ACCESS__CLIENTS__GATEWAY__SECRET": "a-long-secret-of-two",
    "SUPPLIER_API__ACCESS__CLIENTS__BACK_OFFICE__SECRET": "a-long-secret-of-three",
    "SUPPLIER_API__BACKOFFICE__ADAPTER": "ours",
}


@pytest.mark.parametrize("words", [("sandbox",), ("sandbox", "watch", "1"), ("run",)])
def test_there_is_nothing_to_play(words: tuple[str, ...], tmp_path: Path) -> None:
    ran = run_command(words, {**PRODUCTION, "SUPPLIER_API_DATA_DIR": str(tmp_path)})
    assert (ran.exit_code, ran.stdout) == (1, "")
    assert "is for the sandbox profile" in ran.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("words", [("serve",), ("worker",), ("db", "upgrade"), ("config", "show")])
def test_each_refusal_is_a_line(words: tuple[str, ...], tmp_path: Path) -> None:
    wrong = {
        **PRODUCTION,
        "SUPPLIER_API_DATA_DIR": str(tmp_path),
        "SUPPLIER_API__BACKOFFICE__ADAPTER": "simulated",
        "SUPPLIER_API__GATEWAY__KCI_URL": "http://gateway.example/kcis",
        "SUPPLIER_API__GATEWAY__CLIENT_SECRET": "short",
    }
    ran = run_command(words, wrong)
    assert ran.exit_code == 1
    told = ran.stderr.splitlines()
    assert told[0] == "Error: the settings do not allow a start"
    assert sorted(line.split()[0] for line in told[1:]) == [
        "backoffice.adapter",
        "gateway.client_secret",
        "gateway.kci_url",
    ]


def test_postgresql_without_a_profile_is_refused(tmp_path: Path) -> None:
    environ = {
        "SUPPLIER_API_PROFILE": "",
        "SUPPLIER_API_DATA_DIR": str(tmp_path),
        "SUPPLIER_API__DATABASE__URL": "postgresql://us@db/supplier",
    }
    ran = run_command(("status",), environ)
    assert ran.exit_code == 1
    (line,) = ran.stderr.splitlines()[1:]
    assert "no profile is named: set SUPPLIER_API_PROFILE=production, or =sandbox" in line


@pytest.mark.parametrize("door", ["back-office", "operations"])
def test_a_door_that_is_off_names_its_setting(door: str, tmp_path: Path) -> None:
    environ = {**PRODUCTION, "SUPPLIER_API_DATA_DIR": str(tmp_path)}
    ran = run_command(("serve", "--door", "gateway", "--door", door), environ)
    name = f"SUPPLIER_API__{door.replace('-', '').upper()}__LISTEN"
    assert (ran.exit_code, ran.stderr) == (1, f"Error: the door {door} is off; set {name}\n")


def test_the_doctor_warns_of_a_back_office_that_can_say_nothing(tmp_path: Path) -> None:
    people = {
        **PRODUCTION,
        "SUPPLIER_API_DATA_DIR": str(tmp_path),
        "SUPPLIER_API__BACKOFFICE__ADAPTER": "manual",
    }
    system = {
        **people,
        "SUPPLIER_API__BACKOFFICE__ADAPTER": "http",
        "SUPPLIER_API__BACKOFFICE__OPTIONS__URL": "https://tickets.example/orders",
    }
    door = {"SUPPLIER_API__BACKOFFICE__LISTEN": "127.0.0.1:8082"}
    assert run_command(("db", "upgrade"), people).exit_code == 0
    warning = "warning: the back office's door is off, and the adapter http cannot be asked"
    assert warning in run_command(("doctor",), system).stdout
    assert warning not in run_command(("doctor",), system | door).stdout
    assert warning not in run_command(("doctor",), people).stdout
