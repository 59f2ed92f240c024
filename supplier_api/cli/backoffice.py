"""`supplier-api backoffice`: check a mapping to the supplier's own ticket system, and play it."""

from collections.abc import Iterator
from pathlib import Path

import click

from supplier_api.backoffice.mapping import TicketMapping
from supplier_api.backoffice.mapping_check import MappingReport, check_mapping
from supplier_api.backoffice.mapping_file import FILE, configured_mapping, load_mapping
from supplier_api.backoffice.mapping_ways import STATES, way_in_words
from supplier_api.cli import example
from supplier_api.cli.errors import CommandRefused
from supplier_api.cli.output import columns, counted
from supplier_api.cli.play import desk, play
from supplier_api.rules.model import BookError
from supplier_api.settings import load_settings


@click.group(epilog=example("supplier-api backoffice check mapping.yaml"))
def backoffice() -> None:
    """Look at how the supplier's own ticket system is understood, and try it."""


backoffice.add_command(play)
backoffice.add_command(desk)


@backoffice.command(
    epilog=example("supplier-api backoffice check config/examples/jira/mapping.yaml")
)
@click.argument(
    "mapping_file",
    metavar="[MAPPING]",
    required=False,
    type=click.Path(path_type=Path, dir_okay=False),
)
def check(mapping_file: Path | None) -> None:
    """Hold each status of MAPPING against each state of a problem, and name what leads nowhere.

    Without MAPPING, the one that the adapter's option `mapping` or `mapping_file` names is checked,
    or mapping.yaml in the configuration folder. A row of the table says which events happen when a
    ticket with this status is seen: "=" is none, as the problem is there already, and "apart" none,
    as no way is legal. Errors exit with 1, warnings with 0.
    """
    file = mapping_file or _configured()
    try:
        mapping = load_mapping(file)
    except BookError as error:
        headline = f"{file}: {counted(len(error.findings), 'error')}"
        raise CommandRefused(headline, error.findings) from None
    report = check_mapping(mapping)
    for line in _lines(mapping, report):
        click.echo(line)
    for warning in report.warnings:
        click.echo(f"warning: {warning}")
    if report.errors:
        raise CommandRefused(f"{file}: {counted(len(report.errors), 'error')}", report.errors)
    said = counted(len(report.warnings), "warning")
    click.echo(f"{file}: good, {counted(len(mapping.samples), 'sample')}, {said}")


def _configured() -> Path:
    """Return the mapping that the adapter is given, or else the one in the configuration folder."""
    settings = load_settings()
    if file := configured_mapping(settings):
        return file
    folders = ", ".join(map(str, settings.config_dirs))
    raise click.UsageError(f"there is no {FILE} in {folders}: name a MAPPING")


def _lines(mapping: TicketMapping, report: MappingReport) -> Iterator[str]:
    """Yield the table of states, and what decides a change."""
    head = ("status", "means", *map(str, STATES))
    rows = [
        (status, str(mapping.states[status].state), *map(way_in_words, ways))
        for status, ways in report.ways.items()
    ]
    yield "What happens when a ticket with a status is seen, by the state of its problem:"
    yield from columns([head, *rows])
    for status, meaning in mapping.changes.items():
        word = "accepts" if meaning.accept else "rejects"
        yield f"of an amendment or a cancellation, {status} {word} it"
