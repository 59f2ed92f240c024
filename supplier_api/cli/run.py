"""`supplier-api run`: the whole chain on this machine, with a sample problem to watch.

Starts the supplier, its worker and the sandbox gateway as processes, raises one problem as a
tenant, prints its way line by line, and goes on serving until Ctrl-C.
"""

import json
import os
import platform
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from threading import Event
from typing import Any

import click
import requests

from supplier_api import health
from supplier_api.cli import CommandRefused, example, local
from supplier_api.cli.database import prepare_database
from supplier_api.cli.local import command_name
from supplier_api.cli.next_steps import next_steps
from supplier_api.cli.numbers import WholeNumber
from supplier_api.cli.problem import problem_view
from supplier_api.cli.sample import TENANT, Journey, SampleTenant
from supplier_api.cli.sessions import looking
from supplier_api.cli.startup_errors import expected_errors
from supplier_api.cli.supervisor import PartFailed, Supervisor
from supplier_api.clock import SystemMachineClock, to_wire
from supplier_api.contract.versions import CONTRACT
from supplier_api.delivery.pause_admin import stands_still
from supplier_api.http_client.connections import new_session
from supplier_api.http_client.errors import why
from supplier_api.ids import SystemChance
from supplier_api.outbox.pauses import PauseRepository
from supplier_api.sandbox.journal.masking import without_secrets
from supplier_api.settings import Settings, load_settings
from supplier_api.settings.derived import goes_to_our_sandbox

START_SECONDS = 30.0
SAMPLE_SECONDS = 30
CLOCK = SystemMachineClock()


