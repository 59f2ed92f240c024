"""`supplier-api doctor --connect`: the way to the gateway, step by step, as it is printed."""

import json
from dataclasses import asdict

import click

from supplier_api.app.destinations import load_back_office
from supplier_api.app.sessions import build_sessions
from supplier_api.clock import SystemMachineClock
from supplier_api.operations.connectivity import ConnectivityCheck
from supplier_api.settings import Settings


def check_connectivity(settings: Settings, *, as_json: bool) -> None:
    """Walk it and print each step; exit code 1 if it ends too early."""
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
        click.echo(json.dumps(document, indent=2))
    else:
        if last.cause:
            click.echo(f"        likely cause: {last.cause}")
        for check in connectivity.not_checked:
            click.echo(f"not checked: {check}")
    if not last.made:
        raise SystemExit(1)
