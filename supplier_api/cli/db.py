"""`supplier-api db`: the database's schema, whose it is, copies of it and the way back."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from supplier_api.app.services import changing, reading
from supplier_api.cli import example
from supplier_api.cli.errors import CommandRefused
from supplier_api.cli.options import instant, operator, some_words, with_json, with_reason
from supplier_api.cli.output import print_json
from supplier_api.clock import SystemMachineClock
from supplier_api.db import Store, migrate
from supplier_api.files import sqlite_path
from supplier_api.operations import installation
from supplier_api.operations.backup import (
    back_up,
    dump_line,
    note_reconciled,
    note_restored,
    put_back,
    restore_line,
    what_is_unknown,
)
from supplier_api.operations.installation import InstallationRepository, stamp_of
from supplier_api.operations.retention import RetentionChore, RetentionPolicy
from supplier_api.settings import load_settings

CLOCK = SystemMachineClock()


@click.group(epilog=example("supplier-api db upgrade"))
def db() -> None:
    """Look after the database."""


@db.command(epilog=example("supplier-api db upgrade"))
def upgrade() -> None:
    """Bring the schema to what this version needs; does nothing when it is there."""
    settings = load_settings()
    url = settings.database.direct_url
    before, after = migrate.upgrade(url)
    with _opened(url) as store:
        ours = stamp_of(settings)
        store.write(lambda uow: InstallationRepository(uow).put_first(ours, CLOCK.now()))
    if before == after:
        click.echo(f"schema {after}, nothing to do")
    else:
        click.echo(f"schema {before or '(none)'} -> {after}")


@db.command(epilog=example("supplier-api db retain --dry-run"))
@click.option("--dry-run", is_flag=True, help="Only count; take nothing away.")
@click.option(
    "--vacuum",
    is_flag=True,
    help="Then let the database rewrite itself; on SQLite nobody else can write meanwhile.",
)
@with_json
def retain(dry_run: bool, vacuum: bool, as_json: bool) -> None:
    """Take away what is older than the settings want it kept, as the workers do every hour."""
    if dry_run and vacuum:
        raise click.UsageError("--vacuum: nothing is rewritten with --dry-run")
    settings = load_settings()
    with (reading if dry_run else changing)(settings) as services:
        retaining = RetentionChore(services, RetentionPolicy.of(settings))
        counts = retaining.due() if dry_run else retaining.run()
        if vacuum:
            services.store.rewrite()
    if as_json:
        print_json(counts)
        return
    for name, count in counts.items():
        click.echo(f"{name.replace('_', ' '):16} {count}")


@db.command(epilog=example('supplier-api db restamp --reason "a copy for the rehearsal"'))
@with_reason
def restamp(reason: str) -> None:
    """Let this installation use a database that belongs to another environment or gateway.

    Stop all that works on it first. Messages that are queued in it will go to the gateway of
    these settings.
    """
    settings = load_settings()
    ours = stamp_of(settings)
    with _opened(settings.database.direct_url) as store:
        migrate.require(store.engine)
        before = installation.restamp(store, ours, CLOCK.now(), operator(), reason)
    click.echo(f"was: {before or 'nobody'}")
    click.echo(f"is:  {ours}{', nothing to do' if before == ours else ''}")


@db.command(epilog=example("supplier-api db backup /backup/supplier.db"))
@click.argument("file", type=click.Path(path_type=Path))
def backup(file: Path) -> None:
    """Copy the database into FILE, while everything goes on.

    FILE must not be there yet. A PostgreSQL database is copied by its own tools: then the line to
    type is printed, and the exit code is 1.
    """
    settings = load_settings()
    source = sqlite_path(settings.database.url)
    if source is None:
        line = dump_line(settings.database.url, file)
        raise CommandRefused(
            "nothing was copied: PostgreSQL copies a database by its own tools", [line]
        )
    if not source.exists():
        raise CommandRefused(f"{source}: there is no database yet")
    back_up(source, file, CLOCK, operator())
    click.echo(f"{file}: {file.stat().st_size} bytes, checked")


@db.command(epilog=example("supplier-api db restore /backup/supplier.db"))
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--reason", default="restored", callback=some_words, help="Why; recorded with who did it."
)
def restore(file: Path, reason: str) -> None:
    """Put the copy FILE back in place of the database.

    Stop all that works on it first. What was there is kept beside it. For a PostgreSQL database the
    lines to type are printed, and the exit code is 1.
    """
    settings = load_settings()
    target = sqlite_path(settings.database.url)
    if target is None:
        lines = [
            restore_line(settings.database.url, file),
            "supplier-api db upgrade",
            'supplier-api db restored --reason "..."',
        ]
        raise CommandRefused("nothing was put back: PostgreSQL does that by its own tools", lines)
    found, kept = put_back(file, target, CLOCK, operator(), reason)
    for each in kept:
        click.echo(f"what was there is kept as {each}")
    click.echo(f"{target} is what {file} was")
    click.echo(what_is_unknown(found))


@db.command(
    epilog=example(
        'supplier-api db restored --taken 2026-01-05T12:00:00Z --reason "the disk failed"'
    )
)
@click.option("--taken", metavar="WHEN", help="When the copy was taken, if it does not say so.")
@with_reason
def restored(taken: str | None, reason: str) -> None:
    """Note that the database was put back from a copy; `db restore` does so by itself."""
    now = CLOCK.now()
    at = instant(taken, now, "--taken")
    if at is not None and at > now:
        raise click.BadParameter("expected a time that is past", param_hint="--taken")
    with changing(load_settings()) as services:
        found = note_restored(services.store, services.machine.now(), operator(), reason, at)
    click.echo(what_is_unknown(found))


@db.command(epilog=example('supplier-api db reconciled --reason "their operator answered"'))
@with_reason
def reconciled(reason: str) -> None:
    """Note that the gateway was asked for what a database that was put back does not know."""
    with changing(load_settings()) as services:
        about = note_reconciled(services.store, services.machine.now(), operator(), reason)
    if about is None:
        raise CommandRefused("this database was not put back since the gateway was last asked")
    click.echo("noted; the doctor says no more of it")


@contextmanager
def _opened(url: str) -> Iterator[Store]:
    store = Store(url, CLOCK)
    try:
        yield store
    finally:
        store.close()
