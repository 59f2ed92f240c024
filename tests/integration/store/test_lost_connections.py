"""PostgreSQL cuts every connection at once, as when it restarts; nobody but the pool notices."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from sqlalchemy import make_url

from supplier_api.clock import ManualMachineClock
from supplier_api.store import Store, UnitOfWork
from tests.integration.store.test_transactions import problem

POOLED = 8
PATIENCE = 30.0


@pytest.fixture
def store(emptied_postgresql: str) -> Iterator[Store]:
    store = Store(emptied_postgresql, ManualMachineClock())
    yield store
    store.close()


def fill_pool(store: Store) -> None:
    """Leave so many connections in the pool, all of them used."""
    together = threading.Barrier(POOLED, timeout=PATIENCE)
    with ThreadPoolExecutor(POOLED) as pool:
        for done in [pool.submit(store.read, lambda _: together.wait()) for _ in range(POOLED)]:
            done.result(PATIENCE)


def cut_all(store: Store) -> None:
    """End every other session on the database."""
    url = make_url(store.url).set(drivername="postgresql")
    with psycopg.connect(url.render_as_string(hide_password=False), autocommit=True) as other:
        ended = other.execute(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        ).fetchall()
    assert len(ended) >= POOLED


def adding(uow: UnitOfWork) -> None:
    """Store a problem."""
    uow.problems.add(problem())


def test_a_writer_is_not_told_of_connections_that_were_cut(store: Store) -> None:
    fill_pool(store)
    cut_all(store)

    store.write(adding)

    assert store.read(lambda uow: uow.problems.count()) == 1


def test_nor_is_a_reader(store: Store) -> None:
    fill_pool(store)
    cut_all(store)

    assert store.read(lambda uow: uow.problems.count()) == 0
