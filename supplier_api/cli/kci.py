"""`supplier-api kci`: updates to the gateway, and what can be done with those that went wrong."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from supplier_api.cli import example, messages, paths
from supplier_api.cli.operator import with_reason
from supplier_api.cli.services import opened_services
from supplier_api.contract import read_json
from supplier_api.contract.codes import ReasonCode
from supplier_api.delivery.message_admin import MessageAdmin
from supplier_api.problems.services import GATEWAY
from supplier_api.settings import load_settings

REASON_CODES = [code.value for code in ReasonCode]


@click.group(epilog=example("supplier-api kci list"))
def kci() -> None:
    """Look at updates to the gateway (KCIs), and mend those that were refused.

    A KCI is named by its UUID or by REFERENCE#NUMBER.
    """


@kci.command("list", epilog=example("supplier-api kci list --state dead --since 12h"))
@messages.list_options
@click.option("--reason-code", type=click.Choice(REASON_CODES), metavar="CODE")
def list_kcis(reason_code: str | None, **given: Any) -> None:
    """List KCIs: dead letters and what is parked behind them, unless a state is asked for."""
    messages.listed(GATEWAY, given, reason_code)


@kci.command(epilog=example("supplier-api kci show SP_0000000001#2"))
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def show(name: str, as_json: bool) -> None:
    """Show a KCI with its body, every attempt, and what the gateway said. May name people."""
    messages.shown(GATEWAY, name, as_json=as_json)


@kci.command(
    epilog=example(
        'supplier-api kci replay SP_0000000001#2 --reason "they mended it"',
        "supplier-api kci replay --since 3h --dry-run",
    )
)
@messages.replay_options
def replay(name: str | None, reason: str | None, **given: Any) -> None:
    """Send a KCI again; or all of a window over when they were made.

    A window finds the dead letters in it, and what was never tried. A KCI that later ones have
    passed goes as ADDITIONAL, with the problem as it is today.
    """
    messages.replayed(GATEWAY, name, given, reason)


@kci.command(
    epilog=example(
        'supplier-api kci edit SP_0000000001#2 --set text="No entry." --reason "a wrong text"'
    )
)
@click.argument("name")
@click.option(
    "--file",
    "file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The whole new body, as JSON.",
)
@click.option(
    "--set",
    "changes",
    metavar="PATH=TEXT",
    multiple=True,
    help="A text in the body, as in supplierNotes[0].note=...; PATH:=JSON for anything else.",
)
@click.option("--unset", "removed", metavar="PATH", multiple=True, help="Leave this out.")
@with_reason
def edit(
    name: str, file: Path | None, changes: tuple[str, ...], removed: tuple[str, ...], reason: str
) -> None:
    """Change what a KCI says, and send it: its id, number and date stay."""
    by = messages.signed(reason)
    if (file is None) is not bool(changes or removed):
        raise click.UsageError("expected either --file or --set and --unset")
    with opened_services(load_settings()) as services, messages.refusals():
        change = paths.PathChanges.read(changes, removed) if file is None else _whole(file)
        messages.tell(MessageAdmin(services).edit(name, change, by))


@kci.command(epilog=example('supplier-api kci skip SP_0000000001#2 --reason "sent by hand"'))
@click.argument("name")
@with_reason
def skip(name: str, reason: str) -> None:
    """Withdraw a KCI: the tenant is told so under its number, WITH THE REASON."""
    by = messages.signed(reason)
    with opened_services(load_settings()) as services, messages.refusals():
        messages.tell(MessageAdmin(services).skip(GATEWAY, name, by))


def _whole(file: Path) -> Any:
    document = read_json(file.read_bytes())

    def change(_body: dict[str, Any]) -> Mapping[str, Any]:
        return document  # type: ignore[return-value]  # load_kci refuses what is no object

    return change
