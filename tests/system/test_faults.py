"""Faults of our answers, as a gateway sees them: a real server, real connections."""

import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from typing import Any

import pytest
import requests

from tests.system.callers import GatewayCaller, problem_on_own_service
from tests.system.gateway import Gateway
from tests.system.installation import Installation, new_session
from tests.waiting import PATIENCE, eventually

Document = dict[str, Any]


class Target:
    """A served supplier, the gateway's calls of it, and its testers' door."""

    def __init__(self, installation: Installation, gateway: Gateway) -> None:
        self.supplier = installation.supplier
        self.gateway = gateway
        self.caller = GatewayCaller(installation)
        self.http = new_session()
        self._last = 100

    def set(self, kind: str, direction: str = "in", **more: Any) -> None:
        """Set a fault for the next call."""
        body = {"tenant": "TENANT1", "direction": direction, "kind": kind, "calls": 1, **more}
        answer = self.http.put(f"{self.supplier}/admin/faults", json=body, timeout=PATIENCE)
        assert answer.status_code == 200, answer.text

    def has_struck(self) -> bool:
        """Tell whether the fault that was set last has met its call."""
        answer = self.http.get(f"{self.supplier}/admin/faults", timeout=PATIENCE)
        return bool(answer.json()["faults"][-1]["hit"])

    def forget(self) -> None:
        """Let all faults be over."""
        url = f"{self.supplier}/admin/faults?all=true"
        assert self.http.delete(url, timeout=PATIENCE).status_code == 204

    def new(self) -> Document:
        """Return a request for a problem that was never raised."""
        self._last += 1
        return problem_on_own_service(self._last)

    def create(self, request: Document) -> requests.Response:
        """Raise a problem; raises requests' errors."""
        return self.caller.call("POST", "/service-problems", request)

    def knows(self, request: Document) -> bool:
        """Tell whether the supplier has the problem."""
        url = f"{self.supplier}/admin/problems/{request['id']}"
        return self.http.get(url, timeout=PATIENCE).status_code == 200

    def token(self) -> requests.Response:
        """Ask for a token."""
        form = {"grant_type": "client_credentials"}
        url, client = f"{self.supplier}/oauth2/token", ("gateway", "gateway-secret")
        return self.http.post(url, data=form, auth=client, timeout=PATIENCE)


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """Yield a supplier with its web server and its worker; nothing happens unless it is told."""
    with closing(Gateway()) as gateway:
        gateway.start()
        settings = {"BACKOFFICE__PACE": "manual", **gateway.settings}
        folder = tmp_path_factory.mktemp("faults")
        with closing(Installation(folder, settings)) as installation:
            installation.told("db", "upgrade")
            installation.start("serve", "worker")
            yield Target(installation, gateway)


@pytest.fixture(autouse=True)
def nothing_left(target: Target) -> Iterator[None]:
    """Leave no fault to the next test."""
    yield
    target.forget()


@pytest.mark.parametrize("when", ["before", "after"])
def test_500(target: Target, when: str) -> None:
    target.set("500", parameters={"when": when})
    request = target.new()
    answer = target.create(request)
    assert (answer.status_code, answer.json()["code"]) == (500, "SUPPLIER_FAULT")
    assert target.knows(request) is (when == "after")
    assert target.create(request).status_code == 201


@pytest.mark.parametrize("when", ["before", "after"])
def test_503(target: Target, when: str) -> None:
    target.set("503", parameters={"when": when, "retryAfter": 17})
    request = target.new()
    answer = target.create(request)
    assert (answer.status_code, answer.content) == (503, b"")
    assert answer.headers["Retry-After"] == "17"
    assert target.knows(request) is (when == "after")
    assert target.create(request).status_code == 201


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_connection_that_is_closed_without_an_answer(target: Target, when: str) -> None:
    target.set("reset", parameters={"when": when})
    request = target.new()
    with pytest.raises(requests.ConnectionError, match=r"RemoteDisconnected|reset by peer"):
        target.create(request)
    assert target.knows(request) is (when == "after")
    assert target.create(request).status_code == 201


def test_a_body_that_breaks_off(target: Target) -> None:
    target.set("truncated")
    request = target.new()
    # The server may close before it has sent the headers, or in the middle of the body.
    broken = (requests.exceptions.ChunkedEncodingError, requests.exceptions.ConnectionError)
    with pytest.raises(broken, match=r"IncompleteRead|RemoteDisconnected"):
        target.create(request)
    assert target.create(request).status_code == 201


