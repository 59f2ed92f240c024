"""Warnings about rules that are legal but probably not meant.

They look at a book that is sound. What the compiler of expressions cannot know is looked for here:
rules that never or always hold, words that the contract does not have, and messages that hold what
is nobody's business outside.
"""

import re
import string
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import TypeAlias

from marshmallow import Schema
from marshmallow.fields import Nested

from supplier_api.contract.codes import Status
from supplier_api.contract.fields import Code
from supplier_api.rules.cel import Expression
from supplier_api.rules.conditions import always, condition, same, tokens
from supplier_api.rules.facts import REQUESTS, Path
from supplier_api.rules.inventory import state_hint
from supplier_api.rules.model import BookFinding, Operation, Outcome, meant
from supplier_api.rules.rule import ParsedRule
from supplier_api.rules.yaml_source import YamlSource

Expressions: TypeAlias = Mapping[tuple[str, Operation], Expression]

# The words of the lifecycle (problems/model.py).
PROBLEM_WORDS: Mapping[Path, frozenset[str]] = {
    ("problem", "status"): frozenset({"UNDECIDED", *Status}),
    ("problem", "base"): frozenset(
        {
            "UNDECIDED",
            Status.ACKNOWLEDGED,
            Status.IN_PROGRESS,
            Status.RESOLVED,
            Status.REJECTED,
            Status.CANCELLED,
            Status.COMPLETED,
        }
    ),
    ("problem", "waiting"): frozenset({Status.PENDING, Status.HELD, Status.NETWORK_INCIDENT}),
    ("problem", "awaits"): frozenset({"information", "appointment"}),
}
_STATE = ("service", "state")
_NAME = re.compile(r"[A-Za-z_]\w*")
_PLAIN_TEXT = re.compile(r"""(["'])([^"'\\]*)\1""")

_INSIDE = r"(?:local|localdomain|internal|intranet|lan|corp|home)"
_PRIVATE = (
    r"(?:10\.\d{1,3}|127\.\d{1,3}|192\.168|169\.254|172\.(?:1[6-9]|2\d|3[01]))\.\d{1,3}\.\d{1,3}"
)
# What must not reach a tenant, and how it is recognised.
_NOT_FOR_TENANTS = {
    "a secret": re.compile(
        r"(?i:\b(?:password|passwd|passphrase|secret|token|api[_-]?key|authorization)\b\s*[:=]\s*\S)"
        r"|(?i:\bbearer\s+[\w.-]{8,})|-----BEGIN |\bAKIA[0-9A-Z]{16}\b|\beyJ[\w-]{10,}\."
        r"|://[^/\s:@]+:[^/\s@]+@"
    ),
    "a stack trace": re.compile(
        r"Traceback \(most recent|\bFile \".*\", line \d+|\bat [\w$.]+\([\w$]+\.\w+:\d+\)"
        r"|\b[A-Z]\w*[a-z](?:Error|Exception)\b|\bORA-\d{4,5}\b|\bSQLSTATE\b"
    ),
    "an address inside": re.compile(
        rf"(?i:\bhttps?://(?:localhost|[\w-]+)(?=:\d|[/\s]|$))|(?i:\b[\w-]+\.{_INSIDE}\b)"
        rf"|\b{_PRIVATE}\b|(?i:\blocalhost\b)"
        r"|(?<![\w/:])/(?:etc|home|opt|root|srv|tmp|usr|var)/\S|\b[A-Z]:\\|\\\\\w+\\"
    ),
    "a placeholder": re.compile(
        r"\b(?:TODO|FIXME|TBD|XXX)\b|\{[^{}]*\}|\$\w*\{|<[a-z][a-z _-]*>|%[sd]\b"
        r"|(?i:\blorem ipsum\b)"
    ),
}


def warnings(
    source: YamlSource, rules: Sequence[ParsedRule], expressions: Expressions, profile: str
) -> Iterator[BookFinding]:
    """Yield the warnings about the rules of a book for a profile of the settings."""
    for rule in rules:
        yield from _empty_window(source, rule)
        yield from _always_the_same(source, rule, expressions)
        yield from _unknown_words(source, rule)
        yield from _not_for_tenants(source, rule)
    for earlier, later in combinations(rules, 2):
        shared = sorted(earlier.applies_to & later.applies_to)
        if not shared:
            continue
        if any(_always_decides(earlier, expressions[earlier.id, each], profile) for each in shared):
            yield _after_unconditional(source, earlier, later)
        if earlier.then is not later.then and same(condition(earlier.when), condition(later.when)):
            text = f"{later.id}: the same condition as {earlier.id}, with another outcome"
            yield source.finding(later.place("when"), text)


def _empty_window(source: YamlSource, rule: ParsedRule) -> Iterator[BookFinding]:
    if rule.active_from and rule.active_until and rule.active_until <= rule.active_from:
        text = f"{rule.id}: is never active, since it ends before it begins"
        yield source.finding(rule.place("active_until"), text)


