"""`supplier-api run`: the whole chain on this machine, with a sample problem to watch.

Starts the supplier, its worker and the sandbox gateway as processes, raises one problem as a
tenant, prints its way line by line, and goes on serving until Ctrl-C.
"""

import json
import os
import platform
import signal
import sqlite3
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from threading import Event
from typing import Any
from urllib.parse import urlsplit

import click
import requests

from supplier_api import health
from supplier_api.app.services import changing, reading
from supplier_api.audit import Audit
from supplier_api.auth.accounts import Accounts, By
from supplier_api.cli import example, local
from supplier_api.cli.errors import CommandRefused, refusing
from supplier_api.cli.options import MAX_SECONDS, WholeNumberParam
from supplier_api.cli.output import counted
from supplier_api.cli.problem import problem_view
from supplier_api.cli.sample import Journey, SampleTenant, next_steps
from supplier_api.cli.supervisor import PartFailed, Supervisor
from supplier_api.clock import SystemMachineClock, to_wire
from supplier_api.contract import CONTRACT
from supplier_api.db import Store, migrate
from supplier_api.delivery.pause_admin import stands_still
from supplier_api.files import sqlite_path
from supplier_api.http_client.connections import new_session
from supplier_api.http_client.errors import why
from supplier_api.ids import SystemIdSource
from supplier_api.outbox.pauses import PauseRepository
from supplier_api.outbox.repository import LaneRepository
from supplier_api.problems.repository import ProblemRepository
from supplier_api.sandbox.journal.entries import without_secrets
from supplier_api.sandbox.tenant_client import TENANT, Account
from supplier_api.settings import Settings, load_settings
from supplier_api.settings.addresses import console_is_open, goes_to_our_sandbox

START_SECONDS = 30.0
SAMPLE_SECONDS = 30
CLOCK = SystemMachineClock()


@click.command(epilog=example("supplier-api run", "supplier-api run --no-sample"))
@click.option("--no-sample", is_flag=True, help="Raise no sample problem.")
@click.option(
    "--sample-seconds",
    type=WholeNumberParam(1, MAX_SECONDS),
    default=SAMPLE_SECONDS,
    show_default=True,
    help="How long the sample is followed at most.",
)
def run(no_sample: bool, sample_seconds: int) -> None:
    """Start supplier, worker and sandbox gateway, and follow a sample problem."""
    settings = load_settings()
    if not settings.in_sandbox:
        raise CommandRefused(
            "`run` is for the sandbox profile; in production use `serve` and `worker`"
        )
    settings, environ = local.with_ports(settings, os.environ)
    local.check_not_running(settings)
    local.check_ports(settings)
    # Both from the beginning: whoever waits until all is well waits for both.
    doors = [local.ready_url(settings.server), local.ready_url(settings.sandbox)]
    with (
        local.run_lock(settings),
        health.registered(settings.data_dir, "run", doors),
        _stop_signals() as stopping,
    ):
        seconds = 0 if no_sample else sample_seconds
        _Run(settings, environ, stopping).go(seconds)


def start_chain(supervisor: Supervisor, settings: Settings, environ: Mapping[str, str]) -> None:
    """Start supplier, worker and sandbox gateway; the logs are those of the data folder."""
    supplier, sandbox = local.addresses(settings)
    start = supervisor.start
    start("supplier", _command_line("serve"), environ, answers(f"{supplier}/health/ready"))
    start("worker", _command_line("worker"), environ, _logged_start(settings, "worker"))
    start("sandbox", _command_line("sandbox"), environ, answers(f"{sandbox}/health/ready"))


