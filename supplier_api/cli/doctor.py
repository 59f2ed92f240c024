"""`supplier-api doctor`: what may have been lost, and whether the gateway can be reached."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict

import click

from supplier_api.app.destinations import load_back_office
from supplier_api.app.services import reading
from supplier_api.app.sessions import build_sessions
from supplier_api.backoffice.port import Polls, UnknownAdapter
from supplier_api.cli import example
from supplier_api.cli.errors import CommandRefused, refusing
from supplier_api.cli.options import SecondsParam, with_json
from supplier_api.cli.output import print_either, print_json
from supplier_api.clock import SystemMachineClock
from supplier_api.operations.backup import QUESTIONS, Restoration, unreconciled, what_is_unknown
from supplier_api.operations.connectivity import ConnectivityCheck
from supplier_api.operations.doctor import WHY, Doctor, DoctorFinding, DoctorRow, lines
from supplier_api.settings import Settings, resolve_settings
from supplier_api.settings.doors import Door, listeners
from supplier_api.settings.schema import variable
from supplier_api.settings.secrets import read_by_others

BY_PEOPLE = "manual"  # the adapter of those whose people decide


@click.command(epilog=example("supplier-api doctor", "supplier-api doctor --connect"))
@click.option("--connect", is_flag=True, help="Try the way to the gateway instead. Sends no KCI.")
@click.option(
    "--seconds",
    type=SecondsParam(),
    default=20,
    show_default=True,
    help="About so long for the check that looks at every problem.",
)
@with_json
def doctor(connect: bool, seconds: float, as_json: bool) -> None:
    """Find what may have been lost, and print the commands that mend it.

    Changes nothing. Exit code 1 when something was found.
    """
    resolved = resolve_settings()
    settings = resolved.settings
    if connect:
        _connect(settings, as_json=as_json)
        return
    try:
        with refusing(), reading(settings) as services:
            report = Doctor(services, settings).examine(seconds)
            if found := services.store.read(unreconciled):
                report.findings.insert(0, _put_back(found))
    except CommandRefused as error:
        raise CommandRefused(error.message, ["so nothing could be checked"]) from None
    report.warnings += [*read_by_others(resolved.secret_files), *_shut_out(settings)]
    print_either(asdict(report), lines(report), as_json=as_json)
    if report.findings:
        raise SystemExit(1)


def _shut_out(settings: Settings) -> Iterator[str]:
    """Warn of a back office that can say nothing: its door is off, and it is not looked at."""
    given = settings.backoffice
    doors = [door for listener in listeners(settings) for door in listener.doors]
    if Door.BACK_OFFICE in doors or given.adapter == BY_PEOPLE:
        return
    with suppress(UnknownAdapter):  # of which the worker tells
        if not isinstance(load_back_office(settings), Polls):
            name = variable(("backoffice", "listen"))
            yield (
                f"the back office's door is off, and the adapter {given.adapter} cannot be asked"
                f" what has changed: set {name}, unless people say every event"
            )


def _put_back(found: Restoration) -> DoctorFinding:
    done = f"supplier-api db reconciled {WHY}   # when that is done"
    case = DoctorRow(what_is_unknown(found), (*QUESTIONS, done))
    return DoctorFinding(
        "what was answered since the copy that this database was put back from", 1, [case]
    )


def _connect(settings: Settings, *, as_json: bool) -> None:
    """Print each step of the way to the gateway; exit code 1 if it ends too early."""
    connectivity = ConnectivityCheck(
        settings, build_sessions(settings), SystemMachineClock(), load_back_office
    )
    steps = []
    for step in connectivity.walk():
        steps.append(step)
        if not as_json:
            click.echo(f"{'ok    ' if step.made else 'BROKEN'}  {step.name}: {step.text}")
    last = steps[-1]
    if as_json:
        told = [{**asdict(step), "made": step.made} for step in steps]
        document = {"steps": told, "notChecked": connectivity.not_checked}
        print_json(document)
    else:
        if last.cause:
            click.echo(f"        likely cause: {last.cause}")
        for check in connectivity.not_checked:
            click.echo(f"not checked: {check}")
    if not last.made:
        raise SystemExit(1)
