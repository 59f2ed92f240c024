"""`supplier-api incident`: declare network incidents, end them, and see what is part of them."""

from collections.abc import Iterable
from typing import Any, TextIO

import click

from supplier_api.app.services import changing, reading
from supplier_api.cli import example
from supplier_api.cli.errors import CommandRefused
from supplier_api.cli.options import operator, with_json, with_reason
from supplier_api.cli.output import columns, counted, print_json
from supplier_api.contract import MessageError
from supplier_api.http.backoffice.schemas import read_incident
from supplier_api.problems.incidents import Incidents
from supplier_api.settings import load_settings

LINES = click.File(encoding="utf-8", errors="replace")


@click.group(epilog=example("supplier-api incident list"))
def incident() -> None:
    """Declare network incidents, end them, and see what is part of them.

    Problems that wait for one thing are told so together: NETWORK_INCIDENT while it lasts.
    """


@incident.command(
    epilog=example(
        'supplier-api incident declare INC1 --service SI0000000000001 --reason "A cable was cut."'
    )
)
@click.argument("code", metavar="ID")
@click.option("--problem", "problems", metavar="REF", multiple=True, help="Our reference of one.")
@click.option("--service", "services", metavar="ID", multiple=True, help="A service.")
@click.option(
    "--scope",
    "scopes",
    metavar="KIND=VALUE",
    multiple=True,
    help="All of an area, an exchange or a specification: exchange=LEEDS.",
)
@click.option("--problems-from", type=LINES, help="A file of references, one a line.")
@click.option("--services-from", type=LINES, help="A file of services, one a line.")
@with_reason
def declare(
    code: str,
    problems: tuple[str, ...],
    services: tuple[str, ...],
    scopes: tuple[str, ...],
    problems_from: TextIO | None,
    services_from: TextIO | None,
    reason: str,
) -> None:
    """Declare an incident over services, the services of problems, and parts of the network.

    The workers link what is open there, a hundred at a time; new problems are part of it at once.
    """
    document = {
        "id": code,
        "problems": [*problems, *_lines(problems_from)],
        "services": [*services, *_lines(services_from)],
        "scopes": [_scope(each) for each in scopes],
        "text": reason,
    }
    try:
        wanted = read_incident({name: value for name, value in document.items() if value})
    except MessageError as error:
        raise CommandRefused("that incident cannot be declared:", error.messages) from None
    with changing(load_settings()) as opened:
        incidents = Incidents(opened)
        try:
            new = incidents.declare(
                wanted.id,
                wanted.services,
                wanted.text,
                problems=wanted.problems,
                scopes=wanted.scopes,
                who=operator(),
            )
        except MessageError as error:
            raise CommandRefused("that incident cannot be declared:", error.messages) from None
        shown = incidents.shown(wanted.id) or {}
    told = "declared" if new else "was declared before"
    click.echo(f"{wanted.id} {told}, over {_extent(shown)}")


@incident.command(epilog=example('supplier-api incident end INC1 --reason "It is mended."'))
@click.argument("code", metavar="ID")
@with_reason
def end(code: str, reason: str) -> None:
    """End an incident: its problems go on where they stood.

    One that the inventory names is over, too, whatever the inventory says.
    """
    with changing(load_settings()) as opened:
        incidents = Incidents(opened)
        if not incidents.end(code, who=operator(), reason=reason):
            raise CommandRefused(incidents.why_not_ended(code))
        shown = incidents.shown(code) or {}
    click.echo(f"{code} ended for {counted(shown['linked'], 'problem')}")


@incident.command("list", epilog=example("supplier-api incident list"))
@with_json
def list_incidents(as_json: bool) -> None:
    """List the incidents that last, and those that have ended and are not yet left by all."""
    with reading(load_settings()) as opened:
        found = Incidents(opened).listed()
    if as_json:
        print_json(found)
        return
    if not found:
        click.echo("there are no incidents", err=True)
        return
    for each, line in zip(found, columns([_cells(each) for each in found]), strict=True):
        click.echo(line)
        _echo_not_linked(each)


@incident.command(epilog=example("supplier-api incident show INC1"))
@click.argument("code", metavar="ID")
@with_json
def show(code: str, as_json: bool) -> None:
    """Show an incident, also one that is over."""
    with reading(load_settings()) as opened:
        found = Incidents(opened).shown(code)
    if found is None:
        raise _unknown(code)
    if as_json:
        print_json(found)
        return
    click.echo("  ".join(_cells(found)))
    if found["text"]:
        click.echo(f"  text        {found['text']}")
    _echo_not_linked(found)


def _unknown(code: str) -> CommandRefused:
    return CommandRefused(f"there is no incident {code}; see `supplier-api incident list`")


def _echo_not_linked(shown: dict[str, Any]) -> None:
    for reference in shown["notLinked"]:
        click.echo(f"  not linked  {reference}")


def _scope(written: str) -> dict[str, str]:
    kind, separator, value = written.partition("=")
    if not separator:
        raise click.BadParameter(f"expected KIND=VALUE, not {written}", param_hint="--scope")
    return {"kind": kind, "value": value}


def _lines(file: TextIO | None) -> Iterable[str]:
    return filter(None, map(str.strip, file)) if file else ()


def _cells(shown: dict[str, Any]) -> list[str]:
    state = f"ended {shown['ended']}" if shown["ended"] else f"lasts since {shown['declared']}"
    under_way = ", under way" if shown["underWay"] else ""
    linked = counted(shown["linked"], "problem")
    over = f"{_extent(shown)}, {linked} linked{under_way}"
    return [shown["id"], str(shown["source"]), state, over]


def _extent(shown: dict[str, Any]) -> str:
    scopes = [f"{each['kind']}={each['value']}" for each in shown["scopes"]]
    services = shown["services"]
    return ", ".join([*scopes, *([counted(services, "service")] if services or not scopes else [])])
