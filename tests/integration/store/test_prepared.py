"""Statements that are given to the driver as they are fail like all others."""

from collections.abc import Iterator

import pytest
from sqlalchemy import insert
from sqlalchemy.exc import IntegrityError

from supplier_api.clock import ManualMachineClock
from supplier_api.store import Store, UnitOfWork, tables
from supplier_api.store.prepared import Prepared, named, together

ADD = Prepared(
    insert(tables.signing_key).values(named("kid", "private_pem", "created")).inline()
)  # fmt: skip
KEY = {"private_pem": "none", "created": ManualMachineClock().now()}


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    store = Store(database_url, ManualMachineClock())
    tables.metadata.create_all(store.engine)
    yield store
    store.close()


def kids(store: Store) -> list[str]:
    return sorted(key.kid for key in store.read(lambda uow: uow.signing_keys.all()))


def test_what_is_sent_together_is_stored_together(store: Store) -> None:
    def work(uow: UnitOfWork) -> None:
        with together(uow.connection):
            ADD.send(uow.connection, {"kid": "one", **KEY})
            ADD.send(uow.connection, {"kid": "two", **KEY})

    store.write(work)

    assert kids(store) == ["one", "two"]


def test_an_error_among_what_is_sent_together_undoes_all_of_it(store: Store) -> None:
    def work(uow: UnitOfWork) -> None:
        with together(uow.connection):
            ADD.send(uow.connection, {"kid": "one", **KEY})
            ADD.send(uow.connection, {"kid": "one", **KEY})
            ADD.send(uow.connection, {"kid": "two", **KEY})

    with pytest.raises(IntegrityError):
        store.write(work)

    assert kids(store) == []
    store.write(lambda uow: ADD.run(uow.connection, {"kid": "one", **KEY}))
    assert kids(store) == ["one"]
