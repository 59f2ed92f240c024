"""Every connection to PostgreSQL is lost at once: closed, as on a restart, or silently."""

import os
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from sqlalchemy import make_url

from supplier_api.clock import ManualMachineClock, SystemMachineClock
from supplier_api.db import Store, StoreBroken, UnitOfWork, engine, postgresql
from supplier_api.db.change_counter import FRESH
from supplier_api.outbox.repository import LaneRepository
from supplier_api.problems.repository import ProblemRepository
from tests.integration.apart import upgraded_postgresql
from tests.integration.db.test_transactions import problem
from tests.waiting import PATIENCE

__all__ = ["upgraded_postgresql"]
POOLED = 8


@pytest.fixture
def upgraded_url(emptied_postgresql: str) -> str:
    return emptied_postgresql


def fill_pool(store: Store) -> None:
    """Leave so many connections in the pool, all of them used."""
    together = threading.Barrier(POOLED, timeout=PATIENCE)
    with ThreadPoolExecutor(POOLED) as pool:
        for done in [pool.submit(store.read, lambda _: together.wait()) for _ in range(POOLED)]:
            done.result(PATIENCE)


@pytest.fixture
def in_time(emptied_postgresql: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """Yield a store with a running clock."""
    store = Store(emptied_postgresql, SystemMachineClock(), patience=0.2)
    monkeypatch.setattr(engine, "GRACE", 1.0)
    yield store
    store.close()


@pytest.fixture
def silence() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Yield a connection whose other end never answers, and never closes it."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def silence_all(store: Store, silence: tuple[socket.socket, socket.socket]) -> None:
    """Replace the socket of every pooled connection by a silent one, as in a network loss."""
    together = threading.Barrier(POOLED, timeout=PATIENCE)

    def descriptor(uow: UnitOfWork) -> int:
        together.wait()
        raw: Any = uow.connection.connection.dbapi_connection
        found: int = raw.fileno()
        return found

    with ThreadPoolExecutor(POOLED) as pool:
        used = [pool.submit(store.read, descriptor) for _ in range(POOLED)]
        for each in used:
            os.dup2(silence[0].fileno(), each.result(PATIENCE))


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
    ProblemRepository(uow).add(problem())


def test_a_writer_is_not_told_of_connections_that_were_cut(store: Store) -> None:
    fill_pool(store)
    cut_all(store)

    store.write(adding)

    assert store.read(lambda uow: ProblemRepository(uow).count()) == 1


def test_nor_is_a_reader(store: Store) -> None:
    fill_pool(store)
    cut_all(store)

    assert store.read(lambda uow: ProblemRepository(uow).count()) == 0


def test_nor_is_who_asks_whether_anything_was_committed(
    store: Store, clock: ManualMachineClock
) -> None:
    before = store.state()
    fill_pool(store)
    cut_all(store)
    clock.advance(FRESH)

    assert store.state() == before


@pytest.mark.parametrize("seconds", [0.1, None], ids=["deadline", "patience"])
def test_a_writer_waits_for_no_answer_for_ever_and_nobody_meets_the_same_silence(
    in_time: Store, silence: tuple[socket.socket, socket.socket], seconds: float | None
) -> None:
    silence_all(in_time, silence)
    deadline = None if seconds is None else SystemMachineClock().monotonic() + seconds

    if deadline is None:
        # There is time to do it over another connection.
        in_time.write(adding)
    else:
        with pytest.raises(StoreBroken, match="no answer in time"):
            in_time.write(adding, deadline=deadline)
        in_time.write(adding)

    assert in_time.read(lambda uow: ProblemRepository(uow).count()) == 1


def test_nor_does_a_reader(in_time: Store, silence: tuple[socket.socket, socket.socket]) -> None:
    silence_all(in_time, silence)

    assert in_time.read(lambda uow: ProblemRepository(uow).count()) == 0


def test_a_prepared_statement_finds_silence_once(
    in_time: Store, silence: tuple[socket.socket, socket.socket]
) -> None:
    silence_all(in_time, silence)
    deadline = SystemMachineClock().monotonic() + 0.1

    with pytest.raises(StoreBroken, match="no answer in time"):
        in_time.write(lambda uow: LaneRepository(uow).next_due("gateway"), deadline=deadline)
    assert in_time.write(lambda uow: LaneRepository(uow).next_due("gateway")) is None


def test_who_comes_after_an_attempt_to_connect_without_an_answer_is_told_at_once(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempts = []

    def fail(*_: object, **__: object) -> None:
        attempts.append(1)
        raise psycopg.errors.ConnectionTimeout("nobody there")

    with monkeypatch.context() as patch:
        patch.setattr(postgresql, "AFTER_SILENCE", PATIENCE)
        patch.setattr(postgresql.Session, "connect", fail)
        for _ in range(3):
            with pytest.raises(StoreBroken, match="the database cannot be reached"):
                store.read(lambda uow: ProblemRepository(uow).count())
    assert attempts == [1]


def test_after_a_while_it_is_tried_again(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise psycopg.errors.ConnectionTimeout("nobody there")

    with monkeypatch.context() as patch:
        patch.setattr(postgresql, "AFTER_SILENCE", 0.0)
        patch.setattr(postgresql.Session, "connect", fail)
        with pytest.raises(StoreBroken):
            store.read(lambda uow: ProblemRepository(uow).count())
    assert store.read(lambda uow: ProblemRepository(uow).count()) == 0


def test_whoever_makes_a_connection_has_the_network_watch_it(store: Store) -> None:
    given = store.read(_parameters)
    assert given["connect_timeout"] == "2"
    assert given["keepalives"] == "1"
    assert given["keepalives_idle"] == "5"
    assert given["tcp_user_timeout"] == "10000"


def _parameters(uow: UnitOfWork) -> dict[str, str]:
    raw: Any = uow.connection.connection.dbapi_connection
    given: dict[str, str] = raw.info.get_parameters()
    return given
