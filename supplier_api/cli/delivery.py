"""`supplier-api delivery`: hold delivery up, let it go on, and see what holds it up."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from typing import Any, TypeVar

import click

from supplier_api.app.services import changing, reading
from supplier_api.cli import example
from supplier_api.cli.errors import CommandRefused
from supplier_api.cli.options import operator, with_json, with_reason
from supplier_api.cli.output import print_json, print_rows
from supplier_api.delivery.pause_admin import (
    NothingSuchError,
    PauseAdmin,
    PauseScope,
    cells,
    line,
    plain,
)
from supplier_api.problems.services import Services
from supplier_api.settings import Settings, load_settings

F = TypeVar("F", bound=Callable[..., Any])


def with_scope(command: F) -> F:
    """Give a command the options that say what it is about."""
    for option in (
        click.option("--problem", metavar="REF", help="One problem, by any of its ids."),
        click.option("--tenant", help="All problems of a tenant."),
        click.option("--destination", help="gateway (KCIs) or back-office (work orders)."),
    ):
        command = option(command)
    return command


@click.group(epilog=example("supplier-api delivery list"))
def delivery() -> None:
    """Hold delivery up, let it go on, and see what holds it up.

    Nothing is lost meanwhile: what is made is stored and waits, and grows no older.
    """


@delivery.command(
    epilog=example('supplier-api delivery pause --destination gateway --reason "their release"')
)
@with_scope
@with_reason
def pause(destination: str | None, tenant: str | None, problem: str | None, reason: str) -> None:
    """Let nothing leave: nothing at all, or nothing that fits all that is named."""
    with _pausing() as pausing:
        held = pausing.pause(PauseScope(destination, tenant, problem), operator(), reason)
    click.echo(line(held))


@delivery.command(
    epilog=example('supplier-api delivery resume --destination gateway --reason "they are back"')
)
@with_scope
@with_reason
def resume(destination: str | None, tenant: str | None, problem: str | None, reason: str) -> None:
    """Let go on what was paused under the same options.

    For a whole destination, this tries an open breaker at once, and ends a wait that the
    destination asked for.
    """
    with _pausing() as pausing:
        spread = pausing.resume(PauseScope(destination, tenant, problem), operator(), reason)
        seconds = pausing.spread.total_seconds()
    gradually = f": {spread} problems in turn, over {seconds:g} s" if spread else ""
    click.echo(f"delivery goes on{gradually}")


@delivery.command("list", epilog=example("supplier-api delivery list"))
@with_json
def list_pauses(as_json: bool) -> None:
    """Show what holds delivery up: operators, the breaker, or what a destination asked for."""
    with _pausing(reading) as pausing:
        active, now = pausing.active(), pausing.now()
    if as_json:
        print_json([plain(each, now) for each in active])
        return
    print_rows([cells(each) for each in active], "nothing holds delivery up")


@contextmanager
def _pausing(
    opened: Callable[[Settings], AbstractContextManager[Services]] = changing,
) -> Iterator[PauseAdmin]:
    settings = load_settings()
    with opened(settings) as services:
        try:
            yield PauseAdmin(services, timedelta(seconds=settings.delivery.spread))
        except NothingSuchError as error:
            raise CommandRefused(str(error), error.known) from None
