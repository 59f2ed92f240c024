"""`supplier-api work-order`: orders to the back office, and those that it refused."""

from typing import Any

import click

from supplier_api.cli import example, messages
from supplier_api.cli.options import with_json, with_reason
from supplier_api.problems.services import BACK_OFFICE
from supplier_api.problems.work import ORDER_KINDS

KINDS = [str(kind) for kind in ORDER_KINDS]


@click.group("work-order", epilog=example("supplier-api work-order list"))
def work_order() -> None:
    """Look at orders to the back office, and decide on those that it refused.

    A work order is named by its UUID or by REFERENCE#NUMBER; it has numbers of its own.
    """


@work_order.command("list", epilog=example("supplier-api work-order list --state queued"))
@messages.list_options
@click.option(
    "--kind",
    type=click.Choice(KINDS),
    help="Only those of this kind.",
)
def list_orders(kind: str | None, **given: Any) -> None:
    """List orders: dead letters and what is parked behind them, unless a state is asked for."""
    messages.list_messages(BACK_OFFICE, given, kind)


@work_order.command(epilog=example("supplier-api work-order show SP_0000000001#1"))
@click.argument("name")
@with_json
def show(name: str, as_json: bool) -> None:
    """Show an order with its body, every attempt, and what the back office said."""
    messages.show_message(BACK_OFFICE, name, as_json=as_json)


@work_order.command(
    epilog=example('supplier-api work-order replay SP_0000000001#1 --reason "they mended it"')
)
@messages.replay_options
def replay(name: str | None, reason: str | None, **given: Any) -> None:
    """Send an order again, a skipped one too; or all of a window over when they were made."""
    messages.replay_messages(BACK_OFFICE, name, given, reason)


@work_order.command(
    epilog=example('supplier-api work-order skip SP_0000000001#1 --reason "told by telephone"')
)
@click.argument("name")
@with_reason
def skip(name: str, reason: str) -> None:
    """Never send an order; its problem is marked: back office not told."""
    messages.skip_message(BACK_OFFICE, name, reason)
