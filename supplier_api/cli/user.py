"""`supplier-api user`: the people who may sign in to the console, and their sessions."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

import click

from supplier_api.app.console import new_sign_in_link
from supplier_api.app.services import changing, reading
from supplier_api.audit import Audit
from supplier_api.auth.accounts import AccountRefused, Accounts, By, ConsoleUser, Role
from supplier_api.cli import example
from supplier_api.cli.errors import CommandRefused
from supplier_api.cli.messages import given_by
from supplier_api.cli.options import some_words, with_json, with_reason
from supplier_api.cli.output import counted, print_json, print_rows
from supplier_api.clock import to_wire
from supplier_api.problems.services import Services
from supplier_api.settings import load_settings

ROLE = click.Choice([role.value for role in Role])
with_password = click.option(
    "--password-file",
    "file",
    type=click.File("rb"),
    help="A file with the password, or - for standard input; asked for at the terminal if absent.",
)


@click.group(epilog=example("supplier-api user list"))
def user() -> None:
    """Say who may sign in to the console, and as what.

    A viewer reads, without personal data; an operator does what a shift has to do; an admin does
    everything. Who has a shell is an admin.
    """


@user.command(epilog=example('supplier-api user add jo --role operator --reason "joined us"'))
@click.argument("name")
@click.option("--role", type=ROLE, required=True, help="What the user may do.")
@with_password
@with_reason
def add(name: str, role: str, file: BinaryIO | None, reason: str) -> None:
    """Make an account. The password is asked for, twice; it has 12 characters or more."""
    by = _by(reason)
    with _changing() as accounts:
        if accounts.get(name):
            raise CommandRefused(f"there is a user {name} already")
        accounts.add(name, _password(file), Role(role), by)
    click.echo(f"{name} may sign in as {role}")


@user.command("list", epilog=example("supplier-api user list"))
@with_json
def list_users(as_json: bool) -> None:
    """List the accounts."""
    with reading(load_settings()) as services:
        found = _accounts(services).all()
    if as_json:
        print_json([_document(each) for each in found])
        return
    rows = [[each.name, each.role.value, _state(each)] for each in found]
    print_rows(rows, "there are no users; see `supplier-api user add --help`")


@user.command("role", epilog=example('supplier-api user role jo admin --reason "leads the shift"'))
@click.argument("name")
@click.argument("new", metavar=f"[{'|'.join(Role)}]", type=ROLE)
@with_reason
def set_role(name: str, new: str, reason: str) -> None:
    """Give a user another role; it holds at once."""
    by = _by(reason)
    with _changing() as accounts:
        accounts.set_role(name, Role(new), by)
    click.echo(f"{name} is {new} from now on")


@user.command("password", epilog=example('supplier-api user password jo --reason "forgotten"'))
@click.argument("name")
@with_password
@with_reason
def set_password(name: str, file: BinaryIO | None, reason: str) -> None:
    """Give a user another password, and end all their sessions."""
    by = _by(reason)
    with _changing() as accounts:
        if accounts.get(name) is None:
            raise AccountRefused(f"there is no user {name}")
        accounts.set_password(name, _password(file), by)
    click.echo(f"{name} has another password; all sessions are ended")


@user.command(epilog=example('supplier-api user disable jo --reason "left us"'))
@click.argument("name")
@with_reason
def disable(name: str, reason: str) -> None:
    """Let a user sign in no more, and end all their sessions."""
    by = _by(reason)
    with _changing() as accounts:
        accounts.disable(name, by)
    click.echo(f"{name} may not sign in any more; all sessions are ended")


@user.command(epilog=example('supplier-api user enable jo --reason "is back"'))
@click.argument("name")
@with_reason
def enable(name: str, reason: str) -> None:
    """Let a user that is disabled sign in again."""
    by = _by(reason)
    with _changing() as accounts:
        accounts.enable(name, by)
    click.echo(f"{name} may sign in again")


@user.command(
    epilog=example(
        "supplier-api user sessions", 'supplier-api user sessions --end jo --reason "lost a laptop"'
    )
)
@click.option("--end", metavar="NAME", help="End all sessions of this user.")
@click.option("--reason", callback=some_words, help="Why they are ended; recorded with who did it.")
@with_json
def sessions(end: str | None, reason: str | None, as_json: bool) -> None:
    """List who is signed in, since when, last seen when, and where; or end a user's sessions."""
    if end is not None:
        if as_json:
            raise click.UsageError("--json goes with the list, not with --end")
        if reason is None:
            raise click.MissingParameter(param_hint="--reason", param_type="option")
        by = _by(reason)
        with _changing() as accounts:
            ended = accounts.end_all(end, by)
        click.echo(f"{end}: {counted(ended, 'session')} ended")
        return
    if reason is not None:
        raise click.UsageError("--reason goes with --end")
    with reading(load_settings()) as services:
        found = _accounts(services).sessions()
    documents = [
        {
            "user": each.name,
            "role": each.role.value,
            "since": to_wire(each.since),
            "seen": to_wire(each.seen),
            "ends": to_wire(each.ends),
            "address": each.address,
        }
        for each in found
    ]
    if as_json:
        print_json(documents)
        return
    rows = [
        [each["user"], f"since {each['since']}", f"seen {each['seen']}", f"from {each['address']}"]
        for each in documents
    ]
    print_rows(rows, "nobody is signed in")


@user.command(epilog=example('supplier-api user link --reason "first sign-in"'))
@with_reason
def link(reason: str) -> None:
    """Print a link that signs in once, as an admin, within ten minutes.

    For the first sign-in, and for a sandbox without accounts.
    """
    settings, by = load_settings(), _by(reason)
    if not (settings.in_sandbox or settings.console.listen):
        raise CommandRefused("there is no console; set SUPPLIER_API__CONSOLE__LISTEN")
    with _changing() as accounts:
        click.echo(new_sign_in_link(settings, accounts, by))


@contextmanager
def _changing() -> Iterator[Accounts]:
    with changing(load_settings()) as services:
        try:
            yield _accounts(services)
        except AccountRefused as refused:
            raise CommandRefused(str(refused)) from None


def _accounts(services: Services) -> Accounts:
    return Accounts(services.store, services.machine, Audit(services.machine))


def _by(reason: str) -> By:
    given = given_by(reason)
    return By(given.who, given.reason)


def _password(file: BinaryIO | None) -> str:
    """Return the password of a file, without the end of its line, or ask for it twice."""
    if file:
        try:
            return file.read().decode().removesuffix("\n").removesuffix("\r")
        except UnicodeDecodeError:
            raise CommandRefused("password: expected UTF-8") from None
    if not _at_a_terminal():
        raise CommandRefused(
            "there is no terminal to ask for the password at: give --password-file FILE, or - for"
            " standard input"
        )
    asked: str = click.prompt("Password", hide_input=True, confirmation_prompt="Once more")
    return asked


def _at_a_terminal() -> bool:
    return sys.stdin.isatty()


def _state(each: ConsoleUser) -> str:
    if each.disabled:
        return f"disabled since {to_wire(each.disabled)}"
    return f"since {to_wire(each.created)}"


def _document(each: ConsoleUser) -> dict[str, str | None]:
    return {
        "name": each.name,
        "role": each.role.value,
        "created": to_wire(each.created),
        "disabled": to_wire(each.disabled) if each.disabled else None,
    }
