"""Compiled statements raise the same errors as all others."""

from collections.abc import Iterator

import pytest
from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError

from supplier_api.auth.signing_keys import SigningKeyRepository
from supplier_api.clock import ManualMachineClock, SystemMachineClock
from supplier_api.db import Store, StoreBusy, UnitOfWork, tables
from supplier_api.db.compiled_statements import CompiledStatement, named
from supplier_api.problems.repository import ProblemRepository

ADD = CompiledStatement(
    insert(tables.signing_key).values(named("kid", "private_pem", "created")).inline()
)  # fmt: skip
KIDS = CompiledStatement(select(tables.signing_key.c.kid))
KEY = {"private_pem": "none", "created": ManualMachineClock().now()}


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    store = Store(database_url, ManualMachineClock())
    tables.metadata.create_all(store.engine)
    yield store
    store.close()


def kids(store: Store) -> list[str]:
    return sorted(key.kid for key in store.read(lambda uow: SigningKeyRepository(uow).all()))


def test_what_is_run_in_one_transaction_is_stored_together(store: Store) -> None:
    def work(uow: UnitOfWork) -> None:
        ADD.run(uow.connection, {"kid": "one", **KEY})
        ADD.run(uow.connection, {"kid": "two", **KEY})

    store.write(work)

    assert kids(store) == ["one", "two"]


def test_an_error_undoes_all_of_the_transaction(store: Store) -> None:
    def work(uow: UnitOfWork) -> None:
        ADD.run(uow.connection, {"kid": "one", **KEY})
        ADD.run(uow.connection, {"kid": "one", **KEY})
        ADD.run(uow.connection, {"kid": "two", **KEY})

    with pytest.raises(IntegrityError):
        store.write(work)

    assert kids(store) == []
    store.write(lambda uow: ADD.run(uow.connection, {"kid": "one", **KEY}))
    assert kids(store) == ["one"]


def test_what_was_run_is_seen_by_every_statement_after_it(store: Store) -> None:
    def work(uow: UnitOfWork) -> list[list[str]]:
        ADD.run(uow.connection, {"kid": "one", **KEY})
        by_the_driver = [kid for (kid,) in KIDS.run(uow.connection, {})]
        ADD.run(uow.connection, {"kid": "two", **KEY})
        by_sqlalchemy = sorted(key.kid for key in SigningKeyRepository(uow).all())
        ADD.run(uow.connection, {"kid": "three", **KEY})
        ADD.many(uow.connection, [{"kid": "four", **KEY}])
        return [by_the_driver, by_sqlalchemy, sorted(k for (k,) in KIDS.run(uow.connection, {}))]

    seen = store.write(work)

    assert seen == [["one"], ["one", "two"], ["four", "one", "three", "two"]]


def test_what_was_run_ahead_of_an_error_is_undone_with_it(store: Store) -> None:
    def work(uow: UnitOfWork) -> None:
        ADD.run(uow.connection, {"kid": "one", **KEY})
        raise LookupError

    with pytest.raises(LookupError):
        store.write(work)
    store.write(lambda uow: ADD.run(uow.connection, {"kid": "two", **KEY}))

    assert kids(store) == ["two"]


def test_a_wait_for_a_lock_ends_with_the_deadline_of_its_own_transaction(database_url: str) -> None:
    machine = SystemMachineClock()
    store, other = Store(database_url, machine), Store(database_url, machine)
    tables.metadata.create_all(store.engine)
    # A transaction before it on the same connection had more time.
    store.write(
        lambda uow: ProblemRepository(uow).lock_service("T", "S"), deadline=machine.monotonic() + 60
    )

    def while_locked(uow: UnitOfWork) -> None:
        ProblemRepository(uow).lock_service("T", "S")
        KIDS.run(uow.connection, {})
        began = machine.monotonic()
        with pytest.raises(StoreBusy):
            store.write(
                lambda late: ProblemRepository(late).lock_service("T", "S"), deadline=began + 0.2
            )
        # Far from the minute; how near to the deadline is the machine's affair.
        assert machine.monotonic() - began < 30

    other.write(while_locked)
    store.write(lambda uow: ProblemRepository(uow).lock_service("T", "S"))
    store.close()
    other.close()
