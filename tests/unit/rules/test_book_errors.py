"""Every error in a rule book is reported with file, line, column and a hint."""

from pathlib import Path

import pytest

from supplier_api.rules.loading import load_book
from supplier_api.rules.model import BookError, Outcome
from tests.unit.rules.books import load

GOOD = """\
version: 1
default:
  problem: acknowledge
  amendment: commit
  cancellation: commit
rules:
  - id: not-ours
    applies_to: [problem]
    when: service.known
    then: reject
    code: OTHER
    message: "service {service.id}"
    mode: enforce
    audit_in: [sandbox]
    active_from: 2026-01-05T12:00:00Z
    examples:
      - facts: {service: {state: live}}
        verdict: matched
"""


def findings(text: str) -> list[str]:
    """Return the findings about a book, as file:line:column: text (hint), the file by its name."""
    with pytest.raises(BookError) as raised:
        load(text)
    return [str(each).rpartition("/")[2] for each in raised.value.findings]


def test_the_book_that_the_mistakes_are_put_into_is_good() -> None:
    assert load(GOOD).warnings == ()


@pytest.mark.parametrize(
    ("right", "wrong", "expected"),
    [
        ("version: 1", "version: 2", "1:10: version: unknown format (this release reads 1)"),
        ("version: 1", "version: one", "1:10: version: a whole number is needed here"),
        ("version: 1\n", "", "1:1: rule book: version is missing"),
        ("rules:", "rule:", "6:1: unknown key rule (did you mean rules?)"),
        (
            "  problem: acknowledge",
            "  problem: reject",
            "3:12: problem: cannot be reject by default (allowed: acknowledge, commit, defer)",
        ),
        (
            "  amendment: commit",
            "  amendment: acknowledge",
            "4:14: amendment: cannot be acknowledge by default (allowed: commit, defer)",
        ),
        ("  amendment: commit\n", "", "3:3: default: amendment is missing"),
        (
            "problem: acknowledge",
            "problem: acknowlege",
            "3:12: problem: unknown word acknowlege (did you mean acknowledge?)",
        ),
        ("id: not-ours", "id: Not ours", "7:9: id: 'Not ours' is not made of small letters,"),
        ("id: not-ours", "id: default", "7:9: id: default is a word of the trace"),
        ("id: not-ours", "id: 12", '7:9: id: a text is needed here (write "12")'),
        ("id: not-ours", "id: [a]", "7:9: id: a text is needed here"),
        (
            "[problem]",
            "[problms]",
            "8:18: applies_to: unknown word problms (did you mean problem?)",
        ),
        ("[problem]", "[]", "8:17: applies_to: name at least one operation ([problem])"),
        ("[problem]", "problem", "8:17: applies_to: a list is needed here"),
        (
            "    when: service.known\n",
            "",
            "7:5: rule: when is missing",
        ),
        (
            "when: service",
            "wenn: service",
            "9:5: unknown key wenn (did you mean when?)",
        ),
        (
            "service.known\n",
            "service.knwon\n",
            "9:19: when: unknown field knwon (did you mean known?)",
        ),
        (
            "service.known\n",
            "service.state\n",
            "9:11: when: gives string, where true or false is needed",
        ),
        ("service.known\n", "true\n", '9:11: when: a text is needed here (write "true")'),
        (
            "then: reject",
            "then: rejct",
            "10:11: then: unknown word rejct (did you mean reject?)",
        ),
        ("then: reject", "then: defer", "11:11: code: only a reject has one"),
        ("then: reject", "then: defer", "12:14: message: only a reject has one"),
        ("    code: OTHER\n", "", "10:11: then: reject needs a code"),
        (
            '    message: "service {service.id}"\n',
            "",
            "10:11: then: reject needs a message",
        ),
        (
            "code: OTHER",
            "code: NETWORK_ISUE",
            "11:11: code: unknown word NETWORK_ISUE (did you mean NETWORK_ISSUE?)",
        ),
        (
            "{service.id}",
            "{service.ids}",
            "12:14: message: unknown fact {service.ids} (did you mean service.id?)",
        ),
        (
            "{service.id}",
            "{request.notes}",
            "12:14: message: {request.notes} is personal or free text, and messages go to third",
        ),
        (
            "{service.id}",
            "{request.characteristicsByName.A}",
            "12:14: message: {request.characteristicsByName.A} is personal",
        ),
        ("{service.id}", "{request.address}", "12:14: message: {request.address} is no single"),
        ("{service.id}", "{service.id!r}", "12:14: message: {service.id} allows no format"),
        ("{service.id}", "{service.id", "12:14: message: expected '}' before end of string"),
        ("service {service.id}", " ", "12:14: message: empty"),
        ("service {service.id}", "x" * 1001, "12:14: message: longer than 1000 characters"),
        (
            "service {service.id}",
            "a \\x07 bell",
            "12:16: message: holds a control character",
        ),
        ("mode: enforce", "mode: audits", "13:11: mode: unknown word audits (did you mean audit?)"),
        (
            "[sandbox]",
            "[test]",
            "14:16: audit_in: unknown word test (allowed: production, sandbox)",
        ),
        (
            "2026-01-05T12:00:00Z",
            "2026-01-05T12:00:00",
            "15:18: active_from: a date-time with an offset is needed here (write 2026-01-05T12:0",
        ),
        ("2026-01-05T12:00:00Z", "2026-01-05", "15:18: active_from: a date-time with an offset"),
        ("2026-01-05T12:00:00Z", "[]", "15:18: active_from: a date-time with an offset"),
        ("    mode: enforce", "    id: other", "13:5: duplicate key id"),
        ("    mode: enforce", "    <<: other", "13:5: unknown key <<"),
        ("examples:", "examples: 1\n    description:", "16:15: examples: a list is needed here"),
        (
            "{service: {state: live}}",
            "{servise: {state: live}}",
            "17:17: unknown key servise (did you mean service?)",
        ),
        (
            "{service: {state: live}}",
            "{service: {stat: live}}",
            "17:27: unknown key stat (did you mean state?)",
        ),
        (
            "{service: {state: live}}",
            "{service: {known: 1}}",
            "17:34: known: true or false is needed here",
        ),
        (
            "{service: {state: live}}",
            "{request: {id: x}}",
            "17:31: id: a whole number is needed here",
        ),
        (
            "verdict: matched",
            "verdict: match",
            "18:18: verdict: unknown word match (did you mean matched?)",
        ),
        ("verdict: matched", "verdict: audited", "18:18: verdict: no example is audited"),
        (
            "verdict: matched",
            "verdict: matched\n        operation: amendment",
            "19:20: operation: the rule does not apply to it",
        ),
        ("        verdict: matched\n", "", "17:9: example: verdict is missing"),
    ],
)
def test_a_mistake_stops_the_start(right: str, wrong: str, expected: str) -> None:
    assert GOOD.count(right) == 1
    found = findings(GOOD.replace(right, wrong))
    assert any(each.startswith(f"rules.yaml:{expected}") for each in found), found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "1:1: the file is empty"),
        ("[1]", "1:1: rule book: keys with values are needed here"),
        ("version: 1\nrules: [", "2:9: not YAML: "),
        ("a: &x 1\nb: *x", "2:4: not YAML: an alias (*name) is not allowed here"),
        ("version: 1\n\x00", "2:1: not YAML: a character that is not allowed"),
        ("--- 1\n--- 2", "2:1: not YAML: but found another document"),
        ("? [a]\n: 1", "1:3: rule book: a key is a word"),
    ],
)
def test_what_is_no_book_at_all_is_told_too(text: str, expected: str) -> None:
    assert any(each.startswith(f"rules.yaml:{expected}") for each in findings(text))


