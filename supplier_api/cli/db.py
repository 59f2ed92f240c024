"""`supplier-api db`: the database's schema."""

import click

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
