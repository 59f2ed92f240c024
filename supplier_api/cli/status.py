"""`supplier-api status`: how it stands, for people on duty and for their monitor."""

import json
from collections.abc import Sequence

import click

from supplier_api.app.office import open_office
from supplier_api.cli.endings import of_the_store
from supplier_api.clock import SystemMachineClock, to_wire
from supplier_api.desk.status import Level, Line, gather
from supplier_api.settings import Settings, load_settings
from supplier_api.store import SchemaTooOld, StoreUnavailable

COLOURS = {Level.OK: "green", Level.WARN: "yellow", Level.BAD: "red"}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def status(as_json: bool) -> None:
    """Say how it stands. Exit code 1 when something is bad.

    A line that is not as it should be names the command that looks deeper.
    """
    lines = found(load_settings())
    worst = max((line.level for line in lines), key=list(Level).index)
    if as_json:
        click.echo(json.dumps(_document(worst, lines), indent=2))
    else:
        for line in lines:
            _print(line)
    if worst is Level.BAD:
        raise SystemExit(1)


def found(settings: Settings) -> list[Line]:
    """Return the lines; what keeps the database from being asked is a line too."""
    try:
        office = open_office(settings)
    except SchemaTooOld as error:
        return [Line("schema", Level.BAD, str(error), "supplier-api db upgrade")]
    except StoreUnavailable as error:
        return [_unreachable(error)]
    try:
        return gather(office, settings)
    except StoreUnavailable as error:
        return [_unreachable(error)]
    finally:
        office.store.close()


def _unreachable(error: StoreUnavailable) -> Line:
    return Line("database", Level.BAD, of_the_store(error), "supplier-api config show")


def _document(worst: Level, lines: Sequence[Line]) -> dict[str, object]:
    return {
        "level": worst,
        "at": to_wire(SystemMachineClock().now()),
        "lines": [
            {
                "name": line.name,
                "level": line.level,
                "text": line.text,
                "look": line.look,
                "values": line.values,
            }
            for line in lines
        ],
    }


def _print(line: Line) -> None:
    level = click.style(f"{line.level:4}", fg=COLOURS[line.level])
    look = f"   -> {line.look}" if line.look else ""
    click.echo(f"{level}  {line.name:23} {line.text}{look}")
