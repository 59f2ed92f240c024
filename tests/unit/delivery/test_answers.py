"""What each answer of the gateway means for a KCI."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from supplier_api.delivery.answers import AnswerTerms, read_answer, reply_for
from supplier_api.delivery.model import Meaning, Reply
from supplier_api.http_client.calls import HttpResponse

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
ALREADY = re.compile("(?i)already received")
MARKER = "MARKER"


def envelope(code: str, *messages: str) -> bytes:
    return orjson.dumps({"uuid": "1", "code": code, "messages": messages})


def reply(
    status: int, body: bytes = b"", retry_after: str | None = None, *accept: str, **more: Any
) -> Reply:
    headers = {"Content-Type": more.pop("kind", "")}
    if retry_after is not None:
        headers["Retry-After"] = retry_after
    terms = AnswerTerms(ALREADY, frozenset(accept)) if accept else AnswerTerms(ALREADY)
    return reply_for(read_answer(HttpResponse(status, headers, body, **more), NOW), terms)


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_any_2xx_without_a_body_or_with_json_is_success(status: int) -> None:
    for body in (b"", b" \r\n", b"{}", b'{"status": "taken", "code": "DONE"}', b"[]", b"null"):
        assert reply(status, body).meaning is Meaning.ACCEPTED
        # What many servers say of a body that they do not send.
        assert (
            reply(status, kind="text/html" if not body.strip() else "").meaning is Meaning.ACCEPTED
        )


PAGE = b"<html><head><title>\n Request &amp; Support\x00ID</title></head></html>"


@pytest.mark.parametrize(
    ("body", "more", "reason"),
    [
        (
            PAGE,
            {"kind": "text/html"},
            '200 with a page of HTML: not accepted "Request & Support ID"',
        ),
        (b"<!DOCTYPE HTML><p>Sorry", {}, "200 with a page of HTML: not accepted"),
        (b"Sorry", {"kind": "text/html; charset=utf-8"}, "200 with a page of HTML: not accepted"),
        (b"{}", {"kind": "application/xhtml"}, "200 with a page of HTML: not accepted"),
        (envelope("NOT_FOUND"), {}, "200 with the error NOT_FOUND: not accepted"),
        (b"\xef\xbb\xbf" + envelope("MADE_UP", MARKER), {}, "200 with an error: not accepted"),
        (b'{"error": "down"}', {}, "200 with an error: not accepted"),
        (
            b'{"title": "x"}',
            {"kind": "application/problem+json"},
            "200 with an error: not accepted",
        ),
        (b"OK", {"kind": "text/plain"}, "200 with a body that is no JSON: not accepted"),
        (b"", {"complete": False}, "200 with a body that broke off: not accepted"),
    ],
)
def test_a_2xx_with_anything_else_is_a_failure_and_may_have_arrived(
    body: bytes, more: dict[str, Any], reason: str
) -> None:
    seen = reply(200, body, **more)

    assert (seen.meaning, seen.unknown, seen.reason) == (Meaning.FAILED, True, reason)
    assert reply(200, body, None, "any", **more).meaning is Meaning.ACCEPTED


def test_what_counts_as_success_can_be_chosen() -> None:
    assert reply(200, b"OK", None, "text").meaning is Meaning.ACCEPTED
    assert reply(204, b"", None, "204").meaning is Meaning.ACCEPTED
    assert reply(200, b"", None, "204").meaning is Meaning.FAILED
    assert reply(200, b"{}", None, "204", "empty").meaning is Meaning.FAILED
    assert reply(200, PAGE, None, "204", "empty", "json", "text").meaning is Meaning.FAILED


def test_a_long_body_of_which_only_the_beginning_is_known() -> None:
    long = b'["' + b"x" * 70_000
    assert reply(200, long[:65_536], kind="application/json").meaning is Meaning.ACCEPTED
    assert reply(200, long[:65_536]).meaning is Meaning.FAILED


@pytest.mark.parametrize(
    "absurd",
    [
        "Mon, 05 Jan 9999999 12:00:00 GMT",
        "Mon, 05 Jan 2026 12:00:00 +9999999999",
        "Mon, 05 Jan 2026 12:00:00 -99999999",
        "Fri, 31 Dec 9999 23:59:59 -2359",
        "Mon, 99 Jan 2026 99:99:99 GMT",
        "-5",
        "1e9",
        "5, 6",
        "\u0665",
        "soon",
        " ",
    ],
)
def test_an_absurd_retry_after_is_as_none(absurd: str) -> None:
    assert reply(503, retry_after=absurd).retry_after is None


@pytest.mark.parametrize("status", [400, 413, 422])
def test_refused_for_good_with_or_without_an_envelope(status: int) -> None:
    assert reply(status).meaning is Meaning.REFUSED
    assert reply(status, envelope("INVALID_REQUEST", "no")).meaning is Meaning.REFUSED


@pytest.mark.parametrize(
    "status",
    [301, 302, 307, 308, 401, 403, 404, 405, 407, 408, 409, 425, 429, 500, 501, 502, 503, 504],
)
def test_everything_else_is_a_failure_of_the_destination(status: int) -> None:
    assert reply(status).meaning is Meaning.FAILED
    assert reply(status, b"<html>not the published envelope</html>").meaning is Meaning.FAILED


@pytest.mark.parametrize("status", [400, 404, 422])
def test_not_found_in_the_envelope_says_that_the_problem_is_unknown(status: int) -> None:
    said = envelope("NOT_FOUND", "no such problem")
    for body in (said, b"\xef\xbb\xbf" + said):
        assert reply(status, body).meaning is Meaning.NOT_FOUND


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
