"""The database fails: the answer is 503 and not 500, names the cause, and recovers by itself."""

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from sqlalchemy import Connection, event, make_url
from werkzeug.test import TestResponse

from supplier_api.app import web
from supplier_api.app.web import build_heartbeat
from supplier_api.db import StoreUnavailable
from supplier_api.db import engine as db_engine
from supplier_api.db import postgresql as db_postgresql
from supplier_api.db.engine import REMEMBERED
from supplier_api.operations import readiness
from supplier_api.settings import Settings, load_settings
from tests import postgresql
from tests.integration.apart import upgraded_postgresql
from tests.logs import Lines
from tests.samples import problem_request
from tests.supplier import Supplier, manual_clocks, on_sqlite
from tests.upgraded import upgrade

__all__ = ["upgraded_postgresql"]
on_postgresql = pytest.mark.parametrize(
    "upgraded_url", ["emptied_postgresql"], indirect=True, ids=["postgresql"]
)


@contextmanager
def administrator(url: str) -> Iterator[psycopg.Connection]:
    """Yield a session that may write whatever the database's default is."""
    address = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    options = "-c default_transaction_read_only=off"
    with psycopg.connect(address, autocommit=True, options=options) as connection:
        yield connection


@contextmanager
def read_only(url: str) -> Iterator[None]:
    """Let every new session be read-only, as after a failover to a standby; cut the old ones."""
    name = make_url(url).database
    with administrator(url) as admin:
        admin.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
        try:
            admin.execute(
                "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            yield
        finally:
            admin.execute(f'ALTER DATABASE "{name}" RESET default_transaction_read_only')


@contextmanager
def failing(url: str, state: str) -> Iterator[None]:
    """Let PostgreSQL answer with this SQLSTATE when a decision is stored."""
    with administrator(url) as admin:
        admin.execute(
            "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS"
            f" $$ BEGIN RAISE EXCEPTION 'planted' USING ERRCODE = '{state}'; END $$;"
            "CREATE TRIGGER fail BEFORE INSERT ON decision EXECUTE FUNCTION fail()"
        )
        try:
            yield
        finally:
            admin.execute("DROP TRIGGER fail ON decision; DROP FUNCTION fail()")


@contextmanager
def full(supplier: Supplier) -> Iterator[None]:
    """Let an SQLite file grow no more, as where the disk is full."""
    engine = supplier.services.store.engine

    def limit(connection: Connection) -> None:
        raw: Any = connection.connection.dbapi_connection
        raw.execute("PRAGMA max_page_count=1")

    event.listen(engine, "begin", limit)
    try:
        yield
    finally:
        event.remove(engine, "begin", limit)
        # New connections know nothing of it.
        engine.dispose()


def ready_status(supplier: Supplier) -> int:
    """Return the answer of the readiness check."""
    return supplier.client.get("/health/ready").status_code


def why_not_ready(supplier: Supplier) -> str:
    """Return the cause that the readiness check reports."""
    ready = supplier.client.get("/health/ready")
    assert ready.status_code == 503
    assert int(ready.headers["Retry-After"]) >= 1
    assert supplier.client.get("/health/live").status_code == 200
    why: str = ready.get_json()["database"]
    return why


def assert_later(answer: TestResponse) -> None:
    """Check that the answer is 503 with Retry-After."""
    assert (answer.status_code, answer.data) == (503, b"")
    assert int(answer.headers["Retry-After"]) >= 1


@on_postgresql
def test_what_is_asked_of_a_read_only_server_is_asked_again_later(
    supplier: Supplier, upgraded_url: str, logged: Lines
) -> None:
    problem = supplier.opened()
    event_url = f"/back-office/v1/problems/{problem.reference}/events"
    headers = {"Authorization": f"Bearer {supplier.token('back-office')}"}
    started = {"id": "event-1", "event": "start"}
    with read_only(upgraded_url):
        logged()
        assert_later(supplier.create(problem_request(id=2)))
        assert_later(supplier.client.post(event_url, json=started, headers=headers))
        assert "read-only" in json.dumps(logged())
        assert "read-only" in why_not_ready(supplier)

    # Sessions that began read-only stay so: none of them is used any more.
    for number in range(2, 12):
        assert supplier.create(problem_request(id=number, serviceId=f"SI9{number:012}")).is_json
    assert supplier.client.post(event_url, json=started, headers=headers).status_code == 200
    supplier.machine.advance(REMEMBERED)
    assert ready_status(supplier) == 200


@on_postgresql
def test_the_sign_of_life_finds_a_read_only_server_where_nobody_calls(
    supplier: Supplier, upgraded_url: str, settings: Settings
) -> None:
    heartbeat = build_heartbeat(supplier.app, settings)
    heartbeat.turn()
    assert ready_status(supplier) == 200
    with read_only(upgraded_url):
        with pytest.raises(StoreUnavailable, match="read-only"):
            heartbeat.turn()
        assert "read-only" in why_not_ready(supplier)
    supplier.machine.advance(REMEMBERED)
    heartbeat.turn()
    assert ready_status(supplier) == 200


@on_postgresql
@pytest.mark.parametrize(
    ("state", "cause"),
    [
        ("08006", "the connection was lost"),
        ("25006", "read-only"),
        ("28000", "our user or password is refused"),
        ("53100", "disk full"),
        ("53200", "out of memory"),
        ("53300", "too many connections"),
        ("53400", "out of resources"),
        ("57014", "broke the statement off"),
        ("57P01", "stops or starts"),
        ("57P03", "stops or starts"),
        ("58030", "an error of its system"),
        ("XX001", "corrupt"),
        ("XX002", "corrupt"),
    ],
)
def test_the_code_of_an_error_says_what_is_wrong(
    supplier: Supplier, upgraded_url: str, logged: Lines, state: str, cause: str
) -> None:
    with failing(upgraded_url, state):
        logged()
        assert_later(supplier.create(problem_request()))
        assert cause in json.dumps(logged())
        assert cause in why_not_ready(supplier)
    assert supplier.create(problem_request()).status_code == 201
    supplier.machine.advance(REMEMBERED)
    assert ready_status(supplier) == 200


@on_postgresql
@pytest.mark.parametrize("state", ["40001", "40P01", "40003", "55P03"])
def test_what_rivals_do_says_nothing_of_the_database(
    supplier: Supplier, upgraded_url: str, state: str
) -> None:
    with failing(upgraded_url, state):
        assert_later(supplier.create(problem_request()))
        assert ready_status(supplier) == 200


@on_postgresql
@pytest.mark.parametrize("state", ["22012", "23514", "42P01", "P0001"])
def test_what_is_a_fault_of_ours_stays_one(
    supplier: Supplier, upgraded_url: str, state: str
) -> None:
    with failing(upgraded_url, state):
        assert supplier.create(problem_request()).status_code == 500
        assert ready_status(supplier) == 200


@on_sqlite
def test_a_full_disk_is_known_although_some_writes_still_pass(
    supplier: Supplier, settings: Settings, logged: Lines
) -> None:
    heartbeat = build_heartbeat(supplier.app, settings)
    heartbeat.turn()
    bodies = [problem_request(id=number, serviceId=f"SI9{number:012}") for number in range(1, 40)]
    with full(supplier):
        logged()
        answers = [supplier.create(body) for body in bodies]
        refused = [each for each in answers if each.status_code != 201]
        assert refused
        for answer in refused:
            assert_later(answer)
        assert "disk full" in json.dumps(logged())
        # What is small finds a place.
        heartbeat.turn()
        assert "disk full" in why_not_ready(supplier)
        stored = [each for each in answers if each.status_code == 201]
        assert supplier.problems() == len(stored)
    assert {supplier.create(body).status_code for body in bodies} == {201}
    supplier.machine.advance(REMEMBERED)
    assert ready_status(supplier) == 200


@on_sqlite
def test_a_disk_without_room_is_known_where_nobody_calls(
    supplier: Supplier, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    heartbeat = build_heartbeat(supplier.app, settings)
    with monkeypatch.context() as patch:
        patch.setattr("os.statvfs", lambda _: SimpleNamespace(f_bavail=0, f_frsize=4096))
        with pytest.raises(StoreUnavailable, match="disk full"):
            heartbeat.turn()
        assert "disk full" in why_not_ready(supplier)
    supplier.machine.advance(REMEMBERED)
    heartbeat.turn()
    assert ready_status(supplier) == 200


def test_a_frozen_server_holds_nobody_up_and_goes_on_when_it_thaws(
    own_postgresql: postgresql.Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(db_engine, "REMEMBERED", 0.1)
    monkeypatch.setattr(db_engine, "GRACE", 0.5)
    monkeypatch.setattr(db_postgresql, "AFTER_SILENCE", 0.1)
    monkeypatch.setattr(readiness, "READY_SECONDS", 0.1)
    environ = {
        "SUPPLIER_API_PROFILE": "sandbox",
        "SUPPLIER_API_DATA_DIR": str(tmp_path),
        "SUPPLIER_API__SERVER__ANSWER_BUDGET": "0.5",
        "SUPPLIER_API__BACKOFFICE__PACE": "manual",
    }
    with postgresql.database(own_postgresql.url, "frozen") as url:
        upgrade(url)
        own = web.create_app(load_settings({**environ, "SUPPLIER_API__DATABASE__URL": url}))
        machine, business, _ = manual_clocks()
        supplier = Supplier(own, own.test_client(), machine, business)
        with closing(supplier.services.store):
            _freeze_and_thaw(supplier, own_postgresql)


def _freeze_and_thaw(supplier: Supplier, server: postgresql.Server) -> None:
    supplier.opened()
    body = problem_request(id=2, serviceId="SI9000000000002")
    with server.frozen():
        assert_later(supplier.create(body))
        assert "cannot be reached" in why_not_ready(supplier)
    answers = iter(lambda: supplier.create(body).status_code, 201)
    assert set(answers) <= {503}
    assert supplier.problems() == 2
    assert set(iter(lambda: ready_status(supplier), 200)) <= {503}
