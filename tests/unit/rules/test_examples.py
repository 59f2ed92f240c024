"""Examples that stand beside the rules."""

from supplier_api.rules.facts import ProblemFacts, Service
from supplier_api.rules.model import Operation, Verdict
from tests.unit.rules.books import HEAD, load, rule


def with_examples(*examples: str, when: str = "service.known", **more: str) -> str:
    lines = "".join(f"\n      - {{{each}}}" for each in examples)
    return HEAD + rule("one", when, "defer", **more, examples=lines)


def test_an_example_is_judged_by_its_rule_alone() -> None:
    book = load(
        with_examples(
            "facts: {}, verdict: matched",
            "facts: {service: null}, verdict: not matched",
            "facts: {service: {known: false}}, verdict: matched",
            mode="audit",
            active_until="1999-01-01T00:00:00Z",
        )
    )
    tried = book.try_examples()
    assert [each.verdict for each in tried] == ["matched", "not matched", "not matched"]
    assert [each.passed for each in tried] == [True, True, False]
    assert [each.example.place.line for each in tried] == [11, 12, 13]
    (coverage,) = book.coverage(tried)
    assert (coverage.matched, coverage.not_matched, coverage.complete) == (1, 2, True)


def test_a_rule_that_is_shown_from_one_side_is_not_covered() -> None:
    book = load(with_examples("facts: {}, verdict: matched"))
    (coverage,) = book.coverage(book.try_examples())
    assert not coverage.complete


def test_a_rule_that_always_matches_has_only_one_side() -> None:
    book = load(with_examples("facts: {}, verdict: matched", when="true"))
    (coverage,) = book.coverage(book.try_examples())
    assert coverage.complete


def test_an_example_may_expect_that_a_rule_cannot_be_judged() -> None:
    book = load(
        with_examples("facts: {}, verdict: failed", when='request.characteristicsByName["A"] == ""')
    )
    assert [each.passed for each in book.try_examples()] == [True]


def test_an_example_without_operation_is_one_for_each() -> None:
    text = with_examples(
        "facts: {}, verdict: matched",
        "facts: {}, verdict: matched, operation: amendment",
        applies_to="[amendment, cancellation]",
    )
    assert [each.operation for each in load(text).examples] == [
        Operation.AMENDMENT,
        Operation.CANCELLATION,
        Operation.AMENDMENT,
    ]


def test_facts_are_given_in_short() -> None:
    text = with_examples(
        "verdict: matched, facts: {"
        "request: {id: 7, escalationRequest: true, characteristics: {A: 'b'}, "
        "primaryContact: {name: C}}, "
        "tenant: T2, incidents: [INC1], clock: {now: '2026-02-01T01:00:00+01:00'}, "
        "service: {id: SI1, appointment_needed: true}, problem: {status: HELD, waiting: HELD}}",
        applies_to="[amendment]",
    )
    (example,) = load(text).examples
    given = example.facts
    assert given.request == {
        "id": 7,
        "escalationRequest": True,
        "characteristics": [{"name": "A", "value": "b"}],
        "primaryContact": {"name": "C"},
    }
    assert (given.tenant, given.incidents) == ("T2", ["INC1"])
    assert given.now.isoformat() == "2026-02-01T00:00:00+00:00"
    assert given.service == Service("SI1", appointment_needed=True)
    assert given.problem == ProblemFacts("SP_EXAMPLE", "HELD", "IN_PROGRESS", "HELD")
    assert example.expected is Verdict.MATCHED


def test_characteristics_may_be_given_as_on_the_wire() -> None:
    text = with_examples(
        "verdict: matched, facts: {request: {characteristics: [{name: A, value: b}]}}"
    )
    (example,) = load(text).examples
    assert example.facts.request["characteristics"] == [{"name": "A", "value": "b"}]
