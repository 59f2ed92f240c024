"""`supplier-api backoffice play` and `desk`: the whole course of a problem through a ticket system.

The tenant's part is played at the sandbox gateway. The part of the people who work on tickets is
played at the bundled sample desk, or by people at the supplier's own.
"""

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Timer
from typing import Any

import click
import requests

from supplier_api.app.destinations import load_back_office
from supplier_api.app.services import changing
from supplier_api.backoffice.port import Reads, TicketState
from supplier_api.cli import example, local
from supplier_api.cli.errors import CommandRefused
from supplier_api.cli.options import MAX_SECONDS, WholeNumberParam
from supplier_api.cli.run import answers, prepare_database, start_chain
from supplier_api.cli.sandbox_calls import ID_SOURCE, SandboxCaller, sandbox_caller
from supplier_api.cli.supervisor import PartFailed, Supervisor
from supplier_api.clock import SystemMachineClock
from supplier_api.db import UnitOfWork
from supplier_api.outbox.model import MessageState
from supplier_api.outbox.repository import LaneRepository
from supplier_api.problems import view
from supplier_api.problems.backoffice_events import BackOfficeEvents
from supplier_api.problems.model import ServiceProblem
from supplier_api.problems.services import Services
from supplier_api.problems.snapshots import Snapshots
from supplier_api.sandbox.sample_desk.web import RunningDesk, seconds_to_restart
from supplier_api.sandbox.tenant_client import (
    Document,
    GatewayCallFailed,
    GatewayClient,
    any_service_test,
    pending_resolution,
    sample,
)
from supplier_api.settings import Settings, load_settings

LOOK_EVERY = 0.2  # seconds
START_SECONDS = 60.0
STEP_SECONDS = 20
PEOPLE_SECONDS = 600
DESK_PORT = 8095
CLOCK = SystemMachineClock()


@dataclass(frozen=True, slots=True)
class CourseMove:
    """What the people who work on a ticket do: in words, and at the sample desk."""

    words: str
    fields: Mapping[str, str]


WORK = CourseMove("work on it", {"status": "Working"})
ASK = CourseMove("ask the customer", {"status": "Asked", "note": "Which lights are on?"})
HOLD = CourseMove("have it wait", {"status": "Held", "note": "The cabinet is locked."})
DONE = CourseMove(
    "resolve it", {"status": "Done", "cause": "Cable", "note": "A joint was replaced."}
)
APPROVE = CourseMove("accept the cancellation", {"status": "Approved"})
UNDECIDED = "SERVICE_PROBLEM_DEFERRED"


@dataclass(frozen=True, slots=True)
class Office:
    """Who does a move at a ticket, and who starts our worker again."""

    move: Callable[[str, CourseMove], None]
    restart_worker: Callable[[], None]


