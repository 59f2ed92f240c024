"""CEL expressions: errors found by the compiler, groups and paths, evaluation."""

from dataclasses import replace

import pytest

from supplier_api.rules.cel import (
    MAX_EXPRESSION,
    ExpressionError,
    ExpressionFailed,
    JsonLanguage,
    Language,
)
from supplier_api.rules.facts import GROUPS, UNKNOWN, Facts, values
from supplier_api.rules.model import Operation, RuleNotEvaluated
from tests.unit.rules.books import facts

PROBLEM = Language(GROUPS[Operation.PROBLEM])


def holds(text: str, given: Facts) -> bool:
    bound = PROBLEM.bind({group: values(given, group) for group in GROUPS[Operation.PROBLEM]})
    return PROBLEM.compile(text).holds(bound)


@pytest.mark.parametrize(
    ("text", "at", "what", "hint"),
    [
        ("request.serviceID == 'a'", "serviceID", "unknown field serviceID", "serviceId?"),
        ("request.primaryContact.nam == 'a'", "nam ", "unknown field nam", "name?"),
        ("service.state == 'a' && reqest.id == 1", "reqest", "unknown name reqest", "request?"),
        ("request.serviceId == 1", "==", "'==' cannot be applied to (string, int)", ""),
        ("request.id == 23467.0", "==", "(int, double)", ""),
        ("'é🎉' == request.x", "x", "unknown field x", "allowed"),
        ("request.serviceId.starts('a')", "starts", "unknown function starts()", ""),
        ("request.serviceId", "request", "gives string", ""),
        ("request.id > 0 &&", "", "Syntax error", ""),
        ("request.serviceId.matches('(')", "'('", "invalid regular expression", ""),
        ("matches(tenant, '(') || true", "'('", "invalid regular expression", ""),
        ("clock.now < timestamp('soon')", "'soon'", "timestamp('soon')", ""),
        ("dyn(request).foo == 1", "dyn", "switches the check", ""),
        ("1 / 0 == 1", "1 / 0", "can never be evaluated", ""),
        ("true" + " " * MAX_EXPRESSION, "true", "longer than", ""),
    ],
)
def test_a_mistake_is_found_at_load_where_it_is(text: str, at: str, what: str, hint: str) -> None:
    with pytest.raises(ExpressionError) as raised:
        PROBLEM.compile(text)
    (fault,) = raised.value.faults
    assert fault.offset == (text.index(at) if at else len(text))
    assert what in fault.text
    assert hint in fault.hint


def test_all_mistakes_are_told_at_once() -> None:
    with pytest.raises(ExpressionError) as raised:
        PROBLEM.compile("request.a == 1 &&\n  service.b == 2 ||\n  tenent == ''")
    assert [fault.text for fault in raised.value.faults] == [
        "unknown field a",
        "unknown field b",
        "unknown name tenent",
    ]


@pytest.mark.parametrize(
    ("text", "groups"),
    [
        ("true", set()),
        ("'service' == tenant", {"tenant"}),
        ("request.serviceId == ''", {"request"}),
        ("[1].all(service, service > 0)", set()),
        ("service.known && size(open_problems) > 0", {"service", "open_problems"}),
        ("size(incidents) > 0 || clock.now > timestamp(0) // tenant", {"incidents", "clock"}),
    ],
)
def test_the_groups_that_an_expression_names_are_learnt(text: str, groups: set[str]) -> None:
    assert PROBLEM.compile(text).groups == groups


