"""A worker says over HTTP whether it is well, where the settings say where."""

import json
import signal
import socket
from collections.abc import Iterator
from contextlib import closing

import pytest
import requests

from supplier_api.app.worker import build_worker
from supplier_api.cli.local import free_port
from supplier_api.db import StoreUnavailable
from supplier_api.http.server import HttpServer
from supplier_api.http.worker_health import WorkerHealth
from supplier_api.settings import load_settings
from tests.commands import run_command
from tests.supplier import Supplier, on_sqlite
from tests.waiting import PATIENCE

HOST = "127.0.0.1"
LISTEN = "SUPPLIER_API__WORKER__OPERATIONS_LISTEN"


class Parts:
    """The parts of a worker, which all run or do not."""

    run = True

    def healthy(self) -> bool:
        return self.run


@pytest.fixture
def parts() -> Parts:
    return Parts()


@pytest.fixture
def url(supplier: Supplier, parts: Parts) -> Iterator[str]:
    health = WorkerHealth(supplier.services, HOST, 0)
    health.start(parts.healthy)
    yield f"http://{HOST}:{health.address[1]}"
    health.stop()


def test_it_is_live_and_ready(url: str, supplier: Supplier) -> None:
    for path in ("/health/live", "/health/ready"):
        answer = requests.get(f"{url}{path}", timeout=PATIENCE)
        # As a web server says it.
        assert answer.status_code == 200
        assert answer.json() == supplier.client.get(path).get_json()
        assert requests.head(f"{url}{path}", timeout=PATIENCE).status_code == 200


@on_sqlite
def test_a_part_that_does_not_run_makes_it_neither(url: str, parts: Parts) -> None:
    parts.run = False
    for path in ("/health/live", "/health/ready"):
        answer = requests.get(f"{url}{path}", timeout=PATIENCE)
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")
        assert answer.json() == {"status": "unavailable", "worker": "a part of it does not run"}


def test_without_its_database_it_is_live_and_not_ready(url: str, supplier: Supplier) -> None:
    supplier.services.store.note_failure(StoreUnavailable("the disk is full"))
    assert requests.get(f"{url}/health/live", timeout=PATIENCE).status_code == 200
    answer = requests.get(f"{url}/health/ready", timeout=PATIENCE)
    assert answer.status_code == 503
    assert answer.json() == {"status": "unavailable", "database": "the disk is full"}


@on_sqlite
def test_it_knows_nothing_else(url: str) -> None:
    for path in ("/", "/health/readyy", "/service-problems", "/back-office/v1/problems"):
        answer = requests.get(f"{url}{path}", timeout=PATIENCE)
        assert (answer.status_code, answer.json()["code"]) == (404, "NOT_FOUND")
    answer = requests.post(f"{url}/health/live", timeout=PATIENCE)
    assert (answer.status_code, answer.json()["code"]) == (405, "INVALID_REQUEST")
    assert answer.headers["Allow"] == "GET, HEAD"


@on_sqlite
def test_an_address_that_cannot_be_listened_on_is_named(environ: dict[str, str]) -> None:
    with closing(socket.create_server((HOST, 0))) as taken:
        place = f"{HOST}:{taken.getsockname()[1]}"
        with pytest.raises(OSError, match=f"cannot listen on {place}: Address already in use"):
            build_worker(load_settings(environ | {LISTEN: place}))


@on_sqlite
@pytest.mark.usefixtures("logged")
def test_a_worker_that_cannot_be_asked_any_more_ends_with_an_error(
    environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(_: HttpServer) -> None:
        raise RuntimeError("nothing accepted")

    monkeypatch.setattr(signal, "signal", lambda *_: None)
    monkeypatch.setattr(HttpServer, "_accept", fail)

    ran = run_command(("worker",), environ | {LISTEN: f"{HOST}:{free_port(HOST)}"})

    assert ran.exit_code == 1
    lines = {line["event"]: line for line in map(json.loads, ran.stderr.splitlines())}
    assert lines["server.failed"]["error"] == "builtins.RuntimeError"
    assert lines["worker.failed"]["parts"] == "health listener"


@on_sqlite
@pytest.mark.usefixtures("logged")
def test_a_worker_whose_port_is_taken_says_which_setting(environ: dict[str, str]) -> None:
    with closing(socket.create_server((HOST, 0))) as taken:
        port = taken.getsockname()[1]
        ran = run_command(("worker",), environ | {LISTEN: f"{HOST}:{port}"})
    assert (ran.exit_code, ran.stderr) == (1, f"Error: port {port} is in use; set {LISTEN}\n")
