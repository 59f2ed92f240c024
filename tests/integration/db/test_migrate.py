"""The upgrade from an empty or an older database to the tables that this code works on."""

import sqlite3
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from alembic import command, op
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    DateTime,
    Engine,
    Float,
    Integer,
    MetaData,
    create_engine,
    inspect,
    text,
)

from supplier_api.db import SchemaTooOld, StoreBusy, StoreUnavailable, migrate, tables
from supplier_api.db.types import InstantColumn
from tests import postgresql
from tests.waiting import PATIENCE

MIGRATIONS = Path(migrate.__file__).with_name("migrations")
NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
INCIDENT = tables.incident.insert().values(declared=NOW)
INSTANTS = {
    column.name
    for table in tables.metadata.tables.values()
    for column in table.columns
    if isinstance(column.type, InstantColumn)
}


@contextmanager
def connected(url: str) -> Iterator[Engine]:
    """Yield an engine of another process."""
    engine = create_engine(url)
    try:
        yield engine
    finally:
        engine.dispose()


def table_names(url: str) -> set[str]:
    """Return which tables there are."""
    with connected(url) as engine:
        return set(inspect(engine).get_table_names())


def test_the_migrations_make_exactly_the_tables_of_the_code(database_url: str) -> None:
    migrate.upgrade(database_url)

    with connected(database_url) as engine, engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, tables.metadata) == []


def test_an_upgrade_tells_what_was_and_what_is(database_url: str) -> None:
    assert migrate.upgrade(database_url) == (None, migrate.head())
    assert migrate.upgrade(database_url) == (migrate.head(), migrate.head())


def test_an_upgrade_keeps_what_is_stored(database_url: str) -> None:
    migrate.upgrade(database_url)
    with connected(database_url) as engine:
        with engine.begin() as connection:
            connection.execute(
                tables.incident.insert().values(
                    code="INC1", declared=datetime(2026, 1, 5, 12, tzinfo=UTC)
                )
            )
        migrate.upgrade(database_url)
        with engine.connect() as connection:
            assert connection.execute(text("SELECT code FROM incident")).scalars().all() == ["INC1"]


def test_a_database_without_a_schema_is_refused_with_the_command(database_url: str) -> None:
    with connected(database_url) as engine, pytest.raises(SchemaTooOld) as refused:
        migrate.require(engine)

    assert str(refused.value) == (
        f"the database has no schema yet, this version needs {migrate.head()}:"
        " run `supplier-api db upgrade`"
    )


def test_an_older_schema_is_refused_and_a_later_one_is_not(database_url: str) -> None:
    migrate.upgrade(database_url)
    with connected(database_url) as engine:
        assert migrate.require(engine) == migrate.head()
        _set_revision(engine, "9999")
        assert migrate.require(engine) == "9999"
        _set_revision(engine, "0000")
        with pytest.raises(SchemaTooOld, match="has schema 0000, this version needs"):
            migrate.require(engine)


def test_a_later_schema_is_left_alone(database_url: str) -> None:
    migrate.upgrade(database_url)
    with connected(database_url) as engine:
        _set_revision(engine, "9999")

    assert migrate.upgrade(database_url) == ("9999", "9999")


def test_a_file_that_is_no_database_is_unavailable(tmp_path: Path) -> None:
    file = tmp_path / "supplier.db"
    file.write_bytes(b"no database, whatever its name says" * 100)
    useless = f"sqlite:///{file}"

    with pytest.raises(StoreUnavailable):
        migrate.upgrade(useless)
    with connected(useless) as engine, pytest.raises(StoreUnavailable):
        migrate.require(engine)


def test_a_database_that_counts_bytes_is_refused_with_what_is_expected(
    postgresql_server: str,
) -> None:
    options = "ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0"
    with (
        postgresql.database(postgresql_server, f"bytes_{uuid4().hex}", options) as url,
        pytest.raises(StoreUnavailable, match="encoding is SQL_ASCII; expected UTF8"),
    ):
        migrate.upgrade(url)