@pytest.mark.parametrize(
    ("text", "reads"),
    [
        ("request.serviceSpecification.id == 'tenant'", ["request.serviceSpecification.id"]),
        ("has(request.address) // service.id", ["request.address"]),
        ("request . serviceId.startsWith('SI')", ["request.serviceId"]),
        (".request.serviceId == '' || . tenant == ''", ["request.serviceId", "tenant"]),
        ('"A" in request.characteristicsByName', ["request.characteristicsByName.A"]),
        ("request.characteristicsByName['A'] == 'b'", ["request.characteristicsByName.A"]),
        ("has(request.characteristicsByName.A)", ["request.characteristicsByName.A"]),
        ("size(request.characteristicsByName) > 1", ["request.characteristicsByName"]),
        ("request.characteristics[0].value == 'tenant'", ["request.characteristics"]),
        (r"tenant.matches(r'^\d service.id$')", ["tenant"]),
        ("tenant == '' || tenant == 'a'", ["tenant"]),
    ],
)
def test_the_paths_that_an_expression_reads_are_learnt(text: str, reads: list[str]) -> None:
    assert [".".join(path) for path in PROBLEM.compile(text).reads] == reads


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("has(request.address)", False),
        ("request.address.id == ''", True),
        ("request.id == 9223372036854775807", True),
        ("request.characteristics.exists(each, each.name == 'B')", True),
        ("request.characteristicsByName['A'] == '2'", True),
        ("service.known && !has(service.incident)", True),
        ("clock.now.getHours('Europe/London') == 12", True),
        ("'SP_1' in open_problems", True),
    ],
)
def test_facts_are_read_as_they_are_written(text: str, result: bool) -> None:
    named = [{"name": "A", "value": "1"}, {"name": "B", "value": ""}, {"name": "A", "value": "2"}]
    request = {"id": 2**63 - 1, "characteristics": named}
    assert holds(text, facts(request, open_problems=["SP_1"])) is result


def test_a_service_that_is_not_in_the_inventory_can_be_told() -> None:
    given = facts(service=None)
    assert holds("!service.known && !has(service.id) && service.state == ''", given)


MISSING = "request.characteristicsByName['X'] == 'a'"


@pytest.mark.parametrize(
    ("text", "result"), [(f"{MISSING} || true", True), (f"{MISSING} && false", False)]
)
def test_an_error_that_changes_nothing_is_passed_over(text: str, result: bool) -> None:
    assert holds(text, facts({"characteristics": []})) is result


@pytest.mark.parametrize("text", [MISSING, f"{MISSING} || false", f"{MISSING} && true"])
def test_an_error_that_leaves_the_result_open_is_no_verdict(text: str) -> None:
    with pytest.raises(RuleNotEvaluated, match="Key not found"):
        holds(text, facts({"characteristics": []}))


@pytest.mark.parametrize(
    "text",
    [
        "request.characteristicsByName[request.notes] == 'a'",
        "int(request.notes) > 1",
        "timestamp(request.notes) < clock.now",
        "tenant.matches(request.notes)",
        "bool(request.notes)",
    ],
)
def test_an_error_tells_no_value_of_the_request(text: str) -> None:
    with pytest.raises(RuleNotEvaluated) as raised:
        holds(text, facts({"notes": "(MARKER", "characteristics": []}))
    assert "MARKER" not in str(raised.value)
    assert str(raised.value)


def test_an_evaluation_has_a_budget() -> None:
    every_pair = "request.characteristics.all(a, request.characteristics.all(b, a.name == b.name))"
    hundred = [{"name": "A", "value": "1"}] * 100
    with pytest.raises(RuleNotEvaluated, match="budget"):
        holds(every_pair, facts({"characteristics": hundred}))
    assert holds(every_pair, facts({"characteristics": hundred[:50]}))


def evaluated(texts: list[str], given: Facts) -> list[bool | None]:
    """Evaluate expressions on facts bound once, as a rule book does; None for one that fails."""
    known = {group: values(given, group) for group in GROUPS[Operation.PROBLEM]}
    known = {group: value for group, value in known.items() if value is not UNKNOWN}
    bound = PROBLEM.bind(known)
    found: list[bool | None] = []
    for text in texts:
        try:
            found.append(PROBLEM.compile(text).holds(bound))
        except RuleNotEvaluated:
            found.append(None)
    return found


def test_expressions_on_the_same_facts_say_what_each_says_alone() -> None:
    texts = [
        "tenant == 'TENANT1' // a comment at the end",
        "tenant == 'TENANT1' ? false : true",
        "true",
        "size(open_problems) > 0 || tenant != ''",
        "size(open_problems) > 0",
        "tenant == 'TENANT1' // a comment at the end",
    ]
    assert evaluated(texts, facts()) == [True, False, True, True, False, True]


def test_one_that_cannot_be_judged_leaves_the_others_as_they_are() -> None:
    fails = 'request.characteristicsByName["NOT_THERE"] == "a"'
    assert evaluated(["true", fails, "false"], facts()) == [True, None, False]


def test_so_does_one_whose_facts_are_not_known() -> None:
    given = replace(facts(), service=UNKNOWN)
    assert evaluated(["tenant != ''", "service.known", "tenant == ''"], given) == [
        True,
        None,
        False,
    ]


