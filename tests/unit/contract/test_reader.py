import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supplier_api.contract import Malformed, read_json
from supplier_api.contract.json_reader import MAX_DEPTH
from tests.samples import patient

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**30), 10**30) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


def refusal(body: bytes) -> str:
    with pytest.raises(Malformed) as caught:
        read_json(body)
    [message] = caught.value.messages
    return message


@patient
@given(JSON)
def test_any_document_within_the_limits_is_read_as_written(document: object) -> None:
    body = json.dumps(document, ensure_ascii=False).encode()
    if "\\u0000" in body.decode():
        assert refusal(body) == "body: holds a NUL character"
    else:
        assert read_json(body) == document


@patient
@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused_with_one_message(body: bytes) -> None:
    found: list[str] = []
    try:
        read_json(body)
    except Malformed as error:
        found = error.messages
    assert len(found) <= 1
    assert all(message.startswith("body: ") for message in found)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "body: empty, expected a JSON object"),
        (b" \r\n\t", "body: empty, expected a JSON object"),
        (
            b"{",
            "body: not JSON (Expecting property name enclosed in double quotes, line 1 column 2)",
        ),
        (b"{} {}", "body: not JSON (Extra data, line 1 column 4)"),
        (
            b"{'a': 1}",
            "body: not JSON (Expecting property name enclosed in double quotes, line 1 column 2)",
        ),
        (b"\xff", "body: not UTF-8 (at byte 0)"),
        (b'{"a": "\xc3"}', "body: not UTF-8 (at byte 7)"),
        (b'{"a": "\xed\xa0\x80"}', "body: not UTF-8 (at byte 7)"),
        ('{"a": 1}'.encode("utf-16"), "body: not UTF-8 (at byte 0)"),
        (b"\xef\xbb\xbf{}", "body: begins with a byte order mark, expected JSON without one"),
        (b'{"a": NaN}', "body: NaN is not a JSON number"),
        (b'{"a": [-Infinity]}', "body: -Infinity is not a JSON number"),
        (b'{"a": 1, "b": 2, "a": 1}', "body: a key stands twice in the same object"),
        (b'{"x": [{"a": 1, "\\u0061": 1}]}', "body: a key stands twice in the same object"),
        (b'{"a": "\\ud800"}', "body: holds half of a surrogate pair"),
        (b'{"\\udfff": 1}', "body: holds half of a surrogate pair"),
        (b'[["\\udc00\\ud800"]]', "body: holds half of a surrogate pair"),
        (b'{"a": "x\\u0000"}', "body: holds a NUL character"),
        (b'{"a\\u0000": 1}', "body: holds a NUL character"),
        (b'{"a": "\x00"}', "body: not JSON (Invalid control character at, line 1 column 8)"),
    ],
)
def test_what_two_readers_could_read_differently_is_refused(body: bytes, message: str) -> None:
    assert refusal(body) == message


def test_escaped_characters_beyond_the_first_plane_are_read() -> None:
    assert read_json(b'"\\ud83d\\ude00 \\\\ud800"') == "\U0001f600 \\ud800"


def test_nesting_is_limited() -> None:
    deepest = MAX_DEPTH * b"[" + MAX_DEPTH * b"]"
    assert isinstance(read_json(deepest), list)
    for opening, closing in ((b"[", b"]"), (b'{"a":', b"}")):
        too_deep = (MAX_DEPTH + 1) * opening + b"1" + (MAX_DEPTH + 1) * closing
        assert refusal(too_deep) == f"body: nested deeper than {MAX_DEPTH} levels"
    assert refusal(b"[" * 200_000) == f"body: nested deeper than {MAX_DEPTH} levels"


def test_many_objects_side_by_side_are_no_nesting() -> None:
    body = b"[" + b",".join([b"{}"] * 1000) + b"]"
    assert read_json(body) == [{}] * 1000


@pytest.mark.parametrize(
    ("text", "number"),
    [
        (b"9007199254740993", 9007199254740993),
        (b"9007199254740993.0", Decimal(9007199254740993)),
        (b"1.5", Decimal("1.5")),
        (b"1e400", Decimal("1e400")),
        (b"1" * 10_000, Decimal("1" * 10_000)),
        (b"1e999999999999999999999999", Decimal("Infinity")),
    ],
)
def test_numbers_are_read_exactly(text: bytes, number: object) -> None:
    assert read_json(text) == number
