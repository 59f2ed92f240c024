"""The four calls: what reaches the use case, and how its answers leave."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from supplier_api.clock import ManualMachineClock
from supplier_api.db import StoreBusy
from supplier_api.problems.services import Caller, RequestAnswer, Unavailable
from tests.samples import amendment_request, cancellation_request, problem_request, resolution

from .conftest import HEADERS, SCOPES, FakeUseCases, token


@dataclass(frozen=True)
class Call:
    """One of the four calls with a good request and the good answers that the use case may give."""

    method: str
    path: str
    asked: str
    request: dict[str, Any]
    answers: tuple[RequestAnswer, ...]

    def send(self, client: FlaskClient, headers: dict[str, str]) -> TestResponse:
        return client.open(self.path, method=self.method, json=self.request, headers=headers)


CALLS = [
    Call(
        "POST",
        "/service-problems",
        "raise",
        problem_request(),
        (
            RequestAnswer(201, {"status": "ACKNOWLEDGED", **problem_request()}),
            RequestAnswer(202, None),
        ),
    ),
    Call(
        "POST",
        "/service-problem-amendments",
        "amend",
        amendment_request(),
        (RequestAnswer(201, amendment_request()), RequestAnswer(202, amendment_request())),
    ),
    Call(
        "POST",
        "/service-problem-cancellations",
        "cancel",
        cancellation_request(),
        (RequestAnswer(201, cancellation_request()), RequestAnswer(202, cancellation_request())),
    ),
    Call(
        "PATCH",
        "/service-problem-resolutions/SP_RESOLUTION1",
        "settle SP_RESOLUTION1",
        {"status": "ACCEPTED", "tenantNotes": "Thank you"},
        (RequestAnswer(200, resolution()),),
    ),
]
every_call = pytest.mark.parametrize("call", CALLS, ids=lambda call: call.asked)


def envelope(answer: TestResponse) -> tuple[int, str, list[str]]:
    """Return status, code and messages of an error answer, and check its form."""
    body = answer.get_json()
    assert body.keys() == {"uuid", "code", "messages"}
    assert answer.content_type == "application/json"
    assert len(body["uuid"]) == 36
    return answer.status_code, body["code"], body["messages"]


@every_call
def test_the_use_case_gets_the_document_and_who_asks(
    call: Call,
    client: FlaskClient,
    headers: dict[str, str],
    use_cases: FakeUseCases,
    clock: ManualMachineClock,
) -> None:
    call.send(client, headers)
    caller = Caller("TENANT1", "request-1", "conversation-1", clock.monotonic())
    assert use_cases.asked == [(call.asked, caller, call.request)]


@every_call
def test_the_use_cases_answers_leave_as_they_are(
    call: Call, client: FlaskClient, headers: dict[str, str], use_cases: FakeUseCases
) -> None:
    for answer in call.answers:
        use_cases.answer = answer
        given = call.send(client, headers)
        assert given.status_code == answer.status
        if answer.body is None:
            assert given.data == b""
            assert "Content-Type" not in given.headers
        else:
            assert given.content_type == "application/json"
            assert given.json == answer.body


@every_call
def test_a_refusal_of_a_use_case_is_passed_on(
    call: Call, client: FlaskClient, headers: dict[str, str], use_cases: FakeUseCases
) -> None:
    body = {
        "uuid": "87432dfb-2e47-4532-a1b7-4b113d48867d",
        "code": "INVALID_REQUEST",
        "messages": ["serviceId: the service has ceased", "a problem is already open"],
    }
    use_cases.answer = RequestAnswer(422, body)
    answer = call.send(client, headers)
    assert answer.status_code == 422
    assert answer.json == body


@every_call
@pytest.mark.parametrize(
    ("error", "retry_after"), [(Unavailable("busy", 7), "7"), (StoreBusy("locked"), "2")]
)
def test_what_cannot_be_done_now_may_be_tried_later(
    call: Call,
    error: Exception,
    retry_after: str,
    client: FlaskClient,
    headers: dict[str, str],
    use_cases: FakeUseCases,
) -> None:
    use_cases.answer = error
    answer = call.send(client, headers)
    assert answer.status_code == 503
    assert answer.data == b""
    assert answer.headers["Retry-After"] == retry_after


@every_call
def test_without_a_token_nothing_is_done(
    call: Call, client: FlaskClient, use_cases: FakeUseCases
) -> None:
    answer = call.send(client, {})
    assert envelope(answer) == (401, "NOT_AUTHORISED", ["Authorization: expected a bearer token"])
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="supplier-api"'
    assert use_cases.asked == []


@every_call
def test_an_expired_token_is_refused(
    call: Call, client: FlaskClient, headers: dict[str, str], clock: ManualMachineClock
) -> None:
    clock.advance(3600)
    answer = call.send(client, headers)
    assert envelope(answer) == (401, "NOT_AUTHORISED", ["Authorization: the token has expired"])
    assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]


@every_call
def test_a_token_for_another_call_is_not_enough(
    call: Call, client: FlaskClient, use_cases: FakeUseCases
) -> None:
    needed = call.path.split("/")[1]
    others = " ".join(scope for scope in SCOPES if scope != needed)
    for held in (token(client, scope=others), token(client, "back-office")):
        answer = call.send(client, {**HEADERS, "Authorization": f"Bearer {held}"})
        assert answer.status_code == 403
        assert answer.data == b""
        assert f'scope="{needed}"' in answer.headers["WWW-Authenticate"]
    assert use_cases.asked == []


@every_call
def test_a_call_that_is_switched_off_is_not_read(
    call: Call, make_app: Callable[..., Flask]
) -> None:
    needed = call.path.split("/")[1]
    app = make_app(operations=tuple(scope for scope in SCOPES if scope != needed))
    client = app.test_client()
    answer = client.open(
        call.path,
        method=call.method,
        data=b"{",
        headers={"Authorization": f"Bearer {token(client)}"},
    )
    assert envelope(answer) == (
        501,
        "NOT_IMPLEMENTED",
        ["this operation is not offered by this supplier"],
    )
    others = [other for other in CALLS if other is not call]
    headers = {**HEADERS, "Authorization": f"Bearer {token(client)}"}
    assert {other.send(client, headers).status_code for other in others} == {202}


@every_call
def test_the_calls_stand_below_the_prefix(call: Call, make_app: Callable[..., Flask]) -> None:
    client = make_app(prefix="/supplier/v1").test_client()
    headers = {**HEADERS, "Authorization": f"Bearer {token(client)}"}
    assert call.send(client, headers).status_code == 404
    answer = client.open(
        f"/supplier/v1{call.path}", method=call.method, json=call.request, headers=headers
    )
    assert answer.status_code == 202


@every_call
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "OPTIONS", "HEAD", "TRACE", "BREW"])
def test_another_method_is_refused_before_anything_else(
    call: Call, method: str, client: FlaskClient
) -> None:
    answer = client.open(call.path, method=method)
    assert answer.status_code == 405
    assert answer.headers["Allow"] == call.method
    if method != "HEAD":
        assert envelope(answer)[1:] == (
            "INVALID_REQUEST",
            ["this path does not know this method"],
        )


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/service-problem",
        "/service-problems/",
        "/service-problem-resolutions//SP_RESOLUTION1",
        "/service-problems/23467",
        "/service-problem-resolutions",
        "/service-problem-resolutions/",
        "/service-problem-resolutions/A/B",
    ],
)
def test_an_unknown_path_is_refused_before_anything_else(path: str, client: FlaskClient) -> None:
    answer = client.post(path)
    assert envelope(answer) == (404, "NOT_FOUND", ["there is nothing at this path"])


@pytest.mark.parametrize(
    "reference", ["x", "lower_case", "A" * 26, "%00AAAAA", "%F0%9F%98%80", "A B"]
)
def test_an_id_of_unknown_form_names_nothing(
    reference: str, client: FlaskClient, headers: dict[str, str], use_cases: FakeUseCases
) -> None:
    path = f"/service-problem-resolutions/{reference}"
    answer = client.patch(path, json={"status": "ACCEPTED"}, headers=headers)
    assert envelope(answer) == (422, "NOT_FOUND", ["id: no such service problem resolution"])
    answer = client.patch(path, json={"status": 1}, headers=headers)
    assert envelope(answer) == (400, "MALFORMED_REQUEST", ["status: expected a string"])
    assert use_cases.asked == []
