"""`supplier-api inbox`: webhooks of the back office, and those that could not be applied."""

import click

from supplier_api.app.services import changing, reading
from supplier_api.backoffice.inbox_admin import POSSIBLE, InboxAdmin, InboxRefused, summary
from supplier_api.cli import example
from supplier_api.cli.errors import CommandRefused
from supplier_api.cli.messages import given_by
from supplier_api.cli.options import MAX_ROWS, WholeNumberParam, with_json, with_reason
from supplier_api.cli.output import print_either, print_json, print_rows
from supplier_api.problems.inbox_repository import InboxRepository, InboxState, StoredWebhook
from supplier_api.settings import load_settings

STATES = [state.value for state in InboxState]
NUMBER = WholeNumberParam(1)


@click.group(epilog=example("supplier-api inbox list"))
def inbox() -> None:
    """Look at webhooks of the back office, and decide on those that could not be applied.

    A webhook is named by its number in the list.
    """


@inbox.command("list", epilog=example("supplier-api inbox list --state failed"))
@click.option("--state", type=click.Choice(STATES), help="Only those in this state.")
@click.option(
    "--limit",
    type=WholeNumberParam(1, MAX_ROWS),
    default=50,
    show_default=True,
    help="At most so many, the oldest first.",
)
@with_json
def list_webhooks(state: str | None, limit: int, as_json: bool) -> None:
    """List webhooks: those that wait and those that failed, unless a state is asked for."""
    wanted = InboxState(state) if state else None
    with reading(load_settings()) as services:
        found = services.store.read(lambda uow: InboxRepository(uow).listed(wanted, limit + 1))
    if as_json:
        print_json([summary(each) for each in found[:limit]])
    else:
        none = "no webhook is in this state" if state else "no webhook waits or has failed"
        print_rows([_cells(each) for each in found[:limit]], none)
    if len(found) > limit:
        click.echo(f"there are more than {limit}; --limit shows more", err=True)


@inbox.command(epilog=example("supplier-api inbox show 17"))
@click.argument("number", type=NUMBER)
@with_json
def show(number: int, as_json: bool) -> None:
    """Show a webhook with its headers and its body as it came."""
    with reading(load_settings()) as services:
        webhook = services.store.read(lambda uow: InboxRepository(uow).get(number))
    if webhook is None:
        raise CommandRefused(f"there is no webhook {number}")
    seen = {
        **summary(webhook),
        "headers": dict(webhook.headers),
        "body": webhook.body.decode(errors="replace"),
        "possible": ["show", *POSSIBLE[webhook.state]],
    }
    lines = [f"{name:13} {value}" for name, value in seen.items() if value not in (None, {})]
    print_either(seen, lines, as_json=as_json)


@inbox.command(epilog=example('supplier-api inbox replay 17 --reason "the mapping is mended"'))
@click.argument("number", type=NUMBER)
@with_reason
def replay(number: int, reason: str) -> None:
    """Have a webhook applied again, now; what is known already is ignored."""
    _act("replay", number, reason)


@inbox.command(epilog=example('supplier-api inbox skip 17 --reason "a test of theirs"'))
@click.argument("number", type=NUMBER)
@with_reason
def skip(number: int, reason: str) -> None:
    """Never apply a webhook."""
    _act("skip", number, reason)


def _act(action: str, number: int, reason: str) -> None:
    by = given_by(reason)
    with changing(load_settings()) as services:
        admin = InboxAdmin(services)
        do = admin.replay if action == "replay" else admin.skip
        try:
            was = do(number, by.who, by.reason)
        except InboxRefused as error:
            raise CommandRefused(str(error)) from None
    now = "queued, due now" if action == "replay" else "skipped"
    click.echo(f"{number}  {was.state} -> {now}")


def _cells(webhook: StoredWebhook) -> list[str]:
    seen = summary(webhook)
    names = ("number", "hook", "state", "received", "attempts", "key")
    return [*(str(seen[name]) for name in names), webhook.error or ""]
