"""What holds for every path, and how the gateway starts and ends."""

import signal
import socket
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from structlog.testing import capture_logs

from supplier_api.clock import ManualMachineClock
from supplier_api.db import StoreUnavailable
from supplier_api.files import sqlite_url
from supplier_api.ids import SeededIdSource
from supplier_api.sandbox.gateway import DatabaseUnusable, SandboxConfig, create_app, serve
from supplier_api.sandbox.gateway.database import open_database
from tests.integration.sandbox.gateway.conftest import TENANT_PROBLEM, MakeApp, Party
from tests.waiting import PATIENCE


@pytest.mark.parametrize("path", ["/nothing", "/kcis/", "//kcis", "/service-problems/1/updates"])
def test_an_unknown_path_is_answered_in_the_envelope(http: FlaskClient, path: str) -> None:
    answer = http.get(path)
    assert answer.status_code == 404
    assert answer.get_json().keys() == {"uuid", "code", "messages"}
    assert answer.get_json()["code"] == "NOT_FOUND"


def test_a_wrong_method_is_answered_with_the_right_ones(http: FlaskClient) -> None:
    answer = http.get("/kcis")
    assert answer.status_code == 405
    assert "POST" in answer.headers["Allow"]
    assert answer.get_json()["code"] == "INVALID_REQUEST"


@pytest.mark.parametrize("kind", ["live", "ready"])
def test_health(http: FlaskClient, kind: str) -> None:
    assert http.get(f"/health/{kind}").status_code == 200


def test_an_unforeseen_error_is_a_fault_of_the_gateway_with_its_uuid_in_the_log(
    app: Flask,
    tenant: Party,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(type(app.extensions["sandbox"].tenant_requests), "raise_problem", fail)
    with capture_logs() as lines:
        answer = tenant.post("/service-problems", TENANT_PROBLEM)

    assert answer.status_code == 500
    assert answer.get_json()["code"] == "GATEWAY_FAULT"
    (line,) = lines
    assert line["error_uuid"] == answer.get_json()["uuid"]
    assert line["conversation_id"] == "conversation-1"
    assert isinstance(line["exc_info"], ZeroDivisionError)


def test_a_database_that_cannot_work_is_a_503(
    app: Flask, tenant: Party, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise StoreUnavailable("disk is full")

    monkeypatch.setattr(type(app.extensions["sandbox"].services.database), "write", fail)
    answer = tenant.post("/service-problems", TENANT_PROBLEM)

    assert answer.status_code == 503
    assert answer.data == b""
    assert int(answer.headers["Retry-After"]) > 0


def test_a_file_of_another_schema_is_moved_aside_and_a_new_one_begun(
    config: SandboxConfig, make_app: MakeApp, tmp_path: Path
) -> None:
    file = tmp_path / "sandbox.db"
    for _ in range(2):
        make_app().extensions["sandbox"].close()
        with closing(sqlite3.connect(file)) as connection, connection:
            connection.execute("UPDATE meta SET value = '999' WHERE name = 'schema'")
            connection.execute("INSERT INTO meta VALUES ('mark', 'old')")
    with capture_logs() as lines:
        http = make_app().test_client()

    assert http.get("/health/ready").status_code == 200
    assert config.database_url == f"sqlite:///{file}"
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("SELECT value FROM meta WHERE name = 'mark'").fetchall() == []
    kept = [tmp_path / f"sandbox.db.schema-999{suffix}" for suffix in ("", "-2")]
    assert [line["file"] for line in lines] == [str(kept[1])]
    for aside in kept:
        with closing(sqlite3.connect(aside)) as connection:
            query = "SELECT value FROM meta WHERE name = 'mark'"
            assert connection.execute(query).fetchall() == [("old",)]


def test_a_port_that_is_taken_is_said(app: Flask) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError, match="in use"):
        serve(app, "127.0.0.1", taken.getsockname()[1])


SERVE = """
import sys
from supplier_api.ids import SystemIdSource
from supplier_api.clock import SystemMachineClock
from supplier_api.logging import configure_logging
from supplier_api.sandbox.gateway import SandboxConfig, create_app, serve
configure_logging()
config = SandboxConfig(sys.argv[1], tenants=(), suppliers=())
serve(create_app(config, SystemMachineClock(), SystemIdSource()), "127.0.0.1", 0)
"""


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_the_server_starts_and_ends_in_order(tmp_path: Path, stop: signal.Signals) -> None:
    command = [sys.executable, "-c", SERVE, f"sqlite:///{tmp_path}/sandbox.db"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert "sandbox gateway ready" in process.stderr.readline()
        process.send_signal(stop)
        assert process.wait(PATIENCE) == 0
        assert process.stderr.read() == ""


def test_a_limit_of_the_body_can_be_set(config: SandboxConfig, tenant: Party) -> None:
    small = create_app(replace(config, max_body=10), ManualMachineClock(), SeededIdSource(1))
    answer = Party(small.test_client(), tenant.token).post("/service-problems", TENANT_PROBLEM)
    small.extensions["sandbox"].close()
    assert answer.status_code == 400
    assert answer.get_json()["messages"] == ["body: longer than 10 bytes"]


def test_the_folder_of_its_data_is_made(tmp_path: Path) -> None:
    file = tmp_path / "not yet" / "there?" / "sandbox.db"
    open_database(sqlite_url(file), ManualMachineClock()).close()
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700


def test_a_file_that_is_no_database_is_told(tmp_path: Path) -> None:
    file = tmp_path / "sandbox.db"
    file.write_bytes(b"nothing of a database " * 100)
    with pytest.raises(DatabaseUnusable, match="not a database"):
        open_database(sqlite_url(file), ManualMachineClock())
