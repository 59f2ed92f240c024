"""Builds indexes on tables that are in use without blocking writers."""

from collections.abc import Sequence

from alembic import op
from sqlalchemy import text

from supplier_api.db import migrate

_INVALID = """
    SELECT 1 FROM pg_index JOIN pg_class ON pg_class.oid = pg_index.indexrelid
    JOIN pg_namespace ON pg_namespace.oid = pg_class.relnamespace
    WHERE relname = :name AND nspname = current_schema() AND NOT indisvalid
"""


def build_index(name: str, table: str, columns: Sequence[str], where: str | None = None) -> None:
    """Build an index, unless it exists; for a migration that does nothing else.

    On PostgreSQL it is built outside any transaction (CONCURRENTLY). An interrupted build leaves an
    invalid index behind: that is dropped before the next try. Raises StoreBusy.
    """
    if op.get_bind().dialect.name == "sqlite":
        op.create_index(name, table, list(columns), sqlite_where=text(where) if where else None)
        return
    with op.get_context().autocommit_block():
        _set_timeout(migrate.BUILD_TIMEOUT_MS)
        migrate.patiently(lambda: _build(name, table, columns, where))
        _set_timeout(migrate.LOCK_TIMEOUT_MS)


def _build(name: str, table: str, columns: Sequence[str], where: str | None) -> None:
    if op.get_bind().execute(text(_INVALID), {"name": name}).first():
        op.execute(text(f'DROP INDEX CONCURRENTLY "{name}"'))
    op.create_index(
        name,
        table,
        list(columns),
        postgresql_where=text(where) if where else None,
        postgresql_concurrently=True,
        if_not_exists=True,
    )


def _set_timeout(milliseconds: int) -> None:
    op.execute(text(f"SET lock_timeout={milliseconds}"))
