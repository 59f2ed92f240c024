"""A database that others have locked, or that is lost: done once or not at all."""

import os
import socket
import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import Connection, make_url, select

from supplier_api.db import StoreBroken, StoreBusy, StoreUnavailable, engine, tables
from supplier_api.problems.decision_repository import DecisionRepository
from supplier_api.problems.repository import ProblemRepository
from supplier_api.problems.services import Unavailable
from tests.integration.apart import upgraded_postgresql
from tests.integration.problems.conftest import MakeRig
from tests.integration.problems.interruption import Interrupted, wait_until_one_waits
from tests.integration.problems.rig import POLICY, Rig
from tests.integration.problems.test_late import SERVICE, at_commit
from tests.waiting import PATIENCE

__all__ = ["upgraded_postgresql"]
HURRIED = replace(POLICY, answer_budget=0.05)


# -- SQLite: another process writes


@contextmanager
def held(file: Path) -> Iterator[None]:
    """Hold the write lock of an SQLite file, as another process would."""
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.execute("ROLLBACK")
        other.close()


def test_a_request_waits_for_another_writer_no_longer_than_its_budget(
    sqlite_file: str, tmp_path: Path, make_rig: MakeRig
) -> None:
    rig = make_rig(sqlite_file, policy=HURRIED)
    with held(tmp_path / "supplier.db"):
        with pytest.raises(Unavailable) as refused:
            rig.create()
        assert rig.store.read(lambda uow: ProblemRepository(uow).count()) == 0

    assert refused.value.retry_after > 0
    assert rig.create().status == 201


def test_an_event_is_told_that_the_store_is_busy(
    sqlite_file: str, tmp_path: Path, make_rig: MakeRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "WAIT_WITHOUT_DEADLINE", 0.05)
    rig = make_rig(sqlite_file)
    rig.create()
    reference = rig.problem().reference

    with held(tmp_path / "supplier.db"), pytest.raises(StoreBusy):
        rig.say("start", reference)

    assert rig.say("start", reference).status == 200


def test_writers_of_one_process_wait_for_each_other_no_longer_than_the_budget(
    sqlite_file: str, make_rig: MakeRig
) -> None:
    id_source = Interrupted()
    rig = make_rig(sqlite_file, policy=HURRIED, id_source=id_source)
    outcome: list[object] = []

    def create_meanwhile() -> None:
        try:
            outcome.append(rig.create(id=2))
        except Unavailable as refused:
            outcome.append(refused)

    def let_another_try() -> None:
        thread = threading.Thread(target=create_meanwhile)
        thread.start()
        thread.join(PATIENCE)

    id_source.interrupt(let_another_try)

    assert rig.create().status == 201
    assert isinstance(outcome[0], Unavailable)


def test_what_only_reads_cannot_write(on_sqlite: Rig) -> None:
    on_sqlite.create()
    problem_id = on_sqlite.problem().id

    with pytest.raises(StoreUnavailable):
        on_sqlite.store.read(lambda uow: ProblemRepository(uow).mark_doubtful(problem_id))

    assert not on_sqlite.problem().doubtful
    on_sqlite.store.write(lambda uow: ProblemRepository(uow).mark_doubtful(problem_id))
    assert on_sqlite.problem().doubtful


# -- PostgreSQL: locks of others


@contextmanager
def outsider(url: str) -> Iterator[psycopg.Connection]:
    """Yield a connection of another client."""
    address = make_url(url).set(drivername="postgresql")
    with psycopg.connect(address.render_as_string(hide_password=False)) as connection:
        yield connection


def test_a_request_waits_for_a_locked_row_no_longer_than_its_budget(
    emptied_postgresql: str, make_rig: MakeRig
) -> None:
    rig = make_rig(emptied_postgresql, policy=HURRIED)
    rig.create()

    with outsider(emptied_postgresql) as other:
        other.execute("SELECT 1 FROM service_problem FOR UPDATE")
        with pytest.raises(Unavailable):
            rig.amend()

    assert rig.amend().status == 201


