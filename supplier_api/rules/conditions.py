"""The logic of a condition: what `&&`, `||`, `!` and parentheses make of the rest of it.

The rest, such as a comparison or a call, is a term: true or false, whatever is in it. So conditions
can be compared whatever their spaces and order, and `a || !a` is seen to hold always.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise, product
from typing import TypeAlias

from supplier_api.rules.cel import STRING

_MOST_TERMS = 8  # beyond that the table of truth is not worth its time
_TOKEN = re.compile(
    r"""
      (?P<comment> //[^\n]* )
    | """
    + STRING
    + r"""
    | \d[\w.]* | [A-Za-z_]\w* | && | \|\| | [=!<>]= | \S
    """,
    re.VERBOSE | re.DOTALL,
)
_OPENING, _CLOSING = frozenset("([{"), frozenset(")]}")
# A comparison that is another one the other way round: its sides change places, or it is denied.
_TURNED = {">": ("<", True, False), ">=": ("<", False, True), "<=": ("<", True, True)}
_COMPARISONS = frozenset({"==", "!=", "<", "<=", ">", ">="})
Values: TypeAlias = Mapping[str, bool]
Tokens: TypeAlias = Sequence[str]


def tokens(text: str) -> list[str]:
    """Return the parts of an expression, without spaces and comments."""
    return [found[0] for found in _TOKEN.finditer(text) if not found["comment"]]


@dataclass(frozen=True, slots=True)
class Term:
    """A part that is not taken apart."""

    text: str

    def terms(self) -> frozenset[str]:
        """Return the terms of this condition; a constant is none."""
        return frozenset() if self.text in ("true", "false") else frozenset({self.text})

    def holds(self, values: Values) -> bool:
        """Return whether this holds with these values of the terms."""
        return self.text == "true" if self.text in ("true", "false") else values[self.text]


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite."""

    of: "Condition"

    def terms(self) -> frozenset[str]:
        """Return the terms of this condition."""
        return self.of.terms()

    def holds(self, values: Values) -> bool:
        """Return whether this holds with these values of the terms."""
        return not self.of.holds(values)


@dataclass(frozen=True, slots=True)
class Joined:
    """Parts of which all must hold, or any."""

    parts: tuple["Condition", ...]
    every: bool

    def terms(self) -> frozenset[str]:
        """Return the terms of this condition."""
        return frozenset[str]().union(*(part.terms() for part in self.parts))

    def holds(self, values: Values) -> bool:
        """Return whether this holds with these values of the terms."""
        held = (part.holds(values) for part in self.parts)
        return all(held) if self.every else any(held)


Condition: TypeAlias = Term | Not | Joined


def condition(text: str) -> Condition:
    """Return the logic of an expression that compiles."""
    return _read(tokens(text))


def always(one: Condition) -> bool | None:
    """Return what a condition gives whatever its terms are; None if it depends on them."""
    if len(one.terms()) > _MOST_TERMS:
        return None
    results = {one.holds(values) for values in _tables(one.terms())}
    return results.pop() if len(results) == 1 else None


def same(one: Condition, other: Condition) -> bool:
    """Return whether two conditions hold for the same requests, as far as their terms tell."""
    if one == other:
        return True
    terms = one.terms()
    if terms != other.terms() or not 0 < len(terms) <= _MOST_TERMS:
        return False
    return all(one.holds(values) == other.holds(values) for values in _tables(terms))


def _tables(terms: frozenset[str]) -> Iterator[Values]:
    names = sorted(terms)
    for row in product((False, True), repeat=len(names)):
        yield dict(zip(names, row, strict=True))


def _read(of: Tokens) -> Condition:
    """Return the logic of these tokens; `||` binds less than `&&`, and `?` less than both."""
    if "?" not in _at_top(of):
        for operator, every in (("||", False), ("&&", True)):
            parts = _split(of, operator)
            if len(parts) > 1:
                return Joined(tuple(map(_read, parts)), every)
        if len(of) > 1 and of[0] == "(" and _closing(of) == len(of) - 1:
            return _read(of[1:-1])
        compared = [at for at, each in _tops(of) if each in _COMPARISONS]
        if len(compared) == 1:
            return _comparison(of[: compared[0]], of[compared[0]], of[compared[0] + 1 :])
        if len(of) > 1 and of[0] == "!" and not compared and "in" not in _at_top(of):
            return Not(_read(of[1:]))
    return Term(" ".join(of))


def _comparison(left: Tokens, operator: str, right: Tokens) -> Condition:
    """Return a comparison as `==` or `<`, or as the opposite of one."""
    sides = [" ".join(left), " ".join(right)]
    if operator in ("==", "!="):
        term = Term(" == ".join(sorted(sides)))
        return Not(term) if operator == "!=" else term
    _, turned, denied = _TURNED.get(operator, ("<", False, False))
    less = Term(" < ".join(reversed(sides) if turned else sides))
    return Not(less) if denied else less


def _split(of: Tokens, operator: str) -> list[Tokens]:
    """Return what stands between the operators that are in no brackets."""
    places = [-1, *(at for at, each in _tops(of) if each == operator), len(of)]
    return [of[start + 1 : end] for start, end in pairwise(places)]


def _at_top(of: Tokens) -> set[str]:
    return {each for _, each in _tops(of)}


def _tops(of: Tokens) -> Iterator[tuple[int, str]]:
    """Yield the tokens that are in no brackets, with their places."""
    depth = 0
    for at, each in enumerate(of):
        if each in _CLOSING:
            depth -= 1
        if depth == 0:
            yield at, each
        if each in _OPENING:
            depth += 1


def _closing(of: Tokens) -> int:
    """Return the place of the bracket that closes the first one."""
    return next(at for at, each in _tops(of) if each in _CLOSING)
