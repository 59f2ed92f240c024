"""The logic of conditions, whatever their spaces and order."""

import pytest

from supplier_api.rules.conditions import always, condition, same


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a==b", "a  ==\n b // as before"),
        ("a == b", "b == a"),
        ("(a)", "a"),
        ("a && b", "b && a"),
        ("a && b || c", "c || (b && a)"),
        ("!(a || b)", "!a && !b"),
        ("a != b", "!(b == a)"),
        ("a > b", "b < a"),
        ("a >= b", "!(a < b)"),
        ('x.exists(e, e == "a || b")', 'x.exists(e, e=="a || b")'),
        ("a && true", "a"),
    ],
)
def test_the_same(one: str, other: str) -> None:
    assert same(condition(one), condition(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a", "!a"),
        ("a && b", "a || b"),
        ("a && b || c", "a && (b || c)"),
        ('a == "x  y"', 'a == "x y"'),
        ("a < b", "b < a"),
        ("a ? b : c", "a ? c : b"),
        ("!a == b", "!(a == b) && c"),
        ("a", "b"),
    ],
)
def test_not_the_same(one: str, other: str) -> None:
    assert not same(condition(one), condition(other))


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("a || !a", True),
        ("a && ! ( a )", False),
        ("(a && b) || !a || !b", True),
        ("a == b || b != a", True),
        ("a < b || a >= b", True),
        ("size(x) > 0 || !(size(x) > 0)", True),
        ("a || true", True),
        ("a || !b", None),
        ("a ? b : !b", None),
        ("!(x in y) || x in y", True),
        # As CEL has it, which binds `!` first.
        ("!x in y || x in y", None),
        (" || ".join(f"a{number}" for number in range(9)) + " || !a0", None),
    ],
)
def test_always(text: str, result: bool | None) -> None:
    assert always(condition(text)) is result
