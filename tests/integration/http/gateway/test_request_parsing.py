"""Headers and bodies that are not as they should be."""

import io
import json

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.samples import problem_request

from .conftest import MAX_BODY, FakeUseCases
from .test_calls import envelope

JSON = "application/json"
NAMES = ["X-Request-ID", "X-Conversation-ID", "Tenant"]


def post(
    client: FlaskClient, headers: dict[str, str], body: bytes, content_type: str | None = JSON
) -> TestResponse:
    return client.post("/service-problems", data=body, headers=headers, content_type=content_type)


def messages(answer: TestResponse, status: int) -> list[str]:
    found, code, texts = envelope(answer)
    assert (found, code) == (status, "MALFORMED_REQUEST" if status == 400 else "INVALID_REQUEST")
    return texts


@pytest.mark.parametrize("blank", [None, "", "  \t "])
def test_a_missing_header_is_named(
    blank: str | None, client: FlaskClient, headers: dict[str, str]
) -> None:
    for name in NAMES:
        changed = {key: value for key, value in headers.items() if key != name}
        if blank is not None:
            changed[name] = blank
        answer = client.post("/service-problems", json=problem_request(), headers=changed)
        assert messages(answer, 400) == [f"{name}: missing"]


@pytest.mark.parametrize("value", ["a" * 256, "TENANT 1", "Zo\u00eb", "a\x7f"])
def test_a_header_is_short_and_visible(
    value: str, client: FlaskClient, headers: dict[str, str]
) -> None:
    for name in NAMES:
        changed = {**headers, name: value}
        answer = client.post("/service-problems", json=problem_request(), headers=changed)
        assert messages(answer, 422) == [f"{name}: expected 1 to 255 visible ASCII characters"]


def test_the_longest_header_is_taken(
    client: FlaskClient, headers: dict[str, str], use_cases: FakeUseCases
) -> None:
    headers["X-Request-ID"] = "~" * 255
    client.post("/service-problems", json=problem_request(), headers=headers)
    assert use_cases.asked[0][1].request_id == "~" * 255


def test_headers_and_body_are_judged_together(client: FlaskClient, headers: dict[str, str]) -> None:
    del headers["Tenant"]
    headers["X-Request-ID"] = "not visible"
    answer = client.post(
        "/service-problems", json=problem_request(id="1", notes=""), headers=headers
    )
    assert messages(answer, 400) == ["Tenant: missing", "id: expected a number"]
    headers["Tenant"] = "TENANT1"
    answer = client.post("/service-problems", json=problem_request(id=1, notes=""), headers=headers)
    assert messages(answer, 422) == [
        "X-Request-ID: expected 1 to 255 visible ASCII characters",
        "notes: expected 1 to 1000 characters",
    ]
    answer = post(client, headers, b"{")
    [message] = messages(answer, 400)
    assert message.startswith("body: not JSON")


@pytest.mark.parametrize(
    "content_type", [None, "text/plain", "application/x-www-form-urlencoded", "application/jsonx"]
)
def test_another_content_type_cannot_be_read(
    content_type: str | None, client: FlaskClient, headers: dict[str, str]
) -> None:
    body = json.dumps(problem_request()).encode()
    answer = post(client, headers, body, content_type)
    assert messages(answer, 400) == ["Content-Type: expected application/json"]


@pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "Application/JSON"])
def test_json_may_name_its_charset(
    content_type: str, client: FlaskClient, headers: dict[str, str]
) -> None:
    body = json.dumps(problem_request()).encode()
    assert post(client, headers, body, content_type).status_code == 202


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "body: empty, expected a JSON object"),
        (b"[]", "body: expected an object"),
        (b"null", "body: expected an object"),
        (b'{"id": 1, "id": 1}', "body: a key stands twice in the same object"),
        (b'{"id": NaN}', "body: NaN is not a JSON number"),
        (b"\xff{}", "body: not UTF-8 (at byte 0)"),
        (b'{"notes": "\\u0000"}', "body: holds a NUL character"),
    ],
)
def test_an_unreadable_body_is_refused(
    body: bytes, message: str, client: FlaskClient, headers: dict[str, str]
) -> None:
    assert messages(post(client, headers, body), 400) == [message]


def padded(length: int) -> bytes:
    body = json.dumps(problem_request()).encode()
    return body + b" " * (length - len(body))


def test_a_body_has_a_greatest_length(client: FlaskClient, headers: dict[str, str]) -> None:
    assert post(client, headers, padded(MAX_BODY)).status_code == 202
    answer = post(client, headers, padded(MAX_BODY + 1))
    assert messages(answer, 400) == [f"body: expected at most {MAX_BODY} bytes"]


def post_stream(
    client: FlaskClient, headers: dict[str, str], body: bytes, **environ: object
) -> TestResponse:
    """Post what the web server hands on as a stream, with the environment it would give."""
    return client.post(
        "/service-problems",
        headers=headers,
        content_type=JSON,
        environ_overrides={"wsgi.input": io.BytesIO(body), **environ},
    )


@pytest.mark.parametrize(("length", "status"), [(MAX_BODY, 202), (MAX_BODY + 1, 400)])
def test_a_body_in_chunks_has_the_same_greatest_length(
    length: int, status: int, client: FlaskClient, headers: dict[str, str]
) -> None:
    chunked = {"wsgi.input_terminated": True, "CONTENT_LENGTH": ""}
    answer = post_stream(client, headers, padded(length), **chunked)
    assert answer.status_code == status


def test_a_body_that_breaks_off_is_refused(client: FlaskClient, headers: dict[str, str]) -> None:
    answer = post_stream(client, headers, padded(1000), CONTENT_LENGTH="2000")
    assert messages(answer, 400) == ["body: shorter than its Content-Length"]
