"""How the rules make a decision."""

import json
from collections.abc import Mapping
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from supplier_api.contract.codes import ProblemCode
from supplier_api.contract.personal import PLACEHOLDER
from supplier_api.rules.fact_kinds import Shape
from supplier_api.rules.facts import (
    GROUPS,
    UNKNOWN,
    Facts,
    ProblemFacts,
    is_personal,
    leaves,
)
from supplier_api.rules.model import Decision, Operation, Outcome, Verdict
from tests.unit.rules.books import HEAD, LIVE, NOW, facts, load, rule


def decide(rules: str, given: Facts | None = None, profile: str = "production") -> Decision:
    return load(HEAD + rules, profile=profile).decide(Operation.PROBLEM, given or facts(), {})


def verdicts(decision: Decision) -> dict[str, str]:
    return {trace.rule: str(trace.verdict) for trace in decision.trace}


def test_without_a_rule_that_decides_the_default_does() -> None:
    decision = decide(rule("never", "false", "defer"))
    assert (decision.outcome, decision.rule) == (Outcome.ACKNOWLEDGE, "default")


def test_every_refusal_is_heard_wherever_it_stands() -> None:
    decision = decide(
        rule("first", "true", "commit")
        + rule("low", "request.id > 0", "reject", code="ACCESS_ISSUE")
        + rule("other", "request.id > 1", "reject")
        + rule("live", "service.known", "reject", message='"{service.id} is {service.state}"')
    )
    assert (decision.outcome, decision.rule) == (Outcome.REJECT, "low")
    assert [(each.rule, each.code, each.message) for each in decision.reasons] == [
        ("low", ProblemCode.ACCESS_ISSUE, "low refuses"),
        ("live", ProblemCode.OTHER, "SI0000000000009 is live"),
    ]


def test_the_first_rule_that_matches_decides_and_the_next_are_skipped() -> None:
    decision = decide(
        rule("never", "false", "commit")
        + rule("first", "request.id == 1", "defer")
        + rule("second", "true", "commit")
    )
    assert (decision.outcome, decision.rule) == (Outcome.DEFER, "first")
    assert verdicts(decision) == {"never": "not matched", "first": "matched", "second": "skipped"}


@pytest.mark.parametrize(
    ("more", "profile", "verdict"),
    [
        ({"mode": "audit"}, "production", "audited"),
        ({"audit_in": "[sandbox]"}, "sandbox", "audited"),
        ({"audit_in": "[sandbox]"}, "production", "matched"),
    ],
)
def test_a_rule_may_only_record(more: dict[str, str], profile: str, verdict: str) -> None:
    decision = decide(rule("strict", "true", "reject", **more), profile=profile)
    assert verdicts(decision) == {"strict": verdict}
    assert (decision.outcome is Outcome.REJECT) == (verdict == "matched")


@pytest.mark.parametrize(
    ("seconds", "verdict"), [(-1, "inactive"), (0, "matched"), (59, "matched"), (60, "inactive")]
)
def test_a_rule_is_active_from_its_first_instant_until_before_its_last(
    seconds: int, verdict: str
) -> None:
    dated = rule(
        "dated",
        "true",
        "defer",
        active_from="2026-01-05T12:00:00Z",
        active_until="2026-01-05T13:01:00+01:00",
    )
    decision = decide(dated, facts(now=NOW + timedelta(seconds=seconds)))
    assert verdicts(decision) == {"dated": verdict}


FAILING = 'request.characteristicsByName["X"] == "a"'


@pytest.mark.parametrize("then", ["reject", "defer", "commit"])
def test_a_rule_that_cannot_be_judged_leaves_it_to_the_fallback(then: str) -> None:
    decision = decide(
        rule("broken", FAILING, then) + rule("sure", "true", "commit"),
        facts({"characteristics": []}),
    )
    assert (decision.outcome, decision.rule) == (Outcome.DEFER, "fallback")
    assert decision.trace[0].verdict is Verdict.FAILED
    assert decision.trace[0].why == "Key not found in map"


def test_a_refusal_stands_beside_a_rule_that_cannot_be_judged() -> None:
    decision = decide(
        rule("broken", FAILING, "reject") + rule("sure", "true", "reject"),
        facts({"characteristics": []}),
    )
    assert (decision.outcome, decision.rule) == (Outcome.REJECT, "sure")