def test_a_body_that_is_no_json(target: Target) -> None:
    target.set("malformed")
    answer = target.create(target.new())
    assert answer.status_code == 201
    with pytest.raises(requests.JSONDecodeError):
        answer.json()


def test_a_body_off_the_contract(target: Target) -> None:
    target.set("off-contract", parameters={"how": "lower-case"})
    answer = target.create(target.new())
    assert (answer.status_code, answer.json()["status"]) == (201, "acknowledged")


@pytest.mark.parametrize("kind", ["expired-token", "refused-token"])
def test_a_token_that_is_not_taken(target: Target, kind: str) -> None:
    target.set(kind)
    request = target.new()
    answer = target.create(request)
    assert (answer.status_code, answer.json()["code"]) == (401, "NOT_AUTHORISED")
    assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]
    assert not target.knows(request)
    assert target.create(request).status_code == 201


def test_a_token_that_is_not_given(target: Target) -> None:
    target.set("refused-token")
    assert target.token().status_code == 200, "by name only"
    target.forget()
    target.set("refused-token", operations=["token"])
    refused = target.token()
    assert (refused.status_code, refused.json()["error"]) == (401, "invalid_client")
    assert target.token().status_code == 200


@pytest.mark.parametrize("when", ["before", "after"])
def test_an_answer_that_does_not_come(target: Target, when: str) -> None:
    """Set for longer than any test waits: only that it is taken away lets the call go."""
    target.set("hang", parameters={"when": when, "seconds": 300})
    request = target.new()
    with ThreadPoolExecutor(1) as pool:
        hanging = pool.submit(target.create, request)
        _assert_held(target, hanging, request, when)
        target.forget()
        with pytest.raises(requests.ConnectionError):
            hanging.result()
    assert target.create(request).status_code == 201


def test_calls_that_hang_leave_threads_for_others(target: Target) -> None:
    target.set("hang", parameters={"seconds": 300}, calls=100)
    requested = [target.new() for _ in range(20)]
    with ThreadPoolExecutor(20) as pool:
        hanging = [pool.submit(target.create, request) for request in requested]
        eventually(lambda: sum(each.done() for each in hanging) >= 12, "the others to be let go")
        assert not all(each.done() for each in hanging)
        target.forget()
        assert all(isinstance(each.exception(), requests.ConnectionError) for each in hanging)


@pytest.mark.parametrize("when", ["before", "after"])
def test_an_answer_that_comes_late(target: Target, when: str) -> None:
    target.set("latency", parameters={"when": when, "seconds": 60})
    request = target.new()
    with ThreadPoolExecutor(1) as pool:
        late = pool.submit(target.create, request)
        _assert_held(target, late, request, when)
        target.forget()
        assert late.result().status_code == 201


def _assert_held(
    target: Target, call: Future[requests.Response], request: Document, when: str
) -> None:
    """Find the call without an answer, before the supplier has done anything or after it."""
    eventually(target.has_struck, "the fault to meet the call")
    if when == "after":
        eventually(lambda: target.knows(request), "the problem to be stored")
    assert target.knows(request) is (when == "after")
    assert not call.done()


def test_a_kci_that_comes_before_the_201(target: Target) -> None:
    target.set("before-201", "out", parameters={"seconds": 60})
    request = target.new()
    answered = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        create = pool.submit(target.create, request)
        create.add_done_callback(lambda _: answered.set())
        eventually(lambda: target.knows(request), "the problem to be stored")
        assert not answered.is_set()
        _start(target, request)
        assert create.result(PATIENCE).status_code == 201
    (told,) = target.gateway.arrivals(request["id"])
    assert (told.number, told.reason) == (1, "COMMITTED")


def _start(target: Target, request: Document) -> None:
    form = {"grant_type": "client_credentials"}
    client = ("back-office", "back-office-secret")
    token = target.http.post(
        f"{target.supplier}/oauth2/token", data=form, auth=client, timeout=PATIENCE
    ).json()["access_token"]
    said = target.http.post(
        f"{target.supplier}/back-office/v1/problems/{request['id']}/events",
        json={"id": f"start-{request['id']}", "event": "start"},
        headers={"Authorization": f"Bearer {token}"},
        timeout=PATIENCE,
    )
    assert said.status_code == 200, said.text
