"""`supplier-api sandbox raise | amend | cancel | accept | reject | watch | scenarios`."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any, TypeVar
from urllib.parse import urljoin

import click
import requests

from supplier_api.cli import example, local
from supplier_api.cli.errors import CommandRefused
from supplier_api.cli.gateway_client import FAILED, curl_line, news
from supplier_api.cli.options import WholeNumberParam
from supplier_api.contract.codes import CancellationReason
from supplier_api.http_client.connections import new_session
from supplier_api.http_client.errors import why
from supplier_api.ids import SystemIdSource
from supplier_api.sandbox.tenant_client import (
    TIMEOUT,
    Account,
    Document,
    GatewayCall,
    GatewayClient,
    any_service_test,
    resolution_to_answer,
    sample,
)
from supplier_api.settings import Settings, load_settings

SPECIFICATION = {"id": "ftthl2r"}
LOOK_EVERY = 0.3  # seconds
ID_SOURCE = SystemIdSource()

R = TypeVar("R")


@dataclass(frozen=True)
class SandboxCaller:
    """Who makes a call, whether it is only printed, and the scenario that it chooses."""

    account: Account
    curl: bool
    scenario: str | None

    def call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> GatewayCall:
        """Return a call with headers of its own."""
        headers = {
            "X-Request-ID": str(ID_SOURCE.uuid("")),
            "X-Conversation-ID": str(ID_SOURCE.uuid("")),
        }
        if self.scenario:
            headers["X-Scenario"] = self.scenario
        return GatewayCall(method, path, body, headers)

    def make(self, call: GatewayCall) -> Document | None:
        """Make a call and return its answer; or print it as a line for a shell, None then."""
        if self.curl:
            click.echo(curl_line(self.account, call))
            return None
        return GatewayClient(self.account).ask(call)


def gateway_options(command: Callable[..., R]) -> Callable[..., R]:
    """Add the options that say which gateway is called, and by whom."""
    for option in (
        click.option("--url", help="The sandbox gateway, if not the one of the settings."),
        click.option("--client", help="The tenant's client; the first of the settings if absent."),
        click.option("--secret", help="Its secret, if the settings do not know the client."),
    ):
        command = option(command)
    return command


def call_options(command: Callable[..., R]) -> Callable[..., R]:
    """Add the options of a command that asks for something."""
    command = click.option("--curl", is_flag=True, help="Print the call as a line for a shell.")(
        command
    )
    text = "The outcome to play, as in NAME or NAME?param=value."
    return gateway_options(click.option("--scenario", metavar="NAME", help=text)(command))


@click.command(
    "raise", epilog=example("supplier-api sandbox raise --service SI0000000000001 --watch")
)
@click.option("--service", metavar="ID", help="The service; a new one if absent.")
@click.option("--supplier", metavar="NAME", help="The supplier; the sample's if absent.")
@click.option(
    "--file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The request's body; a sample if absent.",
)
@click.option("--watch", "watched", is_flag=True, help="Then print its updates.")
@call_options
def raise_problem(
    service: str | None, supplier: str | None, file: Path | None, watched: bool, **given: Any
) -> None:
    """Raise a service problem."""
    caller = _caller(**given)
    body = _read(file) if file else _sample()
    if service:
        body |= {"serviceId": service}
        body.setdefault("serviceSpecification", SPECIFICATION)
    if supplier:
        body["supplier"] = supplier
    raised = caller.make(caller.call("POST", "/service-problems", body))
    if raised is None:
        return
    click.echo(f"service problem {raised['id']} is {raised['status']}")
    if watched:
        _watch(caller, int(raised["id"]))


@click.command(epilog=example('supplier-api sandbox amend 23467 --notes "The gate code is 1234."'))
@click.argument("problem_id", metavar="ID", type=WholeNumberParam(1))
@click.option("--problem-text", help="How the end user describes it.")
@click.option("--notes", help="Notes to the supplier.")
@click.option("--appointment", type=WholeNumberParam(1), help="The reserved appointment.")
@click.option(
    "--characteristic",
    "characteristics",
    multiple=True,
    metavar="NAME=VALUE",
    help="May be given repeatedly.",
)
@click.option("--escalate", is_flag=True, help="Ask to escalate.")
@click.option(
    "--file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Further fields of the body.",
)
@call_options
def amend(
    problem_id: int,
    problem_text: str | None,
    notes: str | None,
    appointment: int | None,
    characteristics: tuple[str, ...],
    escalate: bool,
    file: Path | None,
    **given: Any,
) -> None:
    """Ask to amend the service problem ID."""
    fields = {
        "problemText": problem_text,
        "notes": notes,
        "appointmentReservationId": appointment,
        "characteristics": [_characteristic(each) for each in characteristics],
        "escalationRequest": escalate,
    }
    body = _read(file) if file else {}
    body |= {name: value for name, value in fields.items() if value}
    if not body:
        raise click.UsageError("name something to amend")
    _change(_caller(**given), "amendment", {"serviceProblemId": problem_id, **body})


@click.command(epilog=example('supplier-api sandbox cancel 23467 --text "It works again."'))
@click.argument("problem_id", metavar="ID", type=WholeNumberParam(1))
@click.option(
    "--reason",
    type=click.Choice([*CancellationReason]),
    default=CancellationReason.NO_LONGER_REQUIRED.value,
    show_default=True,
    help="Why it is cancelled.",
)
@click.option("--text", help="More about the reason.")
@call_options
def cancel(problem_id: int, reason: str, text: str | None, **given: Any) -> None:
    """Ask to cancel the service problem ID."""
    body = {"serviceProblemId": problem_id, "reasonCode": reason} | ({"text": text} if text else {})
    _change(_caller(**given), "cancellation", body)


@click.command(epilog=example("supplier-api sandbox accept 23467"))
@click.argument("problem_id", metavar="ID", type=WholeNumberParam(1))
@click.option("--notes", help="Notes to the supplier.")
@call_options
def accept(problem_id: int, notes: str | None, **given: Any) -> None:
    """Accept the resolution of the service problem ID."""
    _answer(_caller(**given), problem_id, "ACCEPTED", notes)


@click.command(epilog=example('supplier-api sandbox reject 23467 --notes "The line still drops."'))
@click.argument("problem_id", metavar="ID", type=WholeNumberParam(1))
@click.option("--notes", help="Why it is not resolved.")
@call_options
def reject(problem_id: int, notes: str | None, **given: Any) -> None:
    """Reject the resolution of the service problem ID."""
    _answer(_caller(**given), problem_id, "REJECTED", notes)


@click.command(epilog=example("supplier-api sandbox watch 23467"))
@click.argument("problem_id", metavar="ID", type=WholeNumberParam(1))
@gateway_options
def watch(problem_id: int, **given: Any) -> None:
    """Print the updates of the service problem ID until nothing more comes by itself.

    Exit code 1 if it was rejected or could not be sent.
    """
    _watch(_caller(**given), problem_id)


@click.command(epilog=example("supplier-api sandbox scenarios"))
@click.option("--url", help="The supplier, if not the one of the settings.")
def scenarios(url: str | None) -> None:
    """List the outcomes that the supplier can play."""
    supplier = url or sandbox_settings().sandbox.supplier_url
    where = urljoin(supplier, "/admin/scenarios")
    try:
        answer = new_session().get(where, timeout=TIMEOUT, allow_redirects=False)
    except requests.RequestException as error:
        raise CommandRefused(f"no answer from {where}: {why(error)}") from None
    if answer.status_code == 404:
        raise CommandRefused(f"this supplier lists no scenarios: there is no {where}")
    if answer.status_code != 200:
        raise CommandRefused(f"{where} answers {answer.status_code} {answer.reason}")
    for text in _scenario_lines(answer.json()):
        click.echo(text)


COMMANDS = (raise_problem, amend, cancel, accept, reject, watch, scenarios)


# ---- what they share


def sandbox_settings() -> Settings:
    """Return the settings; raises CommandRefused in production, which has no gateway to try."""
    settings = load_settings()
    if not settings.in_sandbox:
        raise CommandRefused(
            "`sandbox` is for the sandbox profile: production has no gateway to try"
        )
    return settings


def _caller(
    url: str | None,
    client: str | None,
    secret: str | None,
    *,
    curl: bool = False,
    scenario: str | None = None,
) -> SandboxCaller:
    """Return which gateway is meant; the settings are asked for what is not given."""
    if url and client and secret:
        return SandboxCaller(Account(url.rstrip("/"), client, secret), curl, scenario)
    settings = sandbox_settings()
    known = {
        party.client_id: party.client_secret.get_secret_value()
        for party in settings.sandbox.tenants.values()
    }
    client = client or next(iter(known), None)
    secret = secret or known.get(client or "")
    if client is None or secret is None:
        raise click.UsageError("name a tenant's client by --client and --secret")
    if not url:
        url = settings.sandbox.url if settings.sandbox.port else local.running(settings, "sandbox")
    return SandboxCaller(Account(url.rstrip("/"), client, secret), curl, scenario)


def sandbox_caller(settings: Settings) -> SandboxCaller:
    """Return the first tenant of the settings, at the sandbox gateway that they name.

    Raises CommandRefused where that is to be chosen at its start, and none runs.
    """
    if not settings.in_sandbox:
        raise CommandRefused("production has no gateway to try")
    party = next(iter(settings.sandbox.tenants.values()))
    url = settings.sandbox.url if settings.sandbox.port else local.running(settings, "sandbox")
    secret = party.client_secret.get_secret_value()
    return SandboxCaller(
        Account(url.rstrip("/"), party.client_id, secret), curl=False, scenario=None
    )


def _read(file: Path) -> Document:
    try:
        body = json.loads(file.read_text(encoding="utf-8"))
        json.dumps(body, allow_nan=False)  # what is sent is JSON, too
    except (ValueError, RecursionError) as error:
        raise click.BadParameter(f"{file} is not JSON: {error}", param_hint="--file") from None
    if not isinstance(body, dict):
        raise click.BadParameter(f"{file} holds no JSON object", param_hint="--file")
    return body


def _sample() -> Document:
    body = sample(any_service_test(ID_SOURCE))
    return body | {"notes": "A sample that `supplier-api sandbox raise` raised."}


def _characteristic(text: str) -> Document:
    name, equals, value = text.partition("=")
    if not equals:
        raise click.BadParameter(f"expected NAME=VALUE, not {text}", param_hint="--characteristic")
    return {"name": name, "value": value}


def _change(caller: SandboxCaller, kind: str, body: Document) -> None:
    asked = caller.make(caller.call("POST", f"/service-problem-{kind}s", body))
    if asked is not None:
        click.echo(f"{kind} {asked['id']} is {asked['status']}")


def _answer(caller: SandboxCaller, problem_id: int, status: str, notes: str | None) -> None:
    resolution_id = resolution_to_answer(_look(caller, problem_id))
    body = {"status": status} | ({"tenantNotes": notes} if notes else {})
    answered = caller.make(
        caller.call("PATCH", f"/service-problem-resolutions/{resolution_id}", body)
    )
    if answered is not None:
        click.echo(f"resolution {answered['id']} is {answered['status']}")


def _look(caller: SandboxCaller, problem_id: int) -> Document:
    call = caller.call("GET", f"/service-problems/{problem_id}")
    return GatewayClient(caller.account).ask(call)


def _watch(caller: SandboxCaller, problem_id: int) -> None:
    client = GatewayClient(caller.account)
    call = caller.call("GET", f"/service-problems/{problem_id}")
    seen: Document = {}

    def look() -> Document:
        seen.update(client.ask(call))
        return seen

    for text in news(look, lambda: Event().wait(LOOK_EVERY)):
        click.echo(text)
    if seen["status"] in FAILED:
        raise SystemExit(1)


def _scenario_lines(listed: Any) -> Iterator[str]:
    """Return the supplier's list for people: each scenario, and its parameters below it."""
    each_scenario = listed["scenarios"] if isinstance(listed, dict) else listed
    for scenario in each_scenario:
        yield f"{scenario['name']}  {scenario.get('description', '')}".rstrip()
        for parameter in scenario.get("parameters", []):
            default = parameter.get("default")
            said = f" (default {default})" if default is not None else ""
            yield f"    {parameter['name']}{said}  {parameter.get('description', '')}".rstrip()
