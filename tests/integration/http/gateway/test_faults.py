"""What nobody foresaw: told to the caller by a uuid, to the log by its place, never by value."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient

from supplier_api.problems.services import Unavailable
from tests.samples import problem_request

from .conftest import FakeUseCases
from .test_calls import envelope

MARKER = "Marmaduke-Featherstonehaugh"
Lines = Callable[[], list[dict[str, Any]]]


def test_an_unforeseen_error_is_traced_by_its_uuid(
    client: FlaskClient, headers: dict[str, str], use_cases: FakeUseCases, logged: Lines
) -> None:
    use_cases.answer = ValueError(f"invalid literal: {MARKER}")
    answer = client.post("/service-problems", json=problem_request(notes=MARKER), headers=headers)
    status, code, messages = envelope(answer)
    assert (status, code) == (500, "SUPPLIER_FAULT")
    assert messages == ["an error of the supplier; please quote the uuid"]
    [line] = [line for line in logged() if line["level"] == "error"]
    assert line["uuid"] == answer.get_json()["uuid"]
    assert line["error"] == "builtins.ValueError"
    assert "_take" in line["trace"]
    assert {
        name: line[name] for name in ("request_id", "conversation_id", "tenant", "gateway_id")
    } == {
        "request_id": "request-1",
        "conversation_id": "conversation-1",
        "tenant": "TENANT1",
        "gateway_id": 23467,
    }
    assert MARKER not in json.dumps(line)


def test_each_call_is_logged_however_it_is_answered(
    client: FlaskClient, headers: dict[str, str], logged: Lines
) -> None:
    client.post("/service-problems", json=problem_request(), headers=headers)
    client.post("/service-problems", json=problem_request(id=0), headers=headers)
    client.post("/service-problems", json={}, headers={**headers, "Tenant": ""})
    client.get("/service-problems")
    lines = [line for line in logged() if line["event"] == "answered"]
    assert [line["status"] for line in lines] == [202, 422, 400]
    assert [line.get("request_id") for line in lines] == ["request-1", "request-1", None]
    assert [line.get("gateway_id") for line in lines] == [23467, None, None]
    assert {line["operation"] for line in lines} == {"service-problems"}


def test_an_error_while_access_is_judged_is_a_fault_too(
    client: FlaskClient, headers: dict[str, str], monkeypatch: pytest.MonkeyPatch, logged: Lines
) -> None:
    monkeypatch.setattr("supplier_api.auth.tokens.AccessTokens.admit", lambda *_: 1 / 0)
    answer = client.post("/service-problems", json=problem_request(), headers=headers)
    assert envelope(answer)[:2] == (500, "SUPPLIER_FAULT")
    [line] = [line for line in logged() if line["level"] == "error"]
    assert line["uuid"] == answer.get_json()["uuid"]


@pytest.mark.parametrize("error", [None, Unavailable("no time left"), RuntimeError(MARKER)])
@pytest.mark.parametrize("wrong", [{}, {"id": MARKER}, {"problemType": MARKER}, {MARKER: MARKER}])
def test_nothing_of_a_request_gets_into_the_log_but_its_ids(
    wrong: dict[str, str],
    error: Exception | None,
    client: FlaskClient,
    headers: dict[str, str],
    use_cases: FakeUseCases,
    logged: Lines,
) -> None:
    use_cases.answer = error or use_cases.answer
    contact = {"name": MARKER, "email": MARKER, "phoneNumber": MARKER}
    body = problem_request(
        notes=MARKER, hazards=MARKER, problemText=MARKER, primaryContact=contact, **wrong
    )
    answer = client.post(f"/service-problems?{MARKER}", json=body, headers=headers)
    client.post(f"/{MARKER}", json=body, headers=headers)
    client.post("/service-problems", data=MARKER, headers=headers)
    assert MARKER not in answer.get_data(as_text=True)
    assert MARKER not in json.dumps(logged())