@click.command(epilog=example("supplier-api run", "supplier-api run --no-sample"))
@click.option("--no-sample", is_flag=True, help="Raise no sample problem.")
@click.option(
    "--sample-seconds",
    type=WholeNumber(1),
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
    local.check_alone(settings)
    local.check_ports(settings)
    # Both from the beginning: whoever waits until all is well waits for both.
    doors = [local.ready_url(settings.server), local.ready_url(settings.sandbox)]
    with (
        local.alone(settings),
        health.shown(settings.data_dir, "run", doors),
        _stop_signals() as stopping,
    ):
        seconds = 0 if no_sample else sample_seconds
        _Run(settings, environ, stopping).go(seconds)


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
        self._introduce()
        file = local.endpoints_file(self._settings)
        try:
            self._start()
            self._endpoints.pids = self._supervisor.pids
            self._endpoints.write(file)
            self._supervisor.wait_until_ready(START_SECONDS)
            self._tell_ready()
            journey = self._show_sample(sample_seconds) if sample_seconds else None
            self._serve(journey)
        except PartFailed as failure:
            lines = failure.part.last_lines()
            headline = f"{failure}; the end of {failure.part.log}:"
            raise CommandRefused(headline, lines) from None
        finally:
            self._supervisor.stop()
            file.unlink(missing_ok=True)

    def _introduce(self) -> None:
        click.echo(
            f"supplier_api {version('supplier_api')}   contract: Supplier API"
            f" {CONTRACT.supplier_api}, Supplier Updates API {CONTRACT.supplier_updates}"
            f"   profile: {self._settings.profile}"
        )
        _say("setup", _setup_line())
        with expected_errors():
            _say("database", prepare_database(self._settings.database.direct_url))

    def _start(self) -> None:
        supplier, sandbox = self._endpoints.supplier, self._endpoints.sandbox
        start, environ = self._supervisor.start, self._environ
        start("supplier", _words("serve"), environ, _answers(f"{supplier}/health/ready"))
        start("worker", _words("worker"), environ, _logged(self._settings, "worker"))
        start("sandbox", _words("sandbox"), environ, _answers(f"{sandbox}/health/ready"))

    def _tell_ready(self) -> None:
        if self._stopping.is_set():
            return
        supplier, sandbox = self._endpoints.supplier, self._endpoints.sandbox
        ready = click.style("ready", fg="green")
        gateway = f"sandbox gateway {sandbox}   {ready}"
        _say("supplier", f"{supplier}   {ready}      worker {ready}      {gateway}")
        if not sys.stdout.isatty():
            click.echo(f"READY {self._endpoints.as_json()}")

    def _show_sample(self, seconds: int) -> Journey | None:
        """Raise the sample and print its way. Whatever comes of it, everything goes on serving."""
        if self._stopping.is_set():
            return None
        if not goes_to_our_sandbox(self._settings):
            elsewhere = without_secrets(self._settings.gateway.kci_url)
            _say(
                "sample", f"none: its updates would go to {elsewhere}, not to this sandbox gateway"
            )
            return None
        try:
            return self._follow_sample(seconds)
        except requests.RequestException as error:
            self._supervisor.check()
            _say("sample", f"the sandbox gateway did not answer as it should: {_told(error)}")
            return None

    def _follow_sample(self, seconds: int) -> Journey:
        _say("sample", "one customer's line drops every evening; follow it:")
        party = self._settings.sandbox.tenants[TENANT]
        secret = party.client_secret.get_secret_value()
        tenant = SampleTenant(self._endpoints.sandbox, party.client_id, secret, SystemChance())
        journey = Journey(tenant, self._view)
        click.echo(str(journey.begin(CLOCK.now())))
        until = CLOCK.monotonic() + seconds
        while not (journey.ended or self._stopping.is_set()):
            self._supervisor.check()
            for line in journey.news():
                click.echo(str(line))
            if self._settings.backoffice.pace == "manual" and journey.reference:
                _say("waiting", "PACE=manual: nothing moves until an event says so")
                return journey
            if CLOCK.monotonic() > until:
                reasons = "; ".join([journey.stuck(), *self._held_up()])
                _say("sample", f"not at its end after {seconds} s: {reasons}")
                _say("", f"`{command_name()} status` tells more; everything goes on serving")
                return journey
            self._stopping.wait(0.1)
        if journey.ended:
            _say("done", journey.summary())
        return journey

    def _view(self, gateway_id: int) -> dict[str, Any] | None:
        """Return what the supplier knows of the sample; None while it knows nothing."""
        try:
            return problem_view(self._settings, str(gateway_id), TENANT)
        except CommandRefused:
            return None

    def _held_up(self) -> list[str]:
        """Return what holds up delivery as a whole, in words."""
        now = CLOCK.now()
        with looking(self._settings) as services:
            pauses = services.store.read(lambda uow: PauseRepository(uow).active(now))
        return [
            f"nothing is delivered to the {each['destination']}: {each['reason']}"
            for each in stands_still(pauses, now)
        ]

    def _serve(self, journey: Journey | None) -> None:
        if self._stopping.is_set():
            return
        steps = next_steps(
            self._endpoints,
            self._settings.sandbox.tenants[TENANT],
            self._settings.data_dir,
            (journey.gateway_id, journey.reference) if journey else None,
        )
        for number, step in enumerate(steps):
            _say("look next" if number == 0 else "", step)
        _say("serving", f"Ctrl-C stops; the data stays in {local.where_data_stays(self._settings)}")
        while not self._stopping.wait(0.5):
            self._supervisor.check()


def _say(label: str, text: str) -> None:
    click.echo(f"{click.style(f'{label:<10}', bold=True)} {text}")


def _told(error: requests.RequestException) -> str:
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


def _words(command: str) -> list[str]:
    return [sys.executable, "-m", "supplier_api.cli.child", command]


def _answers(url: str) -> Callable[[], bool]:
    session = new_session()

    def is_ready() -> bool:
        try:
            return session.get(url, timeout=1).status_code == 200
        except requests.RequestException:
            return False

    return is_ready


def _logged(settings: Settings, part: str) -> Callable[[], bool]:
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
