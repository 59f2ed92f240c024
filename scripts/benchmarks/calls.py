"""What else is asked of the supplier, each call against a create in the same run.

A round raises problems: the create that the others are compared with. Then one half of them is
amended, begun by the back office, resolved and accepted, and the other half is cancelled. Reading
a problem is a call of the sandbox gateway: the supplier's own API has none.
"""

import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from scripts.benchmarks.creates import creating
from scripts.benchmarks.figures import Figure, Options, at_most, ratios
from scripts.benchmarks.installation import (
    FIRST_ID,
    SERVICES,
    Installation,
    make_installation,
    request,
    token_of,
)
from scripts.benchmarks.load import Aim
from scripts.benchmarks.processes import HOST, free_port, running, supplier_api, wait_for
from scripts.benchmarks.servers import Subject, say_round

AMENDMENTS = "POST /service-problem-amendments"
CANCELLATIONS = "POST /service-problem-cancellations"
ANSWERS = "PATCH /service-problem-resolutions/@text@"
EVENTS = "POST /back-office/v1/problems/@text@/events"
BEGUN = {"id": "begun-@id@", "event": "start"}
FOUND = {"resolutionCode": "NETWORK_CABLING", "resolutionText": "The cable was renewed."}
RESOLVED = {"id": "resolved-@id@", "event": "resolve", "resolution": FOUND}
CHANGE = {
    "id": "@id@",
    "serviceProblemId": "@id@",
    "supplierServiceProblemReference": "@text@",
}
AMENDMENT = {**CHANGE, "notes": "The router was replaced, and the service still drops at night."}
CANCELLATION = {**CHANGE, "reasonCode": "CUSTOMER_NETWORK_ISSUE", "text": "It was the router."}
ACCEPTED = {"status": "ACCEPTED", "tenantNotes": "It has not dropped since."}
PROBLEMS = "SELECT reference FROM service_problem WHERE gateway_id >= ? ORDER BY gateway_id"
RESOLUTIONS = (
    "SELECT resolution.reference FROM resolution JOIN service_problem p ON p.id = problem_id"
    " WHERE gateway_id >= ? ORDER BY gateway_id"
)
PATIENCE = 60.0  # seconds for all calls of a round
READING = (
    "at the sandbox gateway, which knows the supplier's answer, since the supplier's own API has no"
    " such call"
)


class Calls:
    """The calls at one installation, made on the problems that `creates` raises."""

    def __init__(self, installation: Installation, creates: Subject) -> None:
        """Get tokens; the installation must serve."""
        self._database = installation.folder / "supplier.db"
        self._port, self._creates = installation.port, creates
        gateway, office = installation.token(), installation.token("back-office")
        self.amendment = self._call("amendment", AMENDMENTS, AMENDMENT, gateway)
        self.cancellation = self._call("cancellation", CANCELLATIONS, CANCELLATION, gateway)
        self.event = self._call("back-office event", EVENTS, BEGUN, office, 200)
        self.answer = self._call("resolution answer", ANSWERS, ACCEPTED, gateway, 200)
        self._resolving = self._call("resolving", EVENTS, RESOLVED, office, 200)

    def play(self, seconds: float) -> None:
        """Raise problems for so long, and make each of the other calls on half of them."""
        first = self._creates.aim.first
        self._creates.take_turn(seconds)
        references = self._references(PROBLEMS, first)
        middle = len(references) // 2
        self._on(self.cancellation, first + middle, references[middle:]).take_turn(PATIENCE)
        self._on(self.amendment, first, references[:middle]).take_turn(PATIENCE)
        self._on(self.event, first, references[:middle]).take_turn(PATIENCE)
        self._on(self._resolving, first, references[:middle]).warm_up(PATIENCE)
        self._on(self.answer, first, self._references(RESOLUTIONS, first)).take_turn(PATIENCE)

    def _call(self, name: str, route: str, body: object, token: str, status: int = 201) -> Subject:
        method, path = route.split(" ")
        aim = Aim(self._port, request(method, path, body, token), PATIENCE, services=SERVICES)
        return Subject(name, self._creates.pid, aim, status)

    @staticmethod
    def _on(call: Subject, first: int, texts: Sequence[str]) -> Subject:
        call.aim = replace(call.aim, first=first, texts=texts)
        return call

    def _references(self, query: str, first: int) -> list[str]:
        with sqlite3.connect(self._database) as database:
            return [text for (text,) in database.execute(query, (first,))]


@contextmanager
def reading(folder: Path) -> Iterator[Subject]:
    """Serve a sandbox; yield what reads a problem at its gateway, warmed up."""
    port = free_port()
    sandbox = make_installation(folder, profile="sandbox", settings={"SANDBOX__PORT": str(port)})
    url = f"http://{HOST}:{port}"
    with sandbox.serving(), running(supplier_api("sandbox"), sandbox.environ) as gateway:
        wait_for(f"{url}/health/ready")
        sandbox.call("sandbox", "raise", "--service", "SI0000000000001")
        token = token_of(f"{url}/auth/tenant/access-token", "tenant", "tenant-secret")
        aim = Aim(port, request("GET", "/service-problems/1", None, token), PATIENCE, FIRST_ID)
        subject = Subject("GET of a problem", gateway.pid, aim, 200)
        subject.warm_up()
        yield subject


def measure(options: Options) -> list[Figure]:
    """Measure all calls in turns."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        installation = make_installation(folder / "production")
        creates = stack.enter_context(creating("create", installation))
        calls = Calls(installation, creates)
        read = stack.enter_context(reading(folder / "sandbox"))
        others = [calls.amendment, calls.cancellation, calls.event, calls.answer, read]
        for number in range(1, options.rounds + 1):
            calls.play(options.seconds)
            read.take_turn(options.seconds)
            say_round(number, options, [creates, *others])
    create = creates.figure("create, beside the other calls")
    figures = [create]
    for subject in others:
        note = READING if subject is read else ""
        found = subject.figure(subject.name, note=note)
        figures += [found, ratios(f"{subject.name} / create", found, create, at_most(1.3))]
    return figures
