"""`supplier-api db`: the database's schema."""

import json

import click

from supplier_api import app as parts
from supplier_api.cli.database import sqlite_file
from supplier_api.cli.starting import expected_errors
from supplier_api.settings import load_settings
from supplier_api.store import migrate


@click.group()
def db() -> None:
    """Look after the database."""


@db.command()
def upgrade() -> None:
    """Bring the schema to what this version needs; does nothing when it is there."""
    url = load_settings().database.url
    with expected_errors():
        if file := sqlite_file(url):
            file.parent.mkdir(parents=True, exist_ok=True)
        before, after = migrate.upgrade(url)
    if before == after:
        click.echo(f"schema {after}, nothing to do")
    else:
        click.echo(f"schema {before or '(none)'} -> {after}")


@db.command()
@click.option("--dry-run", is_flag=True, help="Only count; take nothing away.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def retain(dry_run: bool, as_json: bool) -> None:
    """Take away what is older than the settings want it kept, as the workers do every hour."""
    settings = load_settings()
    with expected_errors():
        office = parts.build_office(settings)
        try:
            retaining = parts.build_retaining(settings, office)
            counts = retaining.due() if dry_run else retaining.run()
        finally:
            office.store.close()
    if as_json:
        click.echo(json.dumps(counts, indent=2))
        return
    for name, count in counts.items():
        click.echo(f"{name.replace('_', ' '):16} {count}")
