"""`supplier-api doctor`: what may have been lost, and whether the gateway can be reached."""

import json
from dataclasses import asdict

import click

from supplier_api.cli import CommandRefused, example
from supplier_api.cli.doctor_connect import check_connectivity
from supplier_api.cli.numbers import Seconds
from supplier_api.cli.sessions import looking
from supplier_api.operations.backup import QUESTIONS, Restoration, unreconciled, what_is_unknown
from supplier_api.operations.doctor import WHY, Doctor, DoctorFinding, DoctorRow, lines
from supplier_api.settings import resolve_settings
from supplier_api.settings.secrets import read_by_others


@click.command(epilog=example("supplier-api doctor", "supplier-api doctor --connect"))
@click.option("--connect", is_flag=True, help="Try the way to the gateway instead. Sends no KCI.")
@click.option(
    "--seconds",
    type=Seconds(),
    default=20,
    show_default=True,
    help="About so long for the check that looks at every problem.",
)
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def doctor(connect: bool, seconds: float, as_json: bool) -> None:
    """Find what may have been lost, and print the commands that mend it.

    Changes nothing. Exit code 1 when something was found.
    """
    resolved = resolve_settings()
    settings = resolved.settings
    if connect:
        check_connectivity(settings, as_json=as_json)
        return
    try:
        with looking(settings) as services:
            report = Doctor(services, settings).examine(seconds)
            if found := services.store.read(unreconciled):
                report.findings.insert(0, _put_back(found))
    except CommandRefused as error:
        raise CommandRefused(error.message, ["so nothing could be checked"]) from None
    report.warnings += read_by_others(resolved.secret_files)
    click.echo(json.dumps(asdict(report), indent=2) if as_json else "\n".join(lines(report)))
    if report.findings:
        raise SystemExit(1)


def _put_back(found: Restoration) -> DoctorFinding:
    done = f"supplier-api db reconciled {WHY}   # when that is done"
    case = DoctorRow(what_is_unknown(found), (*QUESTIONS, done))
    return DoctorFinding(
        "what was answered since the copy that this database was put back from", 1, [case]
    )
