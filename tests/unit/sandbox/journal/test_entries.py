"""No secret gets into the journal, and no body is too long for it."""

import pytest

from supplier_api.sandbox.journal.entries import BODY_KEPT, headers_of, text_of, without_secrets

SECRET = "s3cr3t"


@pytest.mark.parametrize(
    ("name", "value", "kept"),
    [
        ("Authorization", f"Bearer {SECRET}", "Bearer ***"),
        ("authorization", f"basic {SECRET}", "basic ***"),
        ("Authorization", f"{SECRET} and more", "***"),
        ("Proxy-Authorization", SECRET, "***"),
        ("Cookie", f"a={SECRET}; b={SECRET}", "***"),
        ("Set-Cookie", f"a={SECRET}", "***"),
        ("Tenant", "TENANT1", "TENANT1"),
    ],
)
def test_headers_that_hold_secrets_are_masked(name: str, value: str, kept: str) -> None:
    assert headers_of([(name, value)]) == {name: kept}


def test_a_repeated_header_is_kept_with_all_its_values() -> None:
    assert headers_of([("Via", "a"), ("Via", "b")]) == {"Via": "a, b"}


def test_the_time_of_machines_is_left_out() -> None:
    assert headers_of([("date", "Mon, 23 Nov 2026 04:05:18 GMT"), ("Server", "x")]) == {
        "Server": "x"
    }


@pytest.mark.parametrize(
    "body",
    [
        f'{{"access_token": "{SECRET}", "expires_in": 3600}}',
        f'{{"a": 1, "client_secret" : "x\\"{SECRET}"}}',
        f"grant_type=client_credentials&client_secret={SECRET}&client_id=me",
        f"client_secret={SECRET}",
        f"password={SECRET}&username=me",
    ],
)
def test_secrets_in_bodies_are_masked(body: str) -> None:
    kept = text_of(body.encode())
    assert SECRET not in kept
    assert "***" in kept


def test_a_secret_at_the_cut_is_masked() -> None:
    body = b'{"text": "' + b"x" * (BODY_KEPT - 40) + b'", "access_token": "' + b"s3cr3t" * 100
    assert SECRET not in text_of(body)


def test_a_token_in_a_url_is_masked() -> None:
    assert without_secrets("/a?access_token=abc&b=1") == "/a?access_token=***&b=1"


def test_what_is_no_secret_stays() -> None:
    body = '{"notes": "the password is at the door", "id": 1, "tenant": "Ŵyn 😀"}'
    assert text_of(body.encode()) == body


def test_bytes_that_are_no_text_are_shown_as_they_are() -> None:
    assert text_of(b"a\xffb\x00") == "a\\xffb\x00"


def test_of_a_long_body_the_beginning_is_kept() -> None:
    assert text_of(b"x" * (BODY_KEPT + 1)) == "x" * BODY_KEPT
