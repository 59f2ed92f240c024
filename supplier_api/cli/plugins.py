"""`supplier-api plugins`: what is installed under our entry points, and what the settings load."""

from dataclasses import asdict

import click

from supplier_api.cli import example
from supplier_api.cli.errors import CommandRefused
from supplier_api.cli.options import with_json
from supplier_api.cli.output import columns, counted, print_either
from supplier_api.operations.plugins import FoundPlugin, find_plugins
from supplier_api.settings import named_adapters


@click.command(epilog=example("supplier-api plugins"))
@with_json
def plugins(as_json: bool) -> None:
    """Tell which adapters and rules are installed, by which package, and whether they are loaded.

    Of adapters of the back office and of the inventory the one is loaded that the settings name;
    of rules written in Python, all. One that should be loaded and cannot be exits with 1. Nothing
    is asked of the database, nor are the other settings.
    """
    found = list(find_plugins(named_adapters()))
    document = [
        {name: value for name, value in asdict(each).items() if name != "wrong"} for each in found
    ]
    head = ("GROUP", "NAME", "PACKAGE", "STATE", "WHY")
    lines = columns([head, *(_cells(each) for each in found)])
    print_either(document, lines, as_json=as_json)
    if wrong := [each for each in found if each.wrong]:
        findings = [f"{each.group} {each.name}: {each.why}" for each in wrong]
        raise CommandRefused(f"{counted(len(wrong), 'plugin')} cannot be loaded", findings)


def _cells(found: FoundPlugin) -> tuple[str, ...]:
    state = "loaded" if found.loaded else "not loaded"
    kind = found.group.rpartition(".")[2]
    return (kind, found.name, found.published_by or "-", state, found.why)