def _always_the_same(
    source: YamlSource, rule: ParsedRule, expressions: Expressions
) -> Iterator[BookFinding]:
    """Yield a warning for a condition that names facts, and gives the same whatever they are."""
    result = always(condition(rule.when))
    constant = any(expressions[rule.id, each].constant is not None for each in rule.applies_to)
    if result is not None and not constant:
        text = f"{rule.id}: {'always' if result else 'never'} matches, whatever the facts are"
        yield source.finding(rule.place("when"), text)


def _always_decides(rule: ParsedRule, expression: Expression, profile: str) -> bool:
    dated = rule.active_from or rule.active_until
    if dated or rule.only_records(profile):
        return False
    return expression.constant is True or always(condition(rule.when)) is True


def _after_unconditional(source: YamlSource, earlier: ParsedRule, later: ParsedRule) -> BookFinding:
    what = "never decides" if later.then is not Outcome.REJECT else "should stand first"
    text = f"{later.id}: {what}, since {earlier.id} before it matches everything"
    return source.finding(later.node, text)


# -- words that the contract does not have


def _unknown_words(source: YamlSource, rule: ParsedRule) -> Iterator[BookFinding]:
    for path, word in dict.fromkeys(_compared(tokens(rule.when))):
        hints = [hint for each in rule.applies_to if (hint := _hint(each, path, word))]
        if hints:
            name = ".".join(path)
            text = f'{rule.id}: {name} is never "{word}"'
            offset = max(rule.when.find(word), 0)
            yield source.finding(rule.place("when"), text, hints[0], offset)


def _hint(operation: Operation, path: Path, word: str) -> str:
    """Return what may be meant by a word that is not one of the path's; empty if it is one."""
    if path == _STATE:
        return state_hint(word)
    words = _WORDS[operation].get(path, PROBLEM_WORDS.get(path))
    return "" if words is None or word in words else meant(word, words)


def _compared(of: Sequence[str]) -> Iterator[tuple[Path, str]]:
    """Yield each path that is compared with a text, and the text: by ==, != or `in [...]`."""
    for at, each in enumerate(of):
        if each in ("==", "!="):
            for path, text in (
                (_path_before(of, at), _text(of, at + 1)),
                (_path_after(of, at + 1), _text(of, at - 1)),
            ):
                if path and text is not None:
                    yield path, text
        elif each == "in" and of[at + 1 : at + 2] == ["["]:
            path = _path_before(of, at)
            closing = next((end for end in range(at, len(of)) if of[end] == "]"), at)
            for place in range(at + 2, closing):
                if path and (text := _text(of, place)) is not None:
                    yield path, text


def _text(of: Sequence[str], at: int) -> str | None:
    found = _PLAIN_TEXT.fullmatch(of[at]) if 0 <= at < len(of) else None
    return found[2] if found else None


def _path_before(of: Sequence[str], end: int) -> Path:
    """Return the path that stands right before `end`; empty if there is none."""
    start = end - 1
    while start >= 2 and _NAME.fullmatch(of[start]) and of[start - 1] == ".":
        start -= 2
    return _path(of[max(start, 0) : end])


def _path_after(of: Sequence[str], start: int) -> Path:
    end = start + 1
    while end + 1 < len(of) and of[end] == "." and _NAME.fullmatch(of[end + 1]):
        end += 2
    called = end < len(of) and of[end] in ("(", "[")
    return () if called else _path(of[start:end])


def _path(of: Sequence[str]) -> Path:
    names = tuple(of[::2])
    return names if len(names) > 1 and all(map(_NAME.fullmatch, names)) else ()


def _codes(schema: Schema, prefix: Path) -> Iterator[tuple[Path, frozenset[str]]]:
    """Yield the fields of a message that hold one of the published codes, and these."""
    for name, field in schema.fields.items():
        if isinstance(field, Code):
            yield (*prefix, name), field.words
        elif isinstance(field, Nested):
            yield from _codes(field.schema, (*prefix, name))


_WORDS = {operation: dict(_codes(schema, ("request",))) for operation, schema in REQUESTS.items()}


# -- what is nobody's business outside


def _not_for_tenants(source: YamlSource, rule: ParsedRule) -> Iterator[BookFinding]:
    """Yield a warning for each kind of text in the message that must not reach a tenant."""
    if rule.message is None:
        return
    # The texts between the facts, in which a brace that is written twice stands once.
    written = "\0".join(literal for literal, *_ in string.Formatter().parse(rule.message))
    for what, pattern in _NOT_FOR_TENANTS.items():
        if found := pattern.search(written):
            text = f"{rule.id}: the message goes to the tenant, and holds what looks like {what}"
            offset = max(rule.message.find(found[0]), 0)
            yield source.finding(rule.place("message"), text, offset=offset)