class Course:
    """Plays the course, and prints each step when the gateway shows what came of it."""

    def __init__(
        self, settings: Settings, caller: SandboxCaller, office: Office, seconds: float
    ) -> None:
        """Wait `seconds` at most for what follows from a step."""
        self._settings = settings
        self._caller = caller
        self._client = GatewayClient(caller.account)
        self._adapter = load_back_office(settings)
        self._office = office
        self._seconds = seconds
        self._number = 0
        self._id = 0
        self._reference = ""
        self._ticket = ""

    def play(self) -> None:
        """Play all of it; raises CommandRefused at the step that leads nowhere."""
        self._raise("raises a problem", "ACKNOWLEDGED")
        self._move(WORK, TicketState.IN_PROGRESS)
        self._move(ASK, TicketState.PENDING)
        self._tenant("amends it", "IN_PROGRESS", self._amend)
        self._move(WORK, TicketState.IN_PROGRESS)
        self._move(HOLD, TicketState.HELD)
        self._move(WORK, TicketState.IN_PROGRESS)
        self._move(DONE, TicketState.RESOLVED)
        self._tenant("rejects the resolution", "IN_PROGRESS", lambda: self._answer("REJECTED"))
        self._move(DONE, TicketState.RESOLVED)
        self._tenant("accepts the resolution", "COMPLETED", lambda: self._answer("ACCEPTED"))
        self._raise("raises a problem", "ACKNOWLEDGED")
        self._move(WORK, TicketState.IN_PROGRESS)
        self._tenant("asks for its cancellation", "PENDING_CANCELLATION", self._cancel)
        self._move(APPROVE, TicketState.CANCELLED)
        self._raise("raises one to be decided", "SENT_TO_SUPPLIER", UNDECIDED)
        self._office.restart_worker()
        self._move(WORK, TicketState.IN_PROGRESS)

    def _raise(self, words: str, status: str, scenario: str | None = None) -> None:
        body = sample(any_service_test(ID_SOURCE))
        caller = replace(self._caller, scenario=scenario)
        self._id = int(self._client.ask(caller.call("POST", "/service-problems", body))["id"])
        self._until("tenant", words, status)
        self._until_ticket()

    def _move(self, move: CourseMove, state: TicketState) -> None:
        self._office.move(self._ticket, move)
        self._until("office", move.words, state)

    def _tenant(self, words: str, status: str, act: Callable[[], object]) -> None:
        act()
        self._until("tenant", words, status)

    def _amend(self) -> None:
        body = {"serviceProblemId": self._id, "notes": "All lights are green."}
        self._client.ask(self._caller.call("POST", "/service-problem-amendments", body))

    def _cancel(self) -> None:
        body = {"serviceProblemId": self._id, "reasonCode": "NO_LONGER_REQUIRED"}
        deferred = replace(self._caller, scenario="CANCELLATION_PENDING")
        self._client.ask(deferred.call("POST", "/service-problem-cancellations", body))

    def _answer(self, status: str) -> None:
        resolution = pending_resolution(self._look())
        path = f"/service-problem-resolutions/{resolution}"
        self._client.ask(self._caller.call("PATCH", path, {"status": status}))

    def _look(self) -> Document:
        return self._client.ask(self._caller.call("GET", f"/service-problems/{self._id}"))

    def _until(self, who: str, words: str, status: str) -> None:
        """Print a step when the gateway shows `status` and the office has all its orders."""
        until, shown, settled = CLOCK.monotonic() + self._seconds, "", False
        while not (shown == status and settled):
            if CLOCK.monotonic() > until:
                raise CommandRefused(
                    f"{who} {words}: {status} is expected of the problem {self._id}, and after"
                    f" {self._seconds:g} s the gateway says: {shown}",
                    ["`supplier-api status` says whether a ticket is apart, and why"],
                )
            Event().wait(LOOK_EVERY)
            settled, shown = self._settled(), self._shown()
        self._number += 1
        click.echo(f"{self._number:>2}  {who}  {words:<26}{status:<21} {self._ticket or '-'}")

    def _until_ticket(self) -> None:
        """Have people make the problem's ticket, if the answer to our order named none."""
        if self._ticket:
            return
        click.echo(f"    now make a ticket for {self._reference}: the adapter has named none")
        until = CLOCK.monotonic() + self._seconds
        while not self._ticket:
            if CLOCK.monotonic() > until:
                raise CommandRefused(
                    f"after {self._seconds:g} s no ticket of {self._reference} is known",
                    ["a ticket is found by our reference in it, when a webhook or a look shows it"],
                )
            Event().wait(LOOK_EVERY)
            self._settled()

    def _shown(self) -> str:
        """Return the problem's status at the gateway, or why there is none: it may be restarted."""
        try:
            return str(self._look()["status"])
        except GatewayCallFailed as failed:
            self._client = GatewayClient(self._caller.account)
            return str(failed)

    def _settled(self) -> bool:
        """Look at the ticket ourselves, and say whether everybody has heard everything."""
        with changing(self._settings) as services:
            problem, settled = services.store.read(self._known)
            self._ticket = (problem.back_office_id if problem else None) or ""
            self._reference = problem.reference if problem else ""
            if self._ticket and isinstance(self._adapter, Reads):
                self._take(services, self._adapter)
        return settled

    def _known(self, uow: UnitOfWork) -> tuple[ServiceProblem | None, bool]:
        """Return the problem as the supplier knows it, and whether nothing of it is queued."""
        found = view.find(uow, str(self._id))
        if not found:
            return None, False
        states = [each["state"] for each in LaneRepository(uow).messages_of(found[0].id)]
        return found[0], MessageState.QUEUED not in states

    def _take(self, services: Services, adapter: Reads) -> None:
        """Apply the ticket as it is: where webhooks or polling did so already, it is old."""
        if snapshot := adapter.read(self._ticket):
            Snapshots(services, BackOfficeEvents(services)).take(snapshot)


@click.command(epilog=example("supplier-api backoffice play --sample-desk"))
@click.option("--sample-desk", is_flag=True, help="Start everything here, with the sample desk.")
@click.option(
    "--through",
    type=click.Choice(["sample-desk", "http"]),
    default="sample-desk",
    show_default=True,
    help="The sample desk's adapter: by its API, or by JSON and webhooks.",
)
@click.option(
    "--seconds",
    type=WholeNumberParam(1, MAX_SECONDS),
    help=f"How long a step may take: {STEP_SECONDS} with the sample desk, else {PEOPLE_SECONDS}.",
)
def play(sample_desk: bool, through: str, seconds: int | None) -> None:
    """Play a problem's whole course through the ticket system, and print each step.

    Without --sample-desk at the installation that runs here (`supplier-api run`), through its own
    adapter: at each step of the office it says what to do with the ticket, and waits. Where the
    adapter names no ticket, people make one. Once it asks for a restart of the worker; who cannot
    do that goes on without.
    """
    if sample_desk:
        with (
            TemporaryDirectory(prefix="supplier-play-") as folder,
            _chain(Path(folder), through) as (settings, office),
        ):
            _play(settings, office, seconds or STEP_SECONDS)
    else:
        _play(load_settings(), Office(_ask_people, _ask_for_restart), seconds or PEOPLE_SECONDS)