class _Run:
    """One run, from its header to its end."""

    def __init__(self, settings: Settings, environ: dict[str, str], stopping: Event) -> None:
        self._settings = settings
        self._environ = environ
        self._stopping = stopping
        logs = settings.data_dir / "log"
        logs.mkdir(parents=True, exist_ok=True)
        self._supervisor = Supervisor(logs, CLOCK, stopping)
        supplier, sandbox = local.addresses(settings)
        self._endpoints = local.Endpoints(
            supplier=supplier,
            sandbox=sandbox,
            environment=settings.environment,
            profile=settings.profile,
            contract=asdict(CONTRACT),
            started=to_wire(CLOCK.now()),
            pid=os.getpid(),
        )

    def go(self, sample_seconds: int) -> None:
        """Start, serve until told to stop; nothing is left running after it.

        A sample is shown for `sample_seconds` at most, with 0 none.
        """
        self._print_header()
        file = local.endpoints_file(self._settings)
        try:
            start_chain(self._supervisor, self._settings, self._environ)
            self._endpoints.pids = self._supervisor.pids
            self._endpoints.write(file)
            self._supervisor.wait_until_ready(START_SECONDS)
            self._print_ready()
            journey = self._show_sample(sample_seconds) if sample_seconds else None
            self._serve(journey)
        except PartFailed as failure:
            lines = failure.part.last_lines()
            headline = f"{failure}; the end of {failure.part.log}:"
            raise CommandRefused(headline, lines) from None
        finally:
            self._supervisor.stop()
            file.unlink(missing_ok=True)

    def _print_header(self) -> None:
        click.echo(
            f"supplier_api {version('supplier_api')}   contract: Supplier API"
            f" {CONTRACT.supplier_api}, Supplier Updates API {CONTRACT.supplier_updates}"
            f"   profile: {self._settings.profile}"
        )
        _print("setup", _setup_line())
        _print("database", prepare_database(self._settings.database.direct_url))

    def _print_ready(self) -> None:
        if self._stopping.is_set():
            return
        supplier, sandbox = self._endpoints.supplier, self._endpoints.sandbox
        ready = click.style("ready", fg="green")
        gateway = f"sandbox gateway {sandbox}   {ready}"
        _print("supplier", f"{supplier}   {ready}      worker {ready}      {gateway}")
        if not sys.stdout.isatty():
            click.echo(f"READY {self._endpoints.as_json()}")
        if not console_is_open(self._settings):
            self._print_sign_in_link()

    def _print_sign_in_link(self) -> None:
        """Print how to sign in to the console: what `serve` says stands in a log."""
        from supplier_api.app.console import new_sign_in_link  # noqa: PLC0415 - as the console itself

        with changing(self._settings) as services:
            accounts = Accounts(services.store, services.machine, Audit(services.machine))
            by = By("run", "the console of a sandbox begins")
            link = new_sign_in_link(self._settings, accounts, by)
        _print("console", f"{link}   signs in once, within ten minutes")

    def _show_sample(self, seconds: int) -> Journey | None:
        """Raise the sample and print its way. Whatever comes of it, everything goes on serving."""
        if self._stopping.is_set():
            return None
        if not goes_to_our_sandbox(self._settings):
            elsewhere = without_secrets(self._settings.gateway.kci_url)
            _print(
                "sample", f"none: its updates would go to {elsewhere}, not to this sandbox gateway"
            )
            return None
        try:
            return self._follow_sample(seconds)
        except requests.RequestException as error:
            self._supervisor.check()
            _print("sample", f"the sandbox gateway did not answer as it should: {_reason(error)}")
            return None

    def _follow_sample(self, seconds: int) -> Journey:
        _print("sample", "one customer's line drops every evening; follow it:")
        journey = Journey(SampleTenant(self._tenant, SystemIdSource()), self._view)
        click.echo(str(journey.begin(CLOCK.now())))
        until = CLOCK.monotonic() + seconds
        while not (journey.ended or self._stopping.is_set()):
            self._supervisor.check()
            for line in journey.news():
                click.echo(str(line))
            if self._settings.backoffice.pace == "manual" and journey.reference:
                _print("waiting", "PACE=manual: nothing moves until an event says so")
                return journey
            if CLOCK.monotonic() > until:
                reasons = "; ".join([journey.stuck(), *self._held_up()])
                _print("sample", f"not at its end after {seconds} s: {reasons}")
                _print(
                    "", f"`{local.command_name()} status` tells more; everything goes on serving"
                )
                return journey
            self._stopping.wait(0.1)
        if journey.ended:
            _print("done", journey.summary())
        return journey

    @property
    def _tenant(self) -> Account:
        party = self._settings.sandbox.tenants[TENANT]
        secret = party.client_secret.get_secret_value()
        return Account(self._endpoints.sandbox, party.client_id, secret)

    def _view(self, gateway_id: int) -> dict[str, Any] | None:
        """Return what the supplier knows of the sample; None while it knows nothing."""
        try:
            with refusing():
                return problem_view(self._settings, str(gateway_id), TENANT)
        except CommandRefused:
            return None

    def _held_up(self) -> list[str]:
        """Return what holds up delivery as a whole, in words."""
        now = CLOCK.now()
        with reading(self._settings) as services:
            pauses = services.store.read(lambda uow: PauseRepository(uow).active(now))
        return [
            f"nothing is delivered to the {each['destination']}: {each['reason']}"
            for each in stands_still(pauses, now)
        ]

    def _serve(self, journey: Journey | None) -> None:
        if self._stopping.is_set():
            return
        steps = next_steps(self._endpoints, self._tenant, self._settings.data_dir, journey)
        for number, step in enumerate(steps):
            _print("look next" if number == 0 else "", step)
        _print("serving", f"Ctrl-C stops; the data stays in {local.data_location(self._settings)}")
        while not self._stopping.wait(0.5):
            self._supervisor.check()