def test_a_rule_that_only_records_and_cannot_be_judged_changes_nothing() -> None:
    decision = decide(
        rule("broken", FAILING, "reject", mode="audit"), facts({"characteristics": []})
    )
    assert (decision.outcome, decision.rule) == (Outcome.ACKNOWLEDGE, "default")


def test_what_is_not_known_in_time_cannot_be_judged_even_where_it_would_not_matter() -> None:
    rules = rule("either", "request.id == 1 || service.known", "commit")
    decision = decide(rules, facts(service=UNKNOWN))
    assert (decision.outcome, decision.rule) == (Outcome.DEFER, "fallback")
    assert decision.trace[0].why == "not known in time: service"


def test_a_message_needs_its_facts_too() -> None:
    rules = rule("told", "request.id == 1", "reject", message='"{service.state}"')
    assert decide(rules, facts(service=UNKNOWN)).rule == "fallback"


def test_facts_that_no_rule_names_are_not_missed() -> None:
    assert decide(rule("own", "request.id == 1", "commit"), facts(service=UNKNOWN)).rule == "own"


def test_the_groups_that_a_book_needs_are_those_of_its_conditions_and_messages() -> None:
    book = load(
        HEAD
        + rule("one", "service.known", "commit")
        + rule("two", 'tenant == ""', "reject", message='"{open_problems}"')
        + rule("three", "problem.open", "commit", applies_to="[amendment]")
    )
    assert book.groups(Operation.PROBLEM) == {"service", "tenant", "open_problems"}
    assert book.groups(Operation.AMENDMENT) == {"problem"}
    assert book.groups(Operation.CANCELLATION) == frozenset()


def test_each_operation_has_its_own_rules_and_facts() -> None:
    book = load(
        HEAD
        + rule("closed", "problem.terminal", "reject", applies_to="[amendment, cancellation]")
        + rule("reason", 'request.reasonCode == "OTHER"', "defer", applies_to="[cancellation]")
    )
    done = ProblemFacts("SP_12345", "COMPLETED", "COMPLETED", open=False, terminal=True)
    given = facts({"reasonCode": "OTHER"}, problem=done)
    assert verdicts(book.decide(Operation.CANCELLATION, given, {})) == {
        "closed": "matched",
        "reason": "matched",
    }
    assert verdicts(book.decide(Operation.AMENDMENT, facts(problem=done), {})) == {
        "closed": "matched"
    }
    assert book.decide(Operation.PROBLEM, facts(), {}).trace == ()


def test_a_trace_holds_the_values_that_were_read() -> None:
    rules = rule(
        "reads",
        'clock.now > timestamp("2020-01-01T00:00:00Z") && has(request.address) && tenant != ""',
        "reject",
        message='"{open_problems}"',
    )
    address = {"id": "1", "type": "UPRN"}
    decision = decide(rules, facts({"address": address}, open_problems=("SP_12345",)))
    assert decision.trace[0].values == {
        "clock.now": "2026-01-05T12:00:00.000Z",
        "request.address": address,
        "tenant": "TENANT1",
        "open_problems": ["SP_12345"],
    }


def marked(shape: Shape) -> dict[str, object]:
    """Return a problem with a marker in every personal field, and other values elsewhere."""
    contact = {"name": "MARKER", "email": "MARKER", "phoneNumber": "MARKER"}
    texts = {name: "MARKER" for name in shape if is_personal(("request", name))}
    return texts | {
        "primaryContact": contact,
        "secondaryContact": contact,
        "characteristics": [{"name": "MARKER", "value": "MARKER"}],
    }


def test_no_personal_value_reaches_a_decision() -> None:
    shape = GROUPS[Operation.PROBLEM]["request"]
    assert isinstance(shape, Mapping)
    request = marked(shape)
    request.pop("characteristicsByName")
    given = facts(request)
    conditions = [f"has({'.'.join(path)})" for path in leaves({"request": shape})]
    conditions += [
        "has(request.primaryContact)",
        "request == request",
        "request.characteristics[0].value != request.notes",
        "int(request.notes) > 1",
        "request.characteristicsByName[request.hazards] != request.text",
        "request.characteristicsByName[request.hazards + request.notes] != tenant",
    ]
    conditions.remove("request.characteristicsByName[request.hazards] != request.text")
    rules = "".join(rule(f"r{n}", when, "reject") for n, when in enumerate(conditions))
    text = json.dumps(decide(rules, given).document())
    assert "MARKER" not in text
    assert PLACEHOLDER in text