def test_a_folder_is_made_by_the_upgrade_alone(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/not/there/supplier.db"

    with connected(url) as engine, pytest.raises(SchemaTooOld, match="db upgrade"):
        migrate.require(engine)
    assert not (tmp_path / "not").exists()

    assert migrate.upgrade(url) == (None, migrate.head())


def test_an_upgrade_that_fails_leaves_nothing_behind(database_url: str) -> None:
    with connected(database_url) as engine, engine.begin() as connection:
        connection.execute(text("CREATE TABLE timer (in_the_way INTEGER)"))

    with pytest.raises(Exception, match="timer"):
        migrate.upgrade(database_url)

    assert table_names(database_url) <= {"timer", "alembic_version"}
    with connected(database_url) as engine, engine.begin() as connection:
        connection.execute(text("DROP TABLE timer"))
    migrate.upgrade(database_url)
    assert table_names(database_url) == {*tables.metadata.tables, "alembic_version"}


def test_an_upgrade_that_fails_behind_its_indexes_goes_on_from_there(database_url: str) -> None:
    at_revision(database_url, "0013")
    with connected(database_url) as engine, engine.begin() as connection:
        connection.execute(text("CREATE TABLE sign_in_failure (in_the_way INTEGER)"))

    with pytest.raises(Exception, match="sign_in_failure"):
        migrate.upgrade(database_url)

    assert "console_user" not in table_names(database_url)
    with connected(database_url) as engine, engine.begin() as connection:
        connection.execute(text("DROP TABLE sign_in_failure"))
    migrate.upgrade(database_url)
    assert table_names(database_url) == {*tables.metadata.tables, "alembic_version"}


def test_an_sqlite_file_that_another_process_works_on_is_not_upgraded(tmp_path: Path) -> None:
    file = tmp_path / "supplier.db"
    # It does not have to write: an idle connection is enough.
    other = sqlite3.connect(file)
    other.execute("PRAGMA journal_mode=WAL")
    other.execute("SELECT * FROM sqlite_master").fetchall()

    with pytest.raises(StoreBusy, match="another process works on this database"):
        migrate.upgrade(f"sqlite:///{file}?timeout=0.05")
    other.close()

    assert migrate.upgrade(f"sqlite:///{file}") == (None, migrate.head())


def test_an_sqlite_file_that_is_current_is_left_to_the_process_that_works_on_it(
    sqlite_url: str, tmp_path: Path
) -> None:
    migrate.upgrade(sqlite_url)
    other = sqlite3.connect(tmp_path / "supplier.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    assert migrate.upgrade(sqlite_url) == (migrate.head(), migrate.head())
    other.close()


def test_two_upgrades_of_postgresql_at_once_follow_each_other(postgresql_url: str) -> None:
    with ThreadPoolExecutor(2) as pool:
        upgrades = [pool.submit(migrate.upgrade, postgresql_url) for _ in range(2)]
        reached = [upgrade.result(60)[1] for upgrade in upgrades]

    assert reached == [migrate.head()] * 2


def test_an_upgrade_of_postgresql_does_not_queue_behind_a_table_in_use(
    postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrate, "TRIES", 1)
    monkeypatch.setattr(migrate, "LOCK_TIMEOUT_MS", 50)
    with connected(postgresql_url) as engine:
        with engine.begin() as connection:
            connection.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32))"))
            connection.execute(text("INSERT INTO alembic_version VALUES ('0001')"))
            connection.execute(text("CREATE TABLE service_problem (id BIGINT)"))
        with engine.begin() as connection:
            connection.execute(text("LOCK TABLE service_problem"))
            with pytest.raises(StoreBusy, match="the tables are in use"):
                migrate.upgrade(postgresql_url)


def _set_revision(engine: Engine, revision: str) -> None:
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :it"), {"it": revision})


# -- an upgrade beside the version that serves


