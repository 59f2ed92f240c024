"""Reads a body as JSON (RFC 8259), strictly.

Two receivers must not read the same bytes differently, so what the standard library accepts beyond
the RFC is refused: duplicate keys, NaN and Infinity, lone surrogates. NUL characters
are refused since PostgreSQL cannot store them. No number goes through a float.
"""

import json
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from typing import Any, NoReturn

from supplier_api.contract import refusals
from supplier_api.contract.errors import RequestRefused

MAX_DEPTH = 32
# The most digits of a number that can still be within 64 bits.
INT_DIGITS = 20
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
NUMBER_TOO_BIG = Decimal("Infinity")


def read_json(body: bytes) -> object:
    """Return the parsed `body`. Whole numbers are int, all others Decimal, exactly as written.

    A number beyond what Decimal can hold is Infinity, which is out of every range.
    Raises Malformed with one message if the body is not JSON in UTF-8 as described above.
    """
    text = _decode(body)
    try:
        document = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        why, line, column = error.msg, error.lineno, error.colno
        raise refusals.NOT_JSON.error(why=why, line=line, column=column) from None
    except RecursionError:
        raise _too_deep() from None
    # Only an escape can add a forbidden character, only that many brackets can nest too deep.
    if b"\\u" in body or body.count(b"[") + body.count(b"{") > MAX_DEPTH:
        _inspect(document)
    return document


def _decode(body: bytes) -> str:
    if body.startswith(BYTE_ORDER_MARK):
        raise refusals.BYTE_ORDER_MARK.error()
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise refusals.NOT_UTF8.error(at=error.start) from None
    if not text.strip():
        raise refusals.EMPTY.error()
    return text


def _parse_int(text: str) -> int | Decimal:
    # Python refuses to make an int of thousands of digits; Decimal does it in linear time.
    return int(text) if len(text) <= INT_DIGITS else _parse_decimal(text)


def _parse_decimal(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:  # an exponent of more digits than Decimal keeps
        return NUMBER_TOO_BIG


def _refuse_constant(name: str) -> NoReturn:
    raise refusals.NOT_A_NUMBER.error(name=name)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise refusals.KEY_TWICE.error()
    return found


_DECODER = json.JSONDecoder(
    parse_int=_parse_int,
    parse_float=_parse_decimal,
    parse_constant=_refuse_constant,
    object_pairs_hook=_unique,
)


def _too_deep() -> RequestRefused:
    return refusals.TOO_DEEP.error(maximum=MAX_DEPTH)


def _inspect(document: object) -> None:
    """Refuse too deep a nesting, NUL characters and lone surrogates, anywhere."""
    level = [document]
    for _ in range(MAX_DEPTH + 1):
        inner: list[object] = []
        for value in level:
            if isinstance(value, str):
                _inspect_text(value)
            else:
                inner.extend(_within(value))
        if not inner:
            return
        level = inner
    raise _too_deep()


def _within(value: object) -> Iterator[object]:
    if isinstance(value, dict):
        yield from value.keys()
        yield from value.values()
    elif isinstance(value, list):
        yield from value


def _inspect_text(text: str) -> None:
    if "\0" in text:
        raise refusals.HOLDS_NUL.error()
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise refusals.HALF_SURROGATE.error()
