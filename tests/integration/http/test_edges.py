"""Requests at and beyond the edges of what can be read, at the whole application."""

import io
import json
from typing import Any

import pytest
from werkzeug.test import TestResponse

from tests.samples import published_problem
from tests.supplier import Supplier, on_sqlite, refusal

pytestmark = on_sqlite

JSON = "application/json"
PATH = "/service-problems"
MAX_BODY = 262_144
ID_FIELDS = ("id", "serviceTestId", "appointmentReservationId", "parentServiceProblemId")


def send(supplier: Supplier, body: bytes, content_type: str | None = JSON) -> TestResponse:
    return supplier.client.post(
        PATH, data=body, headers=supplier.headers(), content_type=content_type
    )


def with_literal(name: str, literal: str) -> bytes:
    """Return the example request with a field as it would be written by hand."""
    return json.dumps(published_problem(**{name: "@"})).replace('"@"', literal).encode()


@pytest.mark.parametrize("literal", ["23467", "23467.0", "2.3467e4", "23467.000"])
def test_a_whole_number_is_an_id_however_it_is_written(supplier: Supplier, literal: str) -> None:
    body = json.dumps(published_problem(**dict.fromkeys(ID_FIELDS, "@")))
    answer = send(supplier, body.replace('"@"', literal).encode())
    assert answer.status_code == 201
    for name in ID_FIELDS:
        assert f'"{name}":23467,'.encode() in answer.data


@pytest.mark.parametrize("name", ID_FIELDS)
def test_what_is_no_number_is_malformed_and_what_is_no_id_is_invalid(
    supplier: Supplier, name: str
) -> None:
    for literal in ('"23467"', "true", "false", "[23467]", "{}"):
        answer = send(supplier, with_literal(name, literal))
        assert refusal(answer) == (400, "MALFORMED_REQUEST", [f"{name}: expected a number"])
    # No document prints a lower bound for the parent's id: it is what a number of 64 bits holds.
    lowest = -(2**63) if name == "parentServiceProblemId" else 1
    for literal in (
        "1.5",
        str(lowest - 1),
        "-1e400",
        "1e400",
        "1e-400",
        "9223372036854775808",
        "23467.0000000000000000000000001",
        "1e999999999999",
        "9" * 5000,
    ):
        answer = send(supplier, with_literal(name, literal))
        expected = f"{name}: expected a whole number from {lowest} to 9223372036854775807"
        assert refusal(answer) == (422, "INVALID_REQUEST", [expected])
    assert supplier.problems() == 0


@pytest.mark.parametrize("parent", [0, -1, -(2**63)])
def test_the_parents_id_has_no_lower_bound(supplier: Supplier, parent: int) -> None:
    answer = supplier.create(published_problem(parentServiceProblemId=parent))
    assert (answer.status_code, answer.get_json()["parentServiceProblemId"]) == (201, parent)


@pytest.mark.parametrize("field", sorted(published_problem()))
def test_null_is_no_value_of_any_field(supplier: Supplier, field: str) -> None:
    answer = supplier.create(published_problem(**{field: None}))
    status, code, messages = refusal(answer)
    assert (status, code) == (400, "MALFORMED_REQUEST")
    [message] = messages
    assert message.startswith(f"{field}: expected ")
    assert message.endswith(", not null")


EXAMPLE = json.dumps(published_problem()).encode()
UNREADABLE = {
    "empty": b"",
    "blank": b" \r\n",
    "text": b"id=23467",
    "cut off": EXAMPLE[:-1],
    "two documents": EXAMPLE + EXAMPLE,
    "trailing comma": EXAMPLE[:-1] + b",}",
    "array": b"[" + EXAMPLE + b"]",
    "string": b'"23467"',
    "number": b"23467",
    "null": b"null",
    "key twice": b'{"id": 1, ' + EXAMPLE[1:],
    "inner key twice": EXAMPLE.replace(b'"ftthl2r"', b'"ftthl2r", "id": "ftthl2r"'),
    "escaped NUL": EXAMPLE.replace(b"Lorem", b"Lor\\u0000em"),
    "raw NUL": EXAMPLE.replace(b"Lorem", b"Lor\x00em"),
    "raw newline": EXAMPLE.replace(b"Lorem", b"Lor\nem"),
    "half a surrogate": EXAMPLE.replace(b"Lorem", b"Lor\\ud83dem"),
    "NaN": with_literal("id", "NaN"),
    "Infinity": with_literal("id", "-Infinity"),
    "invalid UTF-8": EXAMPLE.replace(b"Lorem", b"Lor\xffem"),
    "UTF-16": EXAMPLE.decode().encode("utf-16"),
    "byte order mark": b"\xef\xbb\xbf" + EXAMPLE,
    "nested": b'{"a":' * 100 + b"1" + b"}" * 100,
    "nested beyond measure": b"[" * 100_000,
}


