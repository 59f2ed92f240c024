"""`supplier-api db`: the database's schema, and whose it is."""

import json
from collections.abc import Iterator
from contextlib import contextmanager

import click

from supplier_api.app.retaining import build_retaining
from supplier_api.cli.database import sqlite_file
from supplier_api.cli.looking import looking
from supplier_api.cli.office import opened_office
from supplier_api.cli.operator import operator, with_reason
from supplier_api.cli.starting import expected_errors
from supplier_api.clock import SystemMachineClock
from supplier_api.desk.stamping import restamp as stamp_anew
from supplier_api.desk.stamping import stamp_of
from supplier_api.settings import load_settings
from supplier_api.store import Store, migrate

CLOCK = SystemMachineClock()


@click.group()
def db() -> None:
    """Look after the database."""


@db.command()
def upgrade() -> None:
    """Bring the schema to what this version needs; does nothing when it is there."""
    settings = load_settings()
    url = settings.database.url
    with expected_errors():
        if file := sqlite_file(url):
            file.parent.mkdir(parents=True, exist_ok=True)
        before, after = migrate.upgrade(url)
        with _opened(url) as store:
            ours = stamp_of(settings)
            store.write(lambda uow: uow.stamps.put_first(ours, CLOCK.now()))
    if before == after:
        click.echo(f"schema {after}, nothing to do")
    else:
        click.echo(f"schema {before or '(none)'} -> {after}")


@db.command()
@click.option("--dry-run", is_flag=True, help="Only count; take nothing away.")
@click.option(
    "--vacuum",
    is_flag=True,
    help="Then let the database rewrite itself; on SQLite nobody else can write meanwhile.",
)
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def retain(dry_run: bool, vacuum: bool, as_json: bool) -> None:
    """Take away what is older than the settings want it kept, as the workers do every hour."""
    settings = load_settings()
    with (looking if dry_run else opened_office)(settings) as office:
        retaining = build_retaining(settings, office)
        counts = retaining.due() if dry_run else retaining.run()
        if vacuum and not dry_run:
            office.store.rewrite()
    if as_json:
        click.echo(json.dumps(counts, indent=2))
        return
    for name, count in counts.items():
        click.echo(f"{name.replace('_', ' '):16} {count}")


@db.command()
@with_reason
def restamp(reason: str) -> None:
    """Let this installation use a database that belongs to another environment or gateway.

    Stop all that works on it first. Messages that are queued in it will go to the gateway of
    these settings.
    """
    settings = load_settings()
    ours = stamp_of(settings)
    with expected_errors(), _opened(settings.database.url) as store:
        migrate.require(store.engine)
        before = stamp_anew(store, ours, CLOCK.now(), operator(), reason)
    click.echo(f"was: {before or 'nobody'}")
    click.echo(f"is:  {ours}{', nothing to do' if before == ours else ''}")


@contextmanager
def _opened(url: str) -> Iterator[Store]:
    store = Store(url, CLOCK)
    try:
        yield store
    finally:
        store.close()