def test_there_may_be_any_number_of_them() -> None:
    many = 200
    texts = [f"size(tenant) == {number % 9}" for number in range(many)]
    texts += [f"size(tenant) * {number} == {number * 7}" for number in range(many)]
    assert evaluated(texts, facts()) == [number % 9 == 7 for number in range(many)] + [True] * many


def test_nor_does_it_matter_how_deep_they_are() -> None:
    deep = "(" * 31 + "true" + ")" * 31
    assert evaluated([deep, f"{deep} && tenant == ''"], facts()) == [True, False]


JSON = JsonLanguage("body")
TICKET = {"issue": {"key": "FD-1", "labels": ["a", "b"], "a key": {"x": 1}}, "when": 12}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("body.issue.key", "FD-1"),
        ('body.issue.key.split("-")[1]', "1"),
        ('body.issue.labels.filter(label, label != "a")[0]', "b"),
        ("string(body.when)", "12"),
        ('body.issue["a key"].x', 1),
        ('has(body.issue.note) ? body.issue.note : ""', ""),
        ('body.issue.key.startsWith("FD-")', True),
    ],
)
def test_an_expression_over_json_has_a_value(text: str, value: object) -> None:
    assert JSON.compile(text).value(JSON.bind(TICKET)) == value


@pytest.mark.parametrize(
    ("text", "why", "at"),
    [
        ("body.issue.note", "there is no note", "note"),
        ("body.isue.key", "there is no isue", "isue"),
        ("body.issue[body.issue.key]", "a key is looked up that is not there", None),
        ("body.issue.key.x", "a name is read from what is no object", None),
        ("int(body.issue.key)", "cannot convert string to int", None),
        ("body.issue.labels[7]", "Index error", None),
        ("body.issue.key + 1", "an operator or a function does not take such a value", None),
        ('("%" + body.issue.key).format([1])', 'unrecognized formatting clause "..."', None),
        ('body.issue.key.matches(body.issue.key + "(")', "invalid regular expression", None),
    ],
)
def test_an_expression_over_json_fails_without_a_word_of_the_document(
    text: str, why: str, at: str | None
) -> None:
    with pytest.raises(ExpressionFailed) as raised:
        JSON.compile(text).value(JSON.bind(TICKET))
    assert str(raised.value) == why
    assert raised.value.offset == (text.index(at) if at else None)


def test_an_expression_over_json_cannot_run_away() -> None:
    text = "body.all(a, body.all(b, body.all(c, a + b + c >= 0)))"
    with pytest.raises(ExpressionFailed, match="Iteration budget exceeded"):
        JSON.compile(text).value(JSON.bind(list(range(100))))


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("body.a.b", ["a", "a.b"]),
        ("body . a\n.b", ["a", "a.b"]),
        ('body["a b"].c', ["a b", "a b.c"]),
        ("body.a[0].b", ["a", "a.[]", "a.[].b"]),
        ('body.a.startsWith("body.x")', ["a"]),
        ("has(body.a.b) ? body.a.c : body.d", ["a", "a.b", "a", "a.c", "d"]),
        ("body.a.exists(x, x.y == 1) // body.z", ["a"]),
        ("'body.a' == 'antibody.b'", []),
    ],
)
def test_the_names_that_an_expression_reads_are_known(text: str, read: list[str]) -> None:
    names = JSON.compile(text).reads
    assert [".".join("[]" if key is None else key for key in name.path) for name in names] == read
    assert all(
        name.path[-1] is None or text.startswith(name.path[-1], name.offset) for name in names
    )


@pytest.mark.parametrize(
    ("text", "at", "what"),
    [
        ("bdy.issue", "bdy", "unknown name bdy"),
        ("body.issue +", "", "Syntax error"),
        ("shorten(body.issue)", "shorten", "unknown function shorten()"),
        ('body.key.matches("(")', '"("', "invalid regular expression"),
    ],
)
def test_a_mistake_in_an_expression_over_json_is_found(text: str, at: str, what: str) -> None:
    with pytest.raises(ExpressionError) as raised:
        JSON.compile(text)
    (fault,) = raised.value.faults
    assert what in fault.text
    assert fault.offset == (text.index(at) if at else len(text))
