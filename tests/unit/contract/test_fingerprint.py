from decimal import Decimal

import pytest

from supplier_api.contract import VERSIONS, fingerprint, is_fingerprint_of, load, schemas
from tests.samples import published_problem

A, C = {"name": "A", "value": "B"}, {"name": "C", "value": "D"}
ZULU = ("Z", ".000Z")


def of(**changes: object) -> str:
    return fingerprint(load(schemas.SERVICE_PROBLEM_REQUEST, published_problem(**changes)))


def test_it_does_not_depend_on_how_the_request_was_written() -> None:
    backwards = dict(reversed(published_problem().items()))
    assert fingerprint(backwards) == of()
    assert of(id=Decimal("23467.0")) == of()
    assert of(unpublished="field") == of()


def test_it_depends_on_every_value() -> None:
    assert of(notes="other") != of()
    assert of(id=23468) != of()
    assert of(characteristics=[A, C]) != of(characteristics=[A, {"name": "C", "value": "E"}])


def test_the_order_of_named_characteristics_says_nothing() -> None:
    assert of(characteristics=[A, C]) == of(characteristics=[C, A])


def test_of_two_values_of_one_name_the_later_one_counts() -> None:
    again = {"name": "A", "value": "D"}
    assert of(characteristics=[A, again]) != of(characteristics=[again, A])
    assert of(characteristics=[A, C, again]) == of(characteristics=[C, A, again])


def test_the_same_text_written_otherwise_is_another_text() -> None:
    when = [{"name": "SERVICE_LAST_WORKED", "value": f"2024-04-30T12:00:00{z}"} for z in ZULU]
    assert of(characteristics=when[:1]) != of(characteristics=when[1:])
    assert of(notes="Zo\u00eb") != of(notes="Zoe\u0308")


def test_what_an_earlier_release_stored_is_compared_as_it_was_made() -> None:
    document = {"id": 1, "characteristics": [C, A]}
    backwards = {"id": 1, "characteristics": [A, C]}
    for version in VERSIONS:
        assert is_fingerprint_of(fingerprint(document, version), document)
    assert not is_fingerprint_of(fingerprint(document, "1"), backwards)
    assert is_fingerprint_of(fingerprint(document, "2"), backwards)
    assert not is_fingerprint_of(fingerprint(document).replace("2:", "9:"), document)


@pytest.mark.parametrize(
    "stored",
    [
        "1:a9f14f6a55a453eb823e12492db12955cb184807d7f914547f53e4bba9fda01c",
        "2:a9f14f6a55a453eb823e12492db12955cb184807d7f914547f53e4bba9fda01c",
    ],
)
def test_it_is_the_same_in_every_release(stored: str) -> None:
    assert is_fingerprint_of(stored, {"id": 2**63 - 1, "notes": "Zoë \U0001f600\n"})
