from decimal import Decimal

from supplier_api.wire import fingerprint, load, messages
from tests.samples import problem_request


def of(**changes: object) -> str:
    return fingerprint(load(messages.SERVICE_PROBLEM_REQUEST, problem_request(**changes)))


def test_it_does_not_depend_on_how_the_request_was_written() -> None:
    backwards = dict(reversed(problem_request().items()))
    assert fingerprint(backwards) == of()
    assert of(id=Decimal("23467.0")) == of()
    assert of(unpublished="field") == of()


def test_it_depends_on_every_value() -> None:
    assert of(notes="other") != of()
    assert of(id=23468) != of()
    assert of(characteristics=[{"name": "A", "value": "B"}, {"name": "C", "value": "D"}]) != of(
        characteristics=[{"name": "C", "value": "D"}, {"name": "A", "value": "B"}]
    )


def test_it_is_the_same_in_every_release() -> None:
    assert fingerprint({"id": 2**63 - 1, "notes": "Zoë \U0001f600\n"}) == (
        "1:a9f14f6a55a453eb823e12492db12955cb184807d7f914547f53e4bba9fda01c"
    )
