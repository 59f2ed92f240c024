"""The database line of `supplier-api run`: made, met again, upgraded."""

import sqlite3
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine

from supplier_api.cli.run import prepare_database
from supplier_api.db import migrate

MIGRATIONS = Path(migrate.__file__).with_name("migrations")
OLDEST = "0001"


def revision_of(file: Path) -> str:
    with sqlite3.connect(file) as connection:
        (revision,) = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    connection.close()
    return str(revision)


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path / "supplier.db"


def make_old(file: Path) -> None:
    """Make a database as the first release left it."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    engine = create_engine(f"sqlite:///{file}")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, OLDEST)
    engine.dispose()


def test_a_new_one_and_then_the_same_again(file: Path) -> None:
    made = prepare_database(f"sqlite:///{file}")
    met = prepare_database(f"sqlite:///{file}")

    assert made.startswith("supplier.db, SQLite 3.")
    assert made.endswith(f" WAL, schema {migrate.head()} created")
    assert met.endswith(f" WAL, schema {migrate.head()}, 0 problems, 0 undelivered")


def test_an_old_one_is_copied_and_upgraded(file: Path) -> None:
    make_old(file)

    line = prepare_database(f"sqlite:///{file}")

    copy = file.with_name(f"supplier-{OLDEST}.db")
    assert line.endswith(
        f"schema {OLDEST} upgraded to {migrate.head()} (as it was: {copy.name}), 0 problems"
    )
    assert (revision_of(copy), revision_of(file)) == (OLDEST, migrate.head())


def test_another_engine_is_named_without_its_password(postgresql_url: str) -> None:
    line = prepare_database(postgresql_url)

    assert line.startswith("postgresql /")
    assert line.endswith(f"schema {migrate.head()} created")
