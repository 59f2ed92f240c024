"""`supplier-api reconcile`: open problems are compared with the back office's tickets."""

import click

from supplier_api.app.destinations import load_back_office
from supplier_api.app.services import changing
from supplier_api.backoffice.port import UnknownAdapter
from supplier_api.backoffice.reconcile import (
    CannotReconcile,
    Drift,
    Finding,
    Reconciler,
    report,
)
from supplier_api.cli import example
from supplier_api.cli.errors import CommandRefused
from supplier_api.cli.options import with_json
from supplier_api.cli.output import print_either
from supplier_api.problems.backoffice_events import BackOfficeEvents
from supplier_api.problems.services import Services
from supplier_api.problems.snapshots import Snapshots
from supplier_api.settings import Settings, load_settings


@click.command(epilog=example("supplier-api reconcile", "supplier-api reconcile --fix"))
@click.option("--fix", is_flag=True, help="Apply what tickets say and problems do not know.")
@with_json
def reconcile(fix: bool, as_json: bool) -> None:
    """Compare open problems with the back office's tickets, and list what differs.

    The workers do so with --fix every hour (polling.reconcile_every). Exit code 1 when something
    differs and was not applied.
    """
    settings = load_settings()
    with changing(settings) as services:
        findings = _compared(settings, services, fix=fix)
        now = services.machine.now()
    left = [each for each in findings if each.drift is not Drift.APPLIED]
    document = report(findings, now, listed=len(findings))
    lines = [each.line() for each in findings] or ["open problems stand as their tickets do"]
    print_either(document, lines, as_json=as_json)
    if left:
        raise SystemExit(1)


def _compared(settings: Settings, services: Services, *, fix: bool) -> list[Finding]:
    try:
        adapter = load_back_office(settings, services.store)
        snapshots = Snapshots(services, BackOfficeEvents(services))
        return list(Reconciler(services, snapshots, adapter).run(fix=fix))
    except (CannotReconcile, UnknownAdapter) as error:
        raise CommandRefused(str(error)) from None