@pytest.mark.parametrize("body", UNREADABLE.values(), ids=UNREADABLE)
def test_what_cannot_be_read_is_malformed(supplier: Supplier, body: bytes) -> None:
    status, code, messages = refusal(send(supplier, body))
    assert (status, code) == (400, "MALFORMED_REQUEST")
    assert all(message.startswith("body: ") for message in messages)
    assert supplier.problems() == 0


def test_another_content_type_is_malformed(supplier: Supplier) -> None:
    for wrong in (None, "", "text/plain", "application/jsonp", "application/x-www-form-urlencoded"):
        answer = send(supplier, EXAMPLE, wrong)
        expected = ["Content-Type: expected application/json"]
        assert refusal(answer) == (400, "MALFORMED_REQUEST", expected)
    assert send(supplier, EXAMPLE, "Application/JSON; charset=utf-8").status_code == 201


def of_length(length: int) -> bytes:
    """Return the example request with as many bytes, by way of a field that is not published."""
    empty = json.dumps(published_problem(unknown="")).encode()
    return json.dumps(published_problem(unknown="x" * (length - len(empty)))).encode()


def test_a_body_has_a_limit(supplier: Supplier) -> None:
    too_long = [f"body: expected at most {MAX_BODY} bytes"]
    answer = send(supplier, of_length(MAX_BODY + 1))
    assert refusal(answer) == (400, "MALFORMED_REQUEST", too_long)
    assert send(supplier, of_length(MAX_BODY)).status_code == 201


def in_chunks(supplier: Supplier, body: bytes) -> TestResponse:
    """Send a body without saying its length, as servers hand on what comes in chunks."""
    environ: dict[str, Any] = {"wsgi.input": io.BytesIO(body), "wsgi.input_terminated": True}
    headers = {**supplier.headers(), "Transfer-Encoding": "chunked"}
    return supplier.client.post(PATH, headers=headers, content_type=JSON, environ_overrides=environ)


def test_a_body_in_chunks_has_the_same_limit(supplier: Supplier) -> None:
    too_long = [f"body: expected at most {MAX_BODY} bytes"]
    answer = in_chunks(supplier, of_length(MAX_BODY + 1))
    assert refusal(answer) == (400, "MALFORMED_REQUEST", too_long)
    assert in_chunks(supplier, of_length(MAX_BODY)).status_code == 201


def test_a_body_shorter_than_announced_is_malformed(supplier: Supplier) -> None:
    environ: dict[str, Any] = {"wsgi.input": io.BytesIO(EXAMPLE), "CONTENT_LENGTH": "100000"}
    answer = supplier.client.post(
        PATH, headers=supplier.headers(), content_type=JSON, environ_overrides=environ
    )
    expected = ["body: shorter than its Content-Length"]
    assert refusal(answer) == (400, "MALFORMED_REQUEST", expected)


@pytest.mark.parametrize("name", ["X-Request-ID", "X-Conversation-ID", "Tenant"])
def test_each_header_is_there_short_and_visible(supplier: Supplier, name: str) -> None:
    good = supplier.headers()
    without = {key: value for key, value in good.items() if key != name}
    for headers in (without, {**good, name: ""}, {**good, name: " \t"}):
        answer = supplier.client.post(PATH, json=published_problem(), headers=headers)
        assert refusal(answer) == (400, "MALFORMED_REQUEST", [f"{name}: missing"])
    for value in ("x" * 256, "caf\u00e9", "two words", "bell\x07"):
        headers = {**good, name: value}
        answer = supplier.client.post(PATH, json=published_problem(), headers=headers)
        expected = [f"{name}: expected 1 to 255 visible ASCII characters"]
        assert refusal(answer) == (422, "INVALID_REQUEST", expected)
    assert supplier.problems() == 0
    headers = {**good, name: "x" * 255}
    assert supplier.client.post(PATH, json=published_problem(), headers=headers).status_code == 201