def _print(label: str, text: str) -> None:
    click.echo(f"{click.style(f'{label:<10}', bold=True)} {text}")


def _reason(error: requests.RequestException) -> str:
    """Name what went wrong: an answer by its status, anything else by its kind."""
    answer = error.response
    return why(error) if answer is None else f"{answer.status_code} {answer.reason}"


def _setup_line() -> str:
    """Return what scripts/setup.py noted in the environment we run in."""
    file = Path(sys.prefix) / "setup.json"
    try:
        note = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return f"Python {platform.python_version()}, installed as a package"
    if note["new"]:
        with suppress(OSError):  # told once; whoever may not write here is told again
            file.write_text(json.dumps(note | {"new": False}), encoding="utf-8")
    state = "new" if note["new"] else "up to date"
    line = f"Python {note['python']}, .venv {state}, {note['packages']} packages from the lock file"
    return f"{line:<68} {note['seconds']:>3} s" if note["new"] else line


def _command_line(command: str) -> list[str]:
    return [sys.executable, "-m", "supplier_api.cli.supervisor", command]


def answers(url: str) -> Callable[[], bool]:
    """Return a function that tells whether a GET of `url` is answered 200."""
    session = new_session()

    def is_ready() -> bool:
        try:
            return session.get(url, timeout=1).status_code == 200
        except requests.RequestException:
            return False

    return is_ready


def _logged_start(settings: Settings, part: str) -> Callable[[], bool]:
    """Tell by its log that a part is ready: this one has no door to knock at."""
    log = settings.data_dir / "log" / f"{part}.log"
    return lambda: f"{part}.started" in log.read_text(encoding="utf-8", errors="replace")


@contextmanager
def _stop_signals() -> Iterator[Event]:
    """Turn Ctrl-C, a polite kill and a closed terminal into an event, while the block runs."""
    stopping = Event()
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, lambda *_: stopping.set()) for number in numbers}
    try:
        yield stopping
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


# -- the database, made ready


def prepare_database(url: str) -> str:
    """Create or upgrade the database at `url` and return what there is now.

    An SQLite file with an older schema is copied before it is upgraded. Raises StoreBusy while
    another process works on it.
    """
    copy = _copy_if_old(url)
    before, schema = migrate.upgrade(url)
    store = Store(url, SystemMachineClock())
    try:
        problems, undelivered = store.read(
            lambda unit: (ProblemRepository(unit).count(), LaneRepository(unit).count_undelivered())
        )
    finally:
        store.close()
    if before is None:
        state = f"schema {schema} created"
    elif before == schema:
        state = f"schema {schema}, {counted(problems, 'problem')}, {undelivered} undelivered"
    else:
        kept = f" (as it was: {local.short_path(copy)})" if copy else ""
        state = f"schema {before} upgraded to {schema}{kept}, {counted(problems, 'problem')}"
    return f"{_where(url)}, {state}"


def _copy_if_old(url: str) -> Path | None:
    """Copy an SQLite file that is going to be upgraded; return the copy."""
    file = sqlite_path(url)
    if file is None or not file.is_file():
        return None
    with closing(sqlite3.connect(file)) as source:
        revision = _revision(source)
        if revision is None or int(revision) >= int(migrate.head()):
            return None
        copy = file.with_name(f"{file.stem}-{revision}{file.suffix}")
        with closing(sqlite3.connect(copy)) as target:
            source.backup(target)
    return copy


def _revision(connection: sqlite3.Connection) -> str | None:
    try:
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.DatabaseError:
        return None  # an empty file, or a broken one, of which the upgrade tells
    return None if row is None else str(row[0])


def _where(url: str) -> str:
    file = sqlite_path(url)
    if file is None:
        parts = urlsplit(url)
        return f"{parts.scheme.partition('+')[0]} {parts.hostname or ''}{parts.path}"
    version = ".".join(sqlite3.sqlite_version.split(".")[:2])
    return f"{local.short_path(file)}, SQLite {version} WAL"
