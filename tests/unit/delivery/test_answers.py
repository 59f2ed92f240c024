"""What each answer of the gateway means for a KCI."""

import re
from dataclasses import replace
from datetime import UTC, datetime

import orjson
import pytest

from supplier_api.delivery.answers import read_answer, reply_for
from supplier_api.delivery.reply import Meaning, Reply

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
ALREADY = re.compile("(?i)already received")
MARKER = "MARKER"


def envelope(code: str, *messages: str) -> bytes:
    return orjson.dumps({"uuid": "1", "code": code, "messages": messages})


def reply(status: int, body: bytes = b"", retry_after: str | None = None) -> Reply:
    return reply_for(read_answer(status, retry_after, body, NOW), ALREADY)


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_any_2xx_is_success(status: int) -> None:
    assert reply(status).meaning is Meaning.TAKEN


@pytest.mark.parametrize("status", [400, 413, 422])
def test_refused_for_good_with_or_without_an_envelope(status: int) -> None:
    assert reply(status).meaning is Meaning.REFUSED
    assert reply(status, envelope("INVALID_REQUEST", "no")).meaning is Meaning.REFUSED


@pytest.mark.parametrize(
    "status",
    [301, 302, 307, 308, 401, 403, 404, 405, 407, 408, 409, 425, 429, 500, 501, 502, 503, 504],
)
def test_everything_else_is_the_destinations_own_trouble(status: int) -> None:
    assert reply(status).meaning is Meaning.TROUBLE
    assert reply(status, b"<html>not the published envelope</html>").meaning is Meaning.TROUBLE


@pytest.mark.parametrize("status", [400, 404, 422])
def test_not_found_in_the_envelope_says_that_the_problem_is_unknown(status: int) -> None:
    assert reply(status, envelope("NOT_FOUND", "no such problem")).meaning is Meaning.NOT_FOUND


@pytest.mark.parametrize("status", [500, 502, 503])
def test_after_a_server_error_nobody_knows_whether_it_arrived(status: int) -> None:
    assert reply(status).unknown
    assert not reply(429).unknown


def test_a_conflict_and_an_already_received_are_repeats() -> None:
    assert reply(409).repeat
    assert reply(422, envelope("INVALID_REQUEST", "This KCI was Already Received.")).repeat
    assert not reply(422, envelope("INVALID_REQUEST", "reasonCode: unknown")).repeat


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b'{"code": 7}', b'{"code": "X", "messages": 7}', b'{"messages": ["a"]}'],
)
def test_an_odd_body_changes_nothing_about_the_status(body: bytes) -> None:
    assert replace(reply(422, body), refusal=None) == Reply(Meaning.REFUSED, "422", 422)


def test_what_the_gateway_said_is_kept_apart_from_the_detail() -> None:
    refused = reply(422, envelope("INVALID_REQUEST", "text: too long", "x" * 1001))
    assert refused.refusal == {
        "status": 422,
        "code": "INVALID_REQUEST",
        "uuid": "1",
        "messages": ["text: too long", "x" * 1000],
    }
    assert "too long" not in refused.detail + repr(refused)
    many = reply(422, envelope("INVALID_REQUEST", *["no"] * 21)).refusal
    assert many is not None
    assert many["messages"] == ["no"] * 20
    assert reply(422, b"<html>").refusal is None


def test_what_is_kept_can_be_stored_everywhere() -> None:
    said = reply(422, envelope("INVALID_REQUEST", "a\0b")).refusal
    assert said is not None
    assert said["messages"] == ["a\ufffdb"]


def test_the_detail_repeats_nothing_but_a_published_code() -> None:
    assert reply(400, envelope("MALFORMED_REQUEST", MARKER)).detail == "400 MALFORMED_REQUEST"
    assert reply(400, envelope(MARKER, MARKER)).detail == "400"


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("0", 0),
        ("120", 120),
        ("9" * 400, 999_999_999),
        ("Mon, 05 Jan 2026 12:02:00 GMT", 120),
        ("Mon, 05 Jan 2026 12:02:00 -0000", 120),
        ("Mon, 05 Jan 2026 11:00:00 GMT", 0),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("²", None),
        ("", None),
    ],
)
def test_retry_after_is_read_as_seconds_or_as_a_date(
    header: str | None, seconds: float | None
) -> None:
    assert reply(503, retry_after=header).retry_after == seconds