def test_an_id_stands_once() -> None:
    second = GOOD[GOOD.index("  - id:") :]
    assert findings(GOOD + second) == ["rules.yaml:19:9: duplicate id not-ours (first in line 7)"]


def test_a_rule_is_checked_for_each_operation_that_it_applies_to() -> None:
    both = GOOD.replace("[problem]", "[problem, cancellation]").replace(
        "service.known\n", "has(request.address) && request.serviceProblemId > 0\n"
    )
    assert [each.partition(" (")[0] for each in findings(both)] == [
        "rules.yaml:9:23: when: unknown field address in cancellation",
        "rules.yaml:9:43: when: unknown field serviceProblemId in problem",
    ]


def test_no_change_is_acknowledged() -> None:
    wrong = GOOD.replace("[problem]", "[amendment]").replace("reject", "acknowledge")
    assert findings(wrong)[0] == (
        "rules.yaml:10:11: then: acknowledge is no answer to: amendment "
        "(allowed: commit, defer, reject)"
    )


def test_everything_is_told_at_once_in_the_order_of_the_file() -> None:
    wrong = (
        GOOD.replace("version: 1", "version: 3").replace("OTHER", "OTER").replace("live}}", "1}}")
    )
    assert [int(each.split(":")[1]) for each in findings(wrong)] == [1, 11, 17]


def test_a_file_that_is_not_there_is_a_finding(tmp_path: Path) -> None:
    with pytest.raises(BookError, match="cannot be read"):
        load_book(tmp_path / "none.yaml", "sandbox")


def test_a_fallback_that_is_no_answer_to_everything_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="fallback"):
        load_book(tmp_path / "none.yaml", "sandbox", fallback=Outcome.ACKNOWLEDGE)


@pytest.mark.parametrize(
    ("when", "line", "column"),
    [
        ("service.knwon", 9, 19),
        ('"service.knwon"', 9, 20),
        ("'service.knwon'", 9, 20),
        ("|\n      true &&\n        service.knwon", 11, 17),
        (">-  # folded\n      true &&\n      service.knwon", 11, 15),
        ("true &&\n      service.knwon", 10, 15),
        ('"true && \\"a\\" == tenant &&\n      service.knwon"', 10, 15),
    ],
)
def test_the_place_is_that_in_the_file_however_the_text_is_written(
    when: str, line: int, column: int
) -> None:
    wrong = GOOD.replace("when: service.known", f"when: {when}")
    assert findings(wrong) == [
        f"rules.yaml:{line}:{column}: when: unknown field knwon (did you mean known?)"
    ]
