"""A web server that is killed right after an answer: the gateway may never have got that."""

import sqlite3
from contextlib import closing

import pytest

from tests.samples import problem_request
from tests.system.callers import GatewayCaller
from tests.system.conftest import Install
from tests.waiting import eventually

pytestmark = pytest.mark.slow


def test_the_answer_of_a_killed_web_server_is_in_doubt(install: Install) -> None:
    installation = install(STATUS__HEARTBEAT=0.5, BACKOFFICE__PACE="manual")
    installation.start("serve", "worker")
    gateway = GatewayCaller(installation)

    file = installation.data / "supplier.db"

    def shown() -> int:
        with closing(sqlite3.connect(file)) as database:
            count: int = database.execute("SELECT count(*) FROM process").fetchone()[0]
            return count

    eventually(lambda: shown() == 2, "both processes to show themselves")
    first = gateway.done(201, "POST", "/service-problems", problem_request(id=1))
    installation.kill("serve")
    reference = first["supplierReference"]

    worker = installation.part("worker")
    eventually(lambda: "process.died" in worker.text(), "the worker to find the dead web server")
    examined = installation.run("doctor")
    assert examined.returncode == 1
    assert f"supplier-api problem show {reference}" in examined.stdout
    assert "web servers that died within a day: 1" in examined.stdout

    # The gateway knows nothing of the first, and the tenant raises it once more.
    installation.start("serve")
    gateway = GatewayCaller(installation)
    gateway.done(201, "POST", "/service-problems", problem_request(id=2))
    assert installation.stop("serve", "worker") == [0, 0]