def test_a_decision_is_plain_json() -> None:
    decision = decide(rule("refused", "request.id == 1", "reject") + rule("bad", FAILING, "defer"))
    document = json.loads(json.dumps(decision.document()))
    assert document["outcome"] == "reject"
    assert document["reasons"] == [
        {"rule": "refused", "code": "OTHER", "message": "refused refuses"}
    ]
    assert document["trace"] == [
        {"rule": "refused", "verdict": "matched", "values": {"request.id": 1}},
        {
            "rule": "bad",
            "verdict": "failed",
            "values": {"request.characteristicsByName.X": None},
            "why": "Key not found in map",
        },
    ]
    assert document["bookVersion"] == decision.book_version


CONDITIONS = {"true": "request.id == 1", "false": "request.id == 2", "fails": FAILING}
RULES = st.lists(
    st.tuples(
        st.sampled_from(sorted(CONDITIONS)),
        st.sampled_from(["reject", "defer", "acknowledge", "commit"]),
        st.sampled_from(["enforce", "audit"]),
    ),
    max_size=6,
)


@settings(max_examples=60, deadline=None)
@given(RULES)
def test_any_book_decides_as_it_is_written(drawn: list[tuple[str, str, str]]) -> None:
    rules = "".join(
        rule(f"r{number}", CONDITIONS[result], then, mode=mode)
        for number, (result, then, mode) in enumerate(drawn)
    )
    decision = decide(rules or "  []\n")
    enforced = [(result, then) for result, then, mode in drawn if mode == "enforce"]
    refusals = [then for result, then in enforced if (result, then) == ("true", "reject")]
    first = next(
        (
            number
            for number, (result, then) in enumerate(enforced)
            if then != "reject" and result == "true"
        ),
        len(enforced),
    )
    unevaluated = any(
        result == "fails" and (then == "reject" or number < first)
        for number, (result, then) in enumerate(enforced)
    )
    if refusals:
        expected = "reject"
    elif unevaluated:
        expected = "defer"
    else:
        expected = enforced[first][1] if first < len(enforced) else "acknowledge"
    assert decision.outcome == expected
    assert len(decision.reasons) == len(refusals)
    assert len(decision.trace) == len(drawn)


def test_a_leaf_of_every_group_can_be_named_in_a_rule() -> None:
    for operation, groups in GROUPS.items():
        rules = "".join(
            rule(
                f"r{number}",
                f"{'.'.join(path)} == {'.'.join(path)}",
                "defer",
                applies_to=f"[{operation}]",
            )
            for number, path in enumerate(leaves(groups))
        )
        assert load(HEAD + rules).groups(operation) == groups.keys()


@pytest.mark.parametrize(
    "when",
    [
        'request.notes == "x"',
        '.request.notes == "x" && request.id == 1',
        '(request).notes == "x" && has(request.id)',
        '[request].all(each, each.notes == "x") && request.id == 1',
        'request . notes == "x" && service.known && service.id != ""',
        'request.characteristicsByName["A"] == request.characteristics[0].value',
        'service.state == "live" && has(service.specification) && !has(service.incident)',
    ],
)
def test_a_rule_gets_whatever_it_names_however_that_is_written(when: str) -> None:
    given = facts({"notes": "x", "characteristics": [{"name": "A", "value": "1"}]})
    decision = load(HEAD + rule("one", when, "defer")).decide(Operation.PROBLEM, given, {})
    assert decision.rule == "one"


def test_what_no_rule_names_is_not_handed_to_any() -> None:
    named = load(HEAD + rule("one", "request.id == 1", "reject", message="is {service.state}"))
    section = named.sections[Operation.PROBLEM]
    assert section.known(facts({"notes": "x"}), {}).values == {
        "request": {"id": 1},
        "service": {"known": True, "id": LIVE.service_id, "state": "live"},
    }