def at_revision(url: str, revision: str) -> None:
    """Bring a database to an older revision, as the version of that time would have."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with connected(url) as engine, engine.connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        connection.commit()


def some(column: Column[Any]) -> object:
    """Return a value that fits a column."""
    kind = column.type
    if isinstance(kind, JSON):
        return {}
    if isinstance(kind, Boolean):
        return False
    if isinstance(kind, Integer):  # and BigInteger
        return 1
    if isinstance(kind, DateTime):
        return NOW
    if isinstance(kind, Float):
        return 0.5
    # Instants are text on SQLite.
    return NOW.isoformat() if column.name in INSTANTS else "x"


def test_what_the_version_before_writes_and_reads_goes_on(database_url: str) -> None:
    at_revision(database_url, "0005")
    with connected(database_url) as engine:
        older = MetaData()
        older.reflect(engine)
        migrate.upgrade(database_url)
        with engine.begin() as connection:
            for table in older.sorted_tables:
                if table.name == "alembic_version":
                    continue
                values = {column.name: some(column) for column in table.columns}
                connection.execute(table.insert().values(values))
                assert connection.execute(table.select()).one()


def test_an_index_is_built_while_others_write(
    postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A writer whose transaction lasts is waited for, and another one is not held up meanwhile."""
    at_revision(postgresql_url, "0006")
    building = threading.Event()
    create_index = op.create_index

    def announced(*arguments: Any, **options: Any) -> None:
        building.set()
        create_index(*arguments, **options)

    monkeypatch.setattr(op, "create_index", announced)
    with connected(postgresql_url) as engine, ThreadPoolExecutor(1) as pool:
        with engine.connect() as lasting:
            lasting.execute(INCIDENT.values(code="INC1"))
            upgrade = pool.submit(migrate.upgrade, postgresql_url)
            assert building.wait(PATIENCE)
            with engine.begin() as quick:
                # Less patience than the upgrade's own: it would fail if it had to queue.
                quick.execute(text("SET LOCAL lock_timeout = 1500"))
                quick.execute(text("LOCK TABLE decision IN ROW EXCLUSIVE MODE"))
                quick.execute(INCIDENT.values(code="INC2"))
            assert not upgrade.done()
            lasting.commit()
        assert upgrade.result(PATIENCE) == ("0006", migrate.head())


def test_an_upgrade_tries_again_until_a_lock_is_given_back(
    postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_revision(postgresql_url, "0005")
    refused = threading.Event()
    given_back = threading.Event()

    def pause(_seconds: float) -> None:
        refused.set()
        assert given_back.wait(PATIENCE)

    monkeypatch.setattr(migrate, "LOCK_TIMEOUT_MS", 50)
    monkeypatch.setattr("supplier_api.db.migrate.time.sleep", pause)
    with connected(postgresql_url) as engine, ThreadPoolExecutor(1) as pool:
        with engine.begin() as other:
            other.execute(text("LOCK TABLE decision IN ROW EXCLUSIVE MODE"))
            upgrade = pool.submit(migrate.upgrade, postgresql_url)
            # It gave up its place in the queue, so that those behind it go on.
            assert refused.wait(PATIENCE)
            with engine.begin() as behind:
                behind.execute(text("SET LOCAL lock_timeout = 1000"))
                behind.execute(text("LOCK TABLE decision IN ROW EXCLUSIVE MODE"))
        given_back.set()
        assert upgrade.result(PATIENCE) == ("0005", migrate.head())


def test_an_index_that_broke_off_is_dropped_and_built_anew(postgresql_url: str) -> None:
    at_revision(postgresql_url, "0006")
    valid = text(
        "SELECT indisvalid FROM pg_index JOIN pg_class ON oid = indexrelid"
        " WHERE relname = 'ix_decision_committed'"
    )
    with connected(postgresql_url) as engine:
        with engine.begin() as connection:
            connection.execute(text("CREATE INDEX ix_decision_committed ON decision (committed)"))
            # As a build beside others leaves it when it breaks off.
            connection.execute(
                text(
                    "UPDATE pg_index SET indisvalid = false"
                    " WHERE indexrelid = 'ix_decision_committed'::regclass"
                )
            )
            assert connection.execute(valid).scalar() is False
        migrate.upgrade(postgresql_url)
        with engine.connect() as connection:
            assert connection.execute(valid).scalar() is True


def test_an_upgrade_that_broke_off_goes_on_where_it_was(postgresql_url: str) -> None:
    at_revision(postgresql_url, "0006")
    with connected(postgresql_url) as engine, engine.begin() as connection:
        connection.execute(text("CREATE INDEX ix_decision_committed ON decision (committed)"))

    assert migrate.upgrade(postgresql_url) == ("0006", migrate.head())
