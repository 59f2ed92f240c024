"""What a decision was made on is stored without personal fields, and can be read back."""

from dataclasses import replace

import orjson
import pytest

from supplier_api.contract.personal import PERSONAL_FIELDS, without_personal
from supplier_api.rules.facts import UNKNOWN, Facts, ProblemFacts, Service
from supplier_api.rules.stored_facts import from_stored, not_stored, to_stored
from tests.samples import problem_request
from tests.unit.rules.books import LIVE, NOW

FACTS = Facts(
    request=problem_request(),
    tenant="TENANT1",
    now=NOW,
    service=LIVE,
    open_problems=["23467"],
    incidents=["INC1"],
    problem=ProblemFacts("SP_1", "IN_PROGRESS", "IN_PROGRESS"),
)


def kept(facts: Facts) -> Facts:
    """Return the facts as they come back from the database."""
    return from_stored(facts.tenant, orjson.loads(orjson.dumps(to_stored(facts))))


def test_all_but_what_is_personal_comes_back() -> None:
    request = {name: value for name, value in FACTS.request.items() if name not in PERSONAL_FIELDS}
    assert request.keys() < FACTS.request.keys()
    assert without_personal(request) == request
    assert kept(FACTS) == replace(FACTS, request=request)


@pytest.mark.parametrize("group", ["service", "open_problems", "incidents", "problem"])
def test_what_was_unknown_stays_unknown(group: str) -> None:
    assert getattr(kept(replace(FACTS, **{group: UNKNOWN})), group) is UNKNOWN  # type: ignore[arg-type]


def test_a_service_that_is_not_known_is_stored_as_such() -> None:
    stored = to_stored(replace(FACTS, service=None))
    assert stored["service"] is None
    assert from_stored("TENANT1", stored).service is None
    assert not_stored(stored) == frozenset()


def test_an_attribute_that_was_not_there_yet_is_not_taken_for_absent() -> None:
    stored = to_stored(replace(FACTS, service=Service("SI1")))
    assert not_stored(stored) == frozenset()
    del stored["service"]["incident"], stored["problem"]["awaits"]
    assert not_stored(stored) == {("service", "incident"), ("problem", "awaits")}
    assert from_stored("TENANT1", stored).service == Service("SI1")
