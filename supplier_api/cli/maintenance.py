"""`supplier-api maintenance`: decide nothing for a while, and lose nothing."""

from collections.abc import Iterator
from contextlib import contextmanager

import click

from supplier_api.app.services import changing, reading
from supplier_api.cli import example
from supplier_api.cli.errors import CommandRefused
from supplier_api.cli.options import operator, with_json, with_reason
from supplier_api.cli.output import counted, print_json
from supplier_api.clock import to_wire
from supplier_api.operations.processes import ProcessRepository, alive, inventory_down
from supplier_api.problems.maintenance import Maintenance
from supplier_api.settings import load_settings


@click.group(epilog=example("supplier-api maintenance show"))
def maintenance() -> None:
    """Take everything and decide nothing, while rules or systems are worked on.

    What the gateway asks is stored and answered 202; it is decided as soon as this ends.
    """


@maintenance.command(epilog=example('supplier-api maintenance on --reason "a new rule book"'))
@with_reason
def on(reason: str) -> None:
    """Begin: every web server and worker goes by it within a second."""
    with _maintenance() as here:
        if not here.begin(operator(), reason):
            was = here.show().switch
            since = f" since {to_wire(was.since)}, by {was.who}: {was.reason}" if was else ""
            raise CommandRefused(f"maintenance is on already{since}")
    click.echo("maintenance is on: what is asked is answered 202, and decided when it ends")


@maintenance.command(epilog=example('supplier-api maintenance off --reason "it is in use"'))
@with_reason
def off(reason: str) -> None:
    """End: the workers decide what was put off, in the order in which it came."""
    with _maintenance() as here:
        postponed = here.show().postponed
        if not here.end(operator(), reason):
            raise CommandRefused("maintenance is not on")
    click.echo(f"maintenance is off; put off until now: {counted(postponed, 'decision')}")


@maintenance.command(epilog=example("supplier-api maintenance show"))
@with_json
def show(as_json: bool) -> None:
    """Say whether it is on, since when and why, and how many decisions are put off.

    Decisions are also put off while the inventory gives no answers: it names the processes to which
    it gives none.
    """
    settings = load_settings()
    with reading(settings) as services:
        shown = Maintenance(services).show()
        known, now = (
            services.store.read(lambda uow: ProcessRepository(uow).all()),
            services.machine.now(),
        )
    silent = inventory_down(alive(known, now, settings.status.heartbeat))
    switch = shown.switch
    if as_json:
        document = {
            "on": switch is not None,
            "since": to_wire(switch.since) if switch else None,
            "who": switch.who if switch else None,
            "reason": switch.reason if switch else None,
            "putOff": shown.postponed,
            "inventoryDown": {name: to_wire(since) for name, since in silent.items()},
        }
        print_json(document)
        return
    if switch:
        click.echo(f"on since {to_wire(switch.since)}, by {switch.who}: {switch.reason}")
    else:
        click.echo("off")
    for name, since in silent.items():
        click.echo(f"the inventory is down since {to_wire(since)}, as {name} sees it")
    click.echo(f"put off: {counted(shown.postponed, 'decision')}")


@contextmanager
def _maintenance() -> Iterator[Maintenance]:
    with changing(load_settings()) as services:
        yield Maintenance(services)
