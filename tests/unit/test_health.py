"""What runs in a container says so, and is asked whether it is well."""

import http.server
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path

import pytest

from supplier_api import health
from supplier_api.clock import ManualMachineClock, SystemMachineClock

CLOCK = SystemMachineClock()
KILLED = """
import os, sys
from pathlib import Path
from supplier_api import health
with health.registered(Path(sys.argv[1]), "worker"):
    os.kill(os.getpid(), 9)
"""


@contextmanager
def server(status: HTTPStatus) -> Iterator[str]:
    """Yield the address of a server that answers so."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as made:
        thread = threading.Thread(target=made.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{made.server_port}/health/ready"
        finally:
            made.shutdown()
            thread.join()


def test_nothing_runs(tmp_path: Path) -> None:
    (found,) = health.complaints(tmp_path, CLOCK)
    assert found.startswith("nothing that runs here says so")


def test_a_server_that_is_ready(tmp_path: Path) -> None:
    with server(HTTPStatus.OK) as url, health.registered(tmp_path, "serve", [url]):
        assert health.complaints(tmp_path, CLOCK) == []
    assert len(health.complaints(tmp_path, CLOCK)) == 1


def test_a_server_that_is_not(tmp_path: Path) -> None:
    with (
        server(HTTPStatus.SERVICE_UNAVAILABLE) as url,
        health.registered(tmp_path, "serve", [url]),
    ):
        assert health.complaints(tmp_path, CLOCK) == [f"{url} is not ready"]


def test_a_server_that_does_not_answer(tmp_path: Path) -> None:
    with server(HTTPStatus.OK) as url:
        pass
    with health.registered(tmp_path, "serve", [url]):
        assert health.complaints(tmp_path, CLOCK) == [f"{url} is not ready"]


def test_one_address_of_several_is_enough_to_complain(tmp_path: Path) -> None:
    with (
        server(HTTPStatus.OK) as good,
        server(HTTPStatus.NOT_FOUND) as bad,
        health.registered(tmp_path, "run", [good, bad]),
        health.registered(tmp_path, "serve", [good]),
    ):
        assert health.complaints(tmp_path, CLOCK) == [f"{bad} is not ready"]


def test_a_worker_is_well_as_long_as_it_says_so(tmp_path: Path) -> None:
    later = ManualMachineClock(CLOCK.now() + 2 * health.SILENCE)
    with health.registered(tmp_path, "worker") as at_work:
        (file,) = (tmp_path / "running").glob("*/worker.*")
        assert health.complaints(tmp_path, CLOCK) == []
        assert health.complaints(tmp_path, later) == ["worker is silent"]
        os.utime(file, (0, 0))
        assert health.complaints(tmp_path, CLOCK) == ["worker is silent"]
        at_work()
        assert health.complaints(tmp_path, CLOCK) == []


def test_what_was_killed_says_nothing(tmp_path: Path) -> None:
    words = [sys.executable, "-c", KILLED, str(tmp_path)]
    assert subprocess.run(words, check=False).returncode == -9
    assert len(list((tmp_path / "running").glob("*/worker.*"))) == 1
    assert "nothing that runs here" in health.complaints(tmp_path, CLOCK)[0]


def test_what_runs_on_another_machine_is_its_own_affair(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with health.registered(tmp_path, "worker"):
        monkeypatch.setattr("socket.gethostname", lambda: "another")
        assert "nothing that runs here" in health.complaints(tmp_path, CLOCK)[0]


def test_where_nothing_can_be_written_it_runs_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "running").write_text("a file, where the folder would be")
    with health.registered(tmp_path, "worker") as at_work:
        at_work()


@pytest.mark.parametrize(("folder", "code"), [("with", 0), ("without", 1)])
def test_the_check_itself(tmp_path: Path, folder: str, code: int) -> None:
    with health.registered(tmp_path / "with", "worker"):
        done = subprocess.run(
            [sys.executable, "-m", "supplier_api.health"],
            env={**os.environ, "SUPPLIER_API_DATA_DIR": str(tmp_path / folder)},
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == code
    assert ("nothing that runs here" in done.stderr) == bool(code)
