"""Databases that are ready for use."""

from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from supplier_api.auth.signing_keys import SigningKeyRepository
from supplier_api.clock import ManualMachineClock
from supplier_api.db import Store, migrate, tables
from tests.keys import signing_key


def upgrade(url: str) -> None:
    """Make the tables, and put the signing key for all tests in: to make one takes a while."""
    migrate.upgrade(url)
    clock = ManualMachineClock()
    store = Store(url, clock)
    store.write(lambda uow: SigningKeyRepository(uow).add_first(signing_key()))
    store.close()


def empty(url: str) -> None:
    """Leave nothing but the signing key for all tests, and count row ids from 1 again."""
    key = signing_key()
    engine = create_engine(url, poolclass=NullPool)
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            # Ten times as fast as TRUNCATE, where there are few rows.
            connection.execute(text(f"{_DELETE}; {_COUNT_ANEW}"))
        else:
            for table in _EMPTIED:
                connection.execute(table.delete())
            connection.execute(text("DELETE FROM sqlite_sequence"))
        # A test in another year has replaced it.
        connection.execute(
            tables.signing_key.insert().values(
                kid=key.kid, private_pem=key.private_pem, created=ManualMachineClock().now()
            )
        )
    engine.dispose()


_EMPTIED = list(reversed(tables.metadata.sorted_tables))
_DELETE = "; ".join(f"DELETE FROM {table.name}" for table in _EMPTIED)
_COUNT_ANEW = "; ".join(
    f"SELECT setval('{table.name}_id_seq', 1, false)"
    for table in _EMPTIED
    if "id" in table.c and table is not tables.stamp
)