def test_a_deadlock_ends_with_the_request_done_once(
    emptied_postgresql: str, make_rig: MakeRig
) -> None:
    # The other never looks for a deadlock: it is the request that PostgreSQL cancels.
    soon = make_url(emptied_postgresql).update_query_dict(
        {"options": "-c deadlock_timeout=100ms"}, append=True
    )
    id_source = Interrupted()
    rig = make_rig(soon.render_as_string(hide_password=False), id_source=id_source)
    rig.create()
    calls = id_source.calls

    with outsider(emptied_postgresql) as other, ThreadPoolExecutor(1) as pool:
        other.execute("SET deadlock_timeout = '1h'")
        other.execute("SELECT 1 FROM lane FOR UPDATE")

        def close_the_circle() -> None:
            # The request has locked the problem now, and locks the lane next. It looks for a
            # deadlock only once: by then the other must wait.
            pool.submit(
                other.execute, "SELECT 1 FROM service_problem FOR UPDATE"
            ).add_done_callback(lambda _: other.rollback())
            wait_until_one_waits(emptied_postgresql)

        id_source.interrupt(close_the_circle)
        answer = rig.amend(notes="defer")

    assert answer.status == 202
    assert id_source.calls == calls + 2
    assert rig.amend(notes="defer") == answer


# -- PostgreSQL: the connection is lost


