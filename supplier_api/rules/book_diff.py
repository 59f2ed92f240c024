"""What is different between two rule books: rules added, removed, changed and moved, defaults."""

from difflib import SequenceMatcher
from typing import Any

from supplier_api.clock import to_wire
from supplier_api.rules.book import RuleBook
from supplier_api.rules.conditions import tokens
from supplier_api.rules.model import Definition, Operation
from supplier_api.rules.rule import ParsedRule

# The keys of a rule that are compared, in the order in which they are shown.
KEYS = (
    "applies_to",
    "when",
    "then",
    "code",
    "message",
    "mode",
    "audit_in",
    "active_from",
    "active_until",
    "description",
)


def diff(old: RuleBook, new: RuleBook) -> dict[str, Any]:
    """Return the differences as plain JSON values, rules in the order of their books.

    A condition that is only spaced otherwise is the same. `moved` are rules that stand elsewhere
    among those that both books have. Rules written in Python belong to no book.
    """
    before, after = _written(old), _written(new)
    shared = [rule for rule in after if rule in before]
    changed = {rule: _changes(before[rule], after[rule]) for rule in shared}
    return {
        "added": [rule for rule in after if rule not in before],
        "removed": [rule for rule in before if rule not in after],
        "changed": [{"rule": rule, "keys": keys} for rule, keys in changed.items() if keys],
        "moved": _moved([rule for rule in before if rule in after], shared),
        "defaults": [
            {"operation": operation, "old": was, "new": is_now}
            for operation in Operation
            if (was := old.sections[operation].default)
            is not (is_now := new.sections[operation].default)
        ],
    }


def _written(book: RuleBook) -> dict[str, ParsedRule]:
    rules = book.definitions()
    return {name: rule for name, rule in rules.items() if isinstance(rule, ParsedRule)}


def _changes(old: ParsedRule, new: ParsedRule) -> dict[str, dict[str, Any]]:
    """Return the keys that are different, each with its old and its new value."""
    return {
        key: {"old": _plain(old, key), "new": _plain(new, key)}
        for key in KEYS
        if _compared(old, key) != _compared(new, key)
    }


def _compared(rule: ParsedRule, key: str) -> object:
    return tokens(rule.when) if key == "when" else getattr(rule, key)


def _plain(rule: Definition, key: str) -> Any:
    value = getattr(rule, key)
    if isinstance(value, frozenset):
        return sorted(value)
    if key in ("active_from", "active_until"):
        return value and to_wire(value)
    return value


def _moved(old: list[str], new: list[str]) -> list[str]:
    """Return the rules that have to be moved to make one order of the other."""
    stay = {
        rule
        for block in SequenceMatcher(None, old, new, autojunk=False).get_matching_blocks()
        for rule in old[block.a : block.a + block.size]
    }
    return [rule for rule in new if rule not in stay]
