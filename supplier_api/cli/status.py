"""`supplier-api status`: how it stands, for people on duty and for their monitor."""

from dataclasses import asdict, replace

import click

from supplier_api.app.services import reading
from supplier_api.cli import example
from supplier_api.cli.errors import of_the_store
from supplier_api.cli.options import with_json
from supplier_api.cli.output import print_json
from supplier_api.clock import SystemMachineClock, to_wire
from supplier_api.db import SchemaTooOld, StoreUnavailable
from supplier_api.files import sqlite_path
from supplier_api.operations.status import gather, unusable
from supplier_api.operations.status_line import StatusLevel, StatusLine
from supplier_api.settings import Settings, load_settings

COLOURS = {StatusLevel.OK: "green", StatusLevel.WARN: "yellow", StatusLevel.BAD: "red"}


@click.command(epilog=example("supplier-api status --json"))
@with_json
def status(as_json: bool) -> None:
    """Say how it stands. Exit code 1 when something is bad.

    A line that is not as it should be names the command that looks deeper.
    """
    lines = found(load_settings())
    worst = max((line.level for line in lines), key=list(StatusLevel).index)
    if as_json:
        at = to_wire(SystemMachineClock().now())
        print_json({"level": worst, "at": at, "lines": [asdict(line) for line in lines]})
    else:
        for line in lines:
            _print(line)
    if worst is StatusLevel.BAD:
        raise SystemExit(1)


def found(settings: Settings) -> list[StatusLine]:
    """Return the lines; what keeps the database from being asked is a line too."""
    try:
        with reading(settings) as services:
            return gather(services, settings)
    except SchemaTooOld as error:
        return [StatusLine("schema", StatusLevel.BAD, str(error), "supplier-api db upgrade")]
    except StoreUnavailable as error:
        return [_unusable(error, settings)]


def _unusable(error: StoreUnavailable, settings: Settings) -> StatusLine:
    """Return the line of a database that cannot be used; of a file it says which."""
    line = replace(unusable(error), text=of_the_store(error))
    file = sqlite_path(settings.database.url)
    named = file is None or str(file) in line.text
    return line if named else replace(line, text=f"{line.text}: {file}")


def _print(line: StatusLine) -> None:
    level = click.style(f"{line.level:4}", fg=COLOURS[line.level])
    look = f"   -> {line.look}" if line.look else ""
    click.echo(f"{level}  {line.name:23} {line.text}{look}")
