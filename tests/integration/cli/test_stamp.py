"""Whose database it is: a copy must not talk to the gateway of another installation."""

from collections.abc import Callable

import pytest
from sqlalchemy import text

from supplier_api.app.worker import build_worker
from supplier_api.clock import SystemMachineClock
from supplier_api.db import Store
from supplier_api.operations.installation import (
    ForeignDatabase,
    InstallationRepository,
    InstallationStamp,
    stamp_of,
)
from supplier_api.settings import load_settings
from tests.commands import Ran, run_command

Run = Callable[..., Ran]
LIVE = {
    # Whatever else is served on this machine.
    "SUPPLIER_API__SERVER__PORT": "0",
    "SUPPLIER_API__ENVIRONMENT": "live",
    "SUPPLIER_API__GATEWAY__KCI_URL": "https://Gateway.example/kcis",
}
# A copy of the live database, with the settings of a rehearsal.
REHEARSAL = {**LIVE, "SUPPLIER_API__ENVIRONMENT": "rehearsal"}
OF_REHEARSAL = "environment rehearsal with the gateway gateway.example"
ELSEWHERE = {**LIVE, "SUPPLIER_API__GATEWAY__KCI_URL": "https://other.example/kcis"}


@pytest.fixture
def run(environ: dict[str, str]) -> Run:
    """Return what runs a command on an upgraded database, once for each engine."""

    def run(*words: str, **more: str) -> Ran:
        return run_command(words, {**environ, **more})

    return run


def stamp(url: str) -> InstallationStamp | None:
    store = Store(url, SystemMachineClock())
    found = store.read(lambda uow: InstallationRepository(uow).get())
    store.close()
    return found


def test_the_first_who_may_send_puts_the_stamp_on(run: Run, upgraded_url: str) -> None:
    assert run("problem", "list", **LIVE).exit_code == 0
    assert stamp(upgraded_url) is None
    run("problem", "event", "1", "start", **LIVE)
    assert stamp(upgraded_url) == InstallationStamp("live", "gateway.example")
    assert "no such problem" in run("problem", "event", "1", "start", **LIVE).stderr


def test_an_upgrade_puts_it_on_too(run: Run, upgraded_url: str) -> None:
    assert run("db", "upgrade", **LIVE).exit_code == 0
    assert run("db", "upgrade", **REHEARSAL).exit_code == 0
    assert stamp(upgraded_url) == InstallationStamp("live", "gateway.example")


@pytest.mark.usefixtures("logged")  # a server configures the logs as it starts
@pytest.mark.parametrize(
    ("words", "settings", "ours"),
    [
        (("serve",), REHEARSAL, OF_REHEARSAL),
        (("worker",), REHEARSAL, OF_REHEARSAL),
        (("worker",), ELSEWHERE, "environment live with the gateway other.example"),
        (("problem", "event", "1", "start"), REHEARSAL, OF_REHEARSAL),
    ],
    ids=["serve", "worker", "another gateway", "event"],
)
def test_nothing_that_could_send_starts_on_somebody_elses(
    run: Run, words: tuple[str, ...], settings: dict[str, str], ours: str
) -> None:
    run("db", "upgrade", **LIVE)
    result = run(*words, **settings)
    assert result.exit_code == 1
    assert result.stderr == (
        "Error: the database belongs to environment live with the gateway gateway.example,"
        f" these settings are of {ours}: nothing may be sent from it."
        ' If it is to change hands, run `supplier-api db restamp --reason "..."`\n'
    )
    # To look at a copy is what copies are for.
    assert run("problem", "list", **settings).exit_code == 0


def test_a_restamp_hands_it_over_and_is_recorded(run: Run, upgraded_url: str) -> None:
    run("db", "upgrade", **LIVE)
    assert run("db", "restamp", **REHEARSAL).exit_code == 2
    who = {"SUPPLIER_API_OPERATOR": "jane"}
    result = run("db", "restamp", "--reason", "rehearsal", **REHEARSAL, **who)
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "was: environment live with the gateway gateway.example",
        "is:  environment rehearsal with the gateway gateway.example",
    ]
    assert "no such problem" in run("problem", "event", "1", "start", **REHEARSAL).stderr
    assert run("problem", "event", "1", "start", **LIVE).stderr.startswith("Error: the database")

    again = run("db", "restamp", "--reason", "once more", **REHEARSAL, **who)
    assert again.stdout.endswith("rehearsal with the gateway gateway.example, nothing to do\n")
    store = Store(upgraded_url, SystemMachineClock())
    query = text("SELECT who, action, reason FROM operator_action")
    done = store.read(lambda uow: uow.connection.execute(query).all())
    store.close()
    assert [tuple(row) for row in done] == [("jane", "restamp", "rehearsal")]


def test_the_worker_is_not_even_built(environ: dict[str, str], run: Run) -> None:
    run("db", "upgrade", **LIVE)
    with pytest.raises(ForeignDatabase):
        build_worker(load_settings({**environ, **REHEARSAL}))


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("http://127.0.0.1:8090/kcis", "loopback"),
        ("http://127.0.0.1:18090/kcis", "loopback"),
        ("http://[::1]:8090/kcis", "loopback"),
        ("http://localhost/kcis", "loopback"),
        ("https://gateway.example:443/kcis", "gateway.example"),
        ("https://gateway.example.:8443/kcis", "gateway.example:8443"),
        ("http://gateway:8090/kcis", "gateway:8090"),
        ("http://gateway.example:443/kcis", "gateway.example:443"),
    ],
)
def test_what_counts_as_one_gateway(url: str, host: str) -> None:
    named = {"SUPPLIER_API_PROFILE": "sandbox", "SUPPLIER_API__GATEWAY__KCI_URL": url}
    settings = load_settings(named)
    assert stamp_of(settings) == InstallationStamp("sandbox", host)