def cut(url: str) -> None:
    """Cut every connection to the database but our own."""
    with outsider(url) as other:
        other.execute(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


def test_a_connection_that_is_lost_in_the_middle_ends_with_the_request_done_once(
    emptied_postgresql: str, make_rig: MakeRig
) -> None:
    id_source = Interrupted()
    rig = make_rig(emptied_postgresql, id_source=id_source)
    id_source.interrupt(lambda: cut(emptied_postgresql))

    answer = rig.create()

    assert answer.status == 201
    assert rig.store.read(lambda uow: ProblemRepository(uow).count()) == 1
    assert rig.create() == answer


def test_a_connection_that_is_lost_again_and_again_leaves_nothing(
    emptied_postgresql: str, make_rig: MakeRig
) -> None:
    id_source = Interrupted()
    rig = make_rig(emptied_postgresql, id_source=id_source)
    id_source.interrupt(*[lambda: cut(emptied_postgresql)] * 3)

    with pytest.raises(Unavailable):
        rig.create()

    assert rig.store.read(lambda uow: ProblemRepository(uow).count()) == 0
    assert rig.create().status == 201


def _before(url: str) -> Callable[[Connection], None]:
    return lambda _: cut(url)


def _after(url: str) -> Callable[[Connection], None]:
    def commit_and_cut(connection: Connection) -> None:
        raw = connection.connection.dbapi_connection
        assert raw is not None
        raw.commit()
        cut(url)
        raw.close()

    return commit_and_cut


@pytest.mark.parametrize("when", [_before, _after], ids=["before", "after"])
def test_a_connection_that_is_lost_at_the_commit_ends_with_the_request_done_once(
    on_postgresql: Rig,
    emptied_postgresql: str,
    when: Callable[[str], Callable[[Connection], None]],
) -> None:
    rig = on_postgresql
    with at_commit(rig, when(emptied_postgresql)):
        answer = rig.create()

    assert answer.status == 201
    assert rig.store.read(lambda uow: ProblemRepository(uow).count()) == 1
    assert rig.create() == answer


@pytest.mark.parametrize("when", [_before, _after], ids=["before", "after"])
def test_an_event_whose_commit_was_lost_happens_once(
    on_postgresql: Rig,
    emptied_postgresql: str,
    when: Callable[[str], Callable[[Connection], None]],
) -> None:
    rig = on_postgresql
    rig.create()
    with at_commit(rig, when(emptied_postgresql)):
        assert rig.say("start", rig.problem().reference).status == 200

    assert rig.kci_lines() == ["1 COMMITTED/IN_PROGRESS"]


@pytest.mark.parametrize(
    "ask",
    [
        lambda rig: rig.create(id=2),
        lambda rig: rig.intake.amend(rig.caller(), {"id": 101, "serviceProblemId": 1}),
        lambda rig: rig.intake.cancel(rig.caller(), {"id": 201, "serviceProblemId": 1}),
        lambda rig: rig.settle("ACCEPTED", "SP_NOSUCHTHING"),
    ],
    ids=["create", "amend", "cancel", "settle"],
)
def test_a_database_that_is_away_is_told_as_unavailable(
    make_rig: MakeRig, ask: Callable[[Rig], object]
) -> None:
    rig = make_rig("postgresql+psycopg://nobody@127.0.0.1:1/nothing")

    with pytest.raises(Unavailable):
        ask(rig)


# -- PostgreSQL: the connection is lost at the COMMIT, and there is no time left


def _spent(rig: Rig, url: str, when: Callable[[str], Callable[[Connection], None]]) -> Any:
    """Lose the next COMMIT when the answer budget is used up."""

    def lose(connection: Connection) -> None:
        rig.machine.advance(10)
        when(url)(connection)

    return at_commit(rig, lose)


def test_a_problem_whose_commit_was_lost_when_time_was_up_is_doubtful(
    on_postgresql: Rig, emptied_postgresql: str
) -> None:
    rig = on_postgresql
    with _spent(rig, emptied_postgresql, _after), pytest.raises(Unavailable):
        rig.create(serviceId=SERVICE)

    # The tenant got an error and raises it again: it is not "already open".
    assert rig.create(id=2, serviceId=SERVICE).status == 201

    assert rig.problem(1).doubtful
    late = select(tables.decision.c.key).where(tables.decision.c.answered_late.is_not(None))
    assert rig.store.read(lambda uow: uow.connection.execute(late).scalars().all()) == ["1"]
    assert rig.problem(2).linked_to == rig.problem(1).reference


def test_another_process_learns_of_the_doubt_with_the_next_thing_that_is_written(
    on_postgresql: Rig, emptied_postgresql: str, make_rig: MakeRig
) -> None:
    rig, other = on_postgresql, make_rig(emptied_postgresql, process="other")
    with _spent(rig, emptied_postgresql, _after), pytest.raises(Unavailable):
        rig.create(serviceId=SERVICE)
    rig.store.write(lambda uow: ProblemRepository(uow).any())

    assert other.create(id=2, serviceId=SERVICE).status == 201


def test_nothing_is_doubted_of_a_commit_that_never_arrived(
    on_postgresql: Rig, emptied_postgresql: str
) -> None:
    rig = on_postgresql
    with _spent(rig, emptied_postgresql, _before), pytest.raises(Unavailable):
        rig.create(serviceId=SERVICE)

    assert rig.create(id=2, serviceId=SERVICE).status == 201
    assert rig.store.read(lambda uow: ProblemRepository(uow).count()) == 1
    assert rig.problem(2).linked_to is None


def test_who_repeats_the_request_gets_the_answer_and_ends_the_doubt(
    on_postgresql: Rig, emptied_postgresql: str
) -> None:
    rig = on_postgresql
    with _spent(rig, emptied_postgresql, _after), pytest.raises(Unavailable):
        rig.create(serviceId=SERVICE)

    assert rig.create(serviceId=SERVICE).status == 201

    assert not rig.problem().doubtful
    assert rig.create(id=2, serviceId=SERVICE).status == 422


def test_an_answer_that_another_process_gave_meanwhile_is_not_doubted(
    on_postgresql: Rig, emptied_postgresql: str, make_rig: MakeRig
) -> None:
    rig, other = on_postgresql, make_rig(emptied_postgresql, process="other")
    with _spent(rig, emptied_postgresql, _after), pytest.raises(Unavailable):
        rig.create(serviceId=SERVICE)
    assert other.create(serviceId=SERVICE).status == 201

    assert rig.create(id=2, serviceId=SERVICE).status == 422
    assert not rig.problem().doubtful


def test_a_session_that_the_server_still_believes_in_keeps_nothing_else_from_being_done(
    on_postgresql: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = on_postgresql
    kept: list[int] = []

    def vanish(connection: Connection) -> None:
        """Cut the network: the client gets no answer, the server does not notice."""
        rig.machine.advance(10)
        raw: Any = connection.connection.dbapi_connection
        ours, theirs = socket.socketpair()
        with ours, theirs:
            kept.append(os.dup(raw.fileno()))
            os.dup2(ours.fileno(), raw.fileno())

    with monkeypatch.context() as patch:
        patch.setattr(engine, "GRACE", 0.2)
        with at_commit(rig, vanish), pytest.raises(Unavailable):
            rig.create(serviceId=SERVICE)

    assert rig.create(id=2).status == 201
    os.close(kept[0])
    assert rig.create(id=3, serviceId=SERVICE).status == 201
    assert rig.problem(3).linked_to is None


def test_an_answer_that_was_late_is_noted_when_the_database_is_back(
    on_postgresql: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = on_postgresql

    def fail(*_: object) -> None:
        raise StoreBroken("unreachable: for a test")

    with monkeypatch.context() as patch, at_commit(rig, lambda _: rig.machine.advance(10)):
        patch.setattr(DecisionRepository, "late", fail)
        assert rig.create(serviceId=SERVICE).status == 201

    assert rig.create(id=2, serviceId=SERVICE).status == 201