def _play(settings: Settings, office: Office, seconds: int) -> None:
    Course(settings, sandbox_caller(settings), office, seconds).play()
    click.echo(
        "done: one raised to completed, one cancelled, one decided late; all seen at the gateway"
    )


def _at_the_desk(url: str, ticket: str, move: CourseMove) -> None:
    requests.patch(f"{url}/tickets/{ticket}", json=dict(move.fields), timeout=10).raise_for_status()


def _restart_worker(supervisor: Supervisor) -> None:
    supervisor.restart("worker")
    supervisor.wait_until_ready(START_SECONDS)
    click.echo("    the worker was killed, and is started again")


def _ask_people(ticket: str, move: CourseMove) -> None:
    click.echo(f"    now in ticket {ticket}: {move.words}")


def _ask_for_restart() -> None:
    click.echo("    now restart the worker, or `supplier-api run`; if you cannot, go on")


@contextmanager
def _chain(folder: Path, adapter: str) -> Iterator[tuple[Settings, Office]]:
    """Run the chain and the sample desk in `folder`; yield the settings, and who works there."""
    port, supplier, sandbox = (str(local.free_port("127.0.0.1")) for _ in range(3))
    url, token = f"http://127.0.0.1:{port}", str(ID_SOURCE.uuid(""))
    environ = os.environ | {
        "SUPPLIER_API_PROFILE": "sandbox",
        "SUPPLIER_API_DATA_DIR": str(folder / "var"),
        "SUPPLIER_API__BACKOFFICE__ADAPTER": adapter,
        "SUPPLIER_API__BACKOFFICE__OPTIONS__URL": url,
        "SUPPLIER_API__BACKOFFICE__LISTEN": "",  # the server's port
        "SUPPLIER_API__SERVER__PORT": supplier,
        "SUPPLIER_API__SANDBOX__PORT": sandbox,
    }
    hooks = []
    if adapter == "http":
        mapping = str(files("supplier_api.sandbox.sample_desk") / "mapping.yaml")
        environ |= {
            "SUPPLIER_API__BACKOFFICE__OPTIONS__URL": f"{url}/work-orders",
            "SUPPLIER_API__BACKOFFICE__OPTIONS__MAPPING_FILE": mapping,
            "SUPPLIER_API__BACKOFFICE__HOOK_TOKEN": token,
        }
        hook = f"http://127.0.0.1:{supplier}/back-office/v1/hooks/http"
        hooks = ["--hook-url", hook, "--hook-token", token]
    settings = load_settings(environ)
    logs = settings.data_dir / "log"
    logs.mkdir(parents=True)
    prepare_database(settings.database.direct_url)
    supervisor = Supervisor(logs, CLOCK, Event())
    words = [sys.executable, "-m", "supplier_api.cli.supervisor", "backoffice", "desk"]
    desk = [*words, "--port", port, "--file", str(folder / "desk.db"), *hooks]
    try:
        supervisor.start("desk", desk, environ, answers(f"{url}/tickets"))
        start_chain(supervisor, settings, environ)
        supervisor.wait_until_ready(START_SECONDS)
        yield settings, Office(partial(_at_the_desk, url), partial(_restart_worker, supervisor))
    except PartFailed as failure:
        raise CommandRefused(f"{failure}; its log ends:", failure.part.last_lines()) from None
    finally:
        supervisor.stop()


@click.command(epilog=example("supplier-api backoffice desk --restart-every 30"))
@click.option(
    "--port",
    type=WholeNumberParam(1, 65535),
    default=DESK_PORT,
    show_default=True,
    help="Where it listens.",
)
@click.option(
    "--file",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("desk.db"),
    show_default=True,
    help="Where its tickets are.",
)
@click.option("--hook-url", help="Where its webhooks go; none are sent without.")
@click.option("--hook-token", default="", help="The bearer token that they carry.")
@click.option(
    "--restart-every",
    type=WholeNumberParam(1, MAX_SECONDS),
    help="Seconds between restarts, by chance.",
)
def desk(**given: Any) -> None:
    """Serve the sample ticket system on loopback until Ctrl-C.

    It knows no idempotency key and loses every tenth webhook.
    """
    every = given.pop("restart_every")
    running = RunningDesk(**given)
    if every:
        # At once, as by kill -9: requests and webhooks that are under way are lost.
        again = [sys.executable, "-m", "supplier_api.cli", *sys.argv[1:]]
        timer = Timer(seconds_to_restart(every), lambda: os.execv(again[0], again))  # noqa: S606
        timer.daemon = True
        timer.start()
    click.echo(f"sample desk: {running.url}")
    running.serve()
