"""Connections to an SQLite file: their settings, and how their transactions begin."""

from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event

from supplier_api.db.pipeline import PIPE, DirectConnection
from supplier_api.db.postgresql import READ_WAIT_MS, WAIT_MS
from supplier_api.files import keep_private, sqlite_path


def make_engine(url: str, *, reading: bool, **options: Any) -> Engine:
    """Return an engine on the file at `url`, for writers or only for readers."""
    if file := sqlite_path(url):
        keep_private(file)
    # isolation_level None: transactions begin where this module begins them, not sqlite3.
    engine = create_engine(
        url, connect_args={"isolation_level": None, "check_same_thread": False}, **options
    )
    event.listen(engine, "connect", _prepare_reader if reading else _prepare_writer)
    event.listen(engine, "begin", _begin_reading if reading else _begin_writing)
    return engine


def _begin_writing(connection: Connection) -> None:
    raw: Any = connection.connection.dbapi_connection
    raw.execute(f"PRAGMA busy_timeout={connection.info.get(WAIT_MS, READ_WAIT_MS)}")
    # The write lock at once: a later upgrade from a read could only fail.
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _begin_reading(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN")


def _prepare_writer(connection: Any, record: Any) -> None:
    record.info[PIPE] = DirectConnection(connection)
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "fullfsync=ON",  # macOS: fsync alone does not reach the disk; elsewhere without effect
        "foreign_keys=ON",
        "cache_size=-32000",
        # Deleted or overwritten content is also overwritten in the file.
        "secure_delete=ON",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _prepare_reader(connection: Any, record: Any) -> None:
    _prepare_writer(connection, record)
    connection.execute(f"PRAGMA busy_timeout={READ_WAIT_MS}")
    connection.execute("PRAGMA query_only=ON")
