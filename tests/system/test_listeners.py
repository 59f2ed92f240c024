"""A web server's process with a listener for each door, or with one door alone."""

import socket
from contextlib import closing

import pytest
import requests

from tests.system.callers import GatewayCaller, problem_on_own_service
from tests.system.conftest import Install
from tests.system.installation import HOST, Installation, free_port, is_ready, new_session
from tests.waiting import PATIENCE, eventually

pytestmark = pytest.mark.slow
BACK_OFFICE = "back-office"


def status(url: str, path: str, method: str = "GET", **more: str) -> int:
    """Return the status of an answer; `more` are headers."""
    with new_session() as session:
        return session.request(method, f"{url}{path}", headers=more, timeout=PATIENCE).status_code


def back_office_token(url: str) -> str:
    with new_session() as session:
        form = {"grant_type": "client_credentials", "scope": BACK_OFFICE}
        auth = (BACK_OFFICE, "back-office-secret")
        answer = session.post(f"{url}/oauth2/token", data=form, auth=auth, timeout=PATIENCE)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["access_token"])


def begin(url: str, problem: int) -> requests.Response:
    """Say as the back office that work on a problem begins."""
    with new_session() as session:
        return session.post(
            f"{url}/back-office/v1/problems/{problem}/events",
            json={"id": f"start-{problem}", "event": "start"},
            headers={"Authorization": f"Bearer {back_office_token(url)}"},
            timeout=PATIENCE,
        )


def raise_one(installation: Installation, problem: int) -> None:
    document = problem_on_own_service(problem)
    answer = GatewayCaller(installation).call("POST", "/service-problems", document)
    assert answer.status_code == 201, answer.text


@pytest.fixture
def places() -> dict[str, str]:
    """Return an address for each door but the gateway's, by its setting."""
    names = ("BACKOFFICE__LISTEN", "OPERATIONS__LISTEN", "WORKER__OPERATIONS_LISTEN")
    return {name: f"{HOST}:{free_port()}" for name in names}


def test_one_process_serves_them_all(install: Install, places: dict[str, str]) -> None:
    installation = install(**places, BACKOFFICE__PACE="manual")
    installation.start("serve", "worker")
    gateway = installation.supplier
    office, operations, worker = (f"http://{place}" for place in places.values())
    everyone = (gateway, office, operations, worker)
    assert [is_ready(each) for each in everyone] == [True] * 4
    raise_one(installation, 1)
    answer = begin(office, 1)
    assert (answer.status_code, answer.json()["status"]) == (200, "IN_PROGRESS")

    listed = "/back-office/v1/problems"
    assert [status(each, listed) for each in everyone] == [404, 401, 404, 404]
    created = "/service-problems"
    assert [status(each, created, "POST") for each in everyone] == [401, 404, 404, 404]
    assert [status(each, "/oauth2/token") for each in everyone] == [405, 405, 404, 404]
    asked = installation.run("status")
    assert "web servers" in asked.stdout
    assert installation.stop("serve", "worker") == [0, 0]
    assert not any(is_ready(each) for each in everyone)


def test_a_door_alone_is_a_process_of_its_own(install: Install, places: dict[str, str]) -> None:
    installation = install(**places, BACKOFFICE__PACE="manual")
    office, operations, _ = (f"http://{place}" for place in places.values())
    installation.launch("serve", "--door", "gateway")
    installation.launch("serve-2", "--door", BACK_OFFICE)
    for url in (installation.supplier, office):
        eventually(lambda url=url: is_ready(url), f"{url} to be ready")  # type: ignore[misc]
    assert not is_ready(operations)
    assert status(office, "/service-problems", "POST") == 404
    raise_one(installation, 1)
    assert begin(office, 1).status_code == 200

    # Whatever becomes of the one, the other serves.
    installation.kill("serve")
    assert not is_ready(installation.supplier)
    assert begin(office, 1).status_code == 200
    installation.launch("serve", "--door", "gateway", "--door", "operations")
    eventually(lambda: is_ready(operations), "the operations door")
    assert is_ready(installation.supplier)
    assert installation.stop("serve", "serve-2") == [0, 0]


def test_a_process_whose_port_is_taken_says_which_setting(
    install: Install, places: dict[str, str]
) -> None:
    with closing(socket.create_server((HOST, 0))) as taken:
        port = taken.getsockname()[1]
        installation = install(**{**places, "BACKOFFICE__LISTEN": f"{HOST}:{port}"})
        done = installation.run("serve")
    assert (done.returncode, done.stdout) == (1, "")
    told = f"Error: port {port} is in use; set SUPPLIER_API__BACKOFFICE__LISTEN\n"
    assert done.stderr == told
