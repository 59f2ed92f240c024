"""Reads and checks the file of the rule book.

A book that loads can only make decisions that the contract allows. All its errors are reported at
once, with file, line and column.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path as FilePath

from yaml.nodes import Node

from supplier_api.rules.book import BookSection, Rule, RuleBook, fields_read
from supplier_api.rules.cel import Expression, ExpressionError, Language
from supplier_api.rules.examples import Example, read_examples
from supplier_api.rules.facts import GROUPS, Path, readings
from supplier_api.rules.lint import Expressions, warnings
from supplier_api.rules.model import (
    LEGAL,
    BookError,
    BookFinding,
    Definition,
    Operation,
    Outcome,
)
from supplier_api.rules.plugins import Plugins
from supplier_api.rules.rule import ParsedRule, id_fault, parse_template, read_rule
from supplier_api.rules.yaml_source import YamlSource

FORMAT = 1
BOOK_KEYS = ("version", "default", "rules")

# Outcomes that need no rule: a rejection needs a reason, a change cannot be acknowledged.
_WITHOUT_REASON = {operation: legal - {Outcome.REJECT} for operation, legal in LEGAL.items()}
_FALLBACKS = frozenset.intersection(*_WITHOUT_REASON.values())


def load_book(
    path: FilePath,
    profile: str,
    plugins: Plugins | None = None,
    fallback: Outcome = Outcome.DEFER,
) -> RuleBook:
    """Read and check the book at `path` for a profile of the settings.

    `fallback` is the outcome when a rule that might have decided could not be evaluated; defer
    or commit, since those need no reason and are legal for every operation. Raises BookError.
    """
    if fallback not in _FALLBACKS:
        raise ValueError(f"the fallback must be one of {', '.join(sorted(_FALLBACKS))}")
    source = YamlSource(str(path), _read(path))
    return read_book(source, profile, plugins or Plugins(), fallback)


def read_book(source: YamlSource, profile: str, plugins: Plugins, fallback: Outcome) -> RuleBook:
    """Check a book that may stand in no file; otherwise as load_book."""
    draft = _draft(source, plugins)
    if source.findings:
        raise BookError(source.findings)
    sections = {
        operation: _section(operation, draft, profile, plugins, fallback) for operation in Operation
    }
    return RuleBook(
        version=hashlib.sha256((source.text + plugins.digest).encode()).hexdigest()[:12],
        warnings=tuple(sorted(warnings(source, draft.rules, draft.expressions, profile))),
        examples=draft.examples,
        sections=sections,
        plugins=plugins,
    )


@dataclass(frozen=True, slots=True)
class _Draft:
    """The content of the file; usable only if there are no findings."""

    defaults: Mapping[Operation, Outcome]
    rules: tuple[ParsedRule, ...]
    expressions: Expressions
    examples: tuple[Example, ...]


@cache
def _language(operation: Operation) -> Language:
    return Language(GROUPS[operation])


def _read(path: FilePath) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeError) as error:
        raise BookError([BookFinding(str(path), 1, 1, f"cannot be read: {error}")]) from None


def _draft(source: YamlSource, plugins: Plugins) -> _Draft:
    root = source.entries(source.compose(), "rule book", BOOK_KEYS, BOOK_KEYS)
    if "version" in root and source.whole_of(root["version"], "version") not in (None, FORMAT):
        source.report(root["version"], "version: unknown format", f"this release reads {FORMAT}")
    defaults = _defaults(source, root["default"]) if "default" in root else {}
    nodes = source.items(root["rules"], "rules") if "rules" in root else []
    rules = tuple(read_rule(source, node) for node in nodes)
    _check_ids(source, rules, plugins)
    expressions = {
        (rule.id, operation): expression
        for rule in rules
        for operation, expression in _compile(source, rule).items()
    }
    examples = tuple(example for rule in rules for example in read_examples(source, rule))
    return _Draft(defaults, rules, expressions, examples)


def _defaults(source: YamlSource, node: Node) -> dict[Operation, Outcome]:
    found: dict[Operation, Outcome] = {}
    for name, value in source.entries(node, "default", tuple(Operation), Operation).items():
        operation = Operation(name)
        outcome = source.word_of(value, name, Outcome)
        if outcome is None:
            continue
        found[operation] = outcome
        if outcome not in _WITHOUT_REASON[operation]:
            allowed = ", ".join(sorted(_WITHOUT_REASON[operation]))
            source.report(value, f"{name}: cannot be {outcome} by default", f"allowed: {allowed}")
    return found


def _check_ids(source: YamlSource, rules: Iterable[ParsedRule], plugins: Plugins) -> None:
    """Report duplicate ids, in the file or among the rules written in Python."""
    seen: dict[str, str] = {}
    for rule in rules:
        node = rule.place("id")
        if rule.id and rule.id in seen:
            source.report(node, f"duplicate id {rule.id}", f"first {seen[rule.id]}")
        else:
            seen[rule.id] = f"in line {node.start_mark.line + 1}"
    for python in plugins.rules:
        fault = id_fault(python.id)
        if not fault and python.id in seen:
            fault = f"duplicate id {python.id}, first {seen[python.id]}"
        seen[python.id] = "as a rule written in Python"
        if fault:
            source.findings.append(plugins.finding(python, fault))


def _compile(source: YamlSource, rule: ParsedRule) -> dict[Operation, Expression]:
    """Compile a rule's condition for each operation; report an error that all share once."""
    compiled: dict[Operation, Expression] = {}
    wrong: dict[tuple[int, str], tuple[str, list[Operation]]] = {}
    for operation in sorted(rule.applies_to):
        try:
            compiled[operation] = _language(operation).compile(rule.when)
        except ExpressionError as error:
            for fault in error.faults:
                _, where = wrong.setdefault((fault.offset, fault.text), (fault.hint, []))
                where.append(operation)
    for (offset, text), (hint, where) in wrong.items():
        only = "" if len(where) == len(rule.applies_to) else f" in {', '.join(where)}"
        source.report(rule.place("when"), f"when: {text}{only}", hint, offset)
    return compiled


def _section(
    operation: Operation, draft: _Draft, profile: str, plugins: Plugins, fallback: Outcome
) -> BookSection:
    """Build the section of one operation: rules of the file in order, then those in Python."""
    rules = [
        _prepare(rule, operation, profile, draft.expressions[rule.id, operation])
        for rule in draft.rules
        if operation in rule.applies_to
    ]
    rules += [
        _prepare(rule, operation, profile, None, rule.needs)
        for rule in plugins.rules
        if operation in rule.applies_to
    ]
    return BookSection(
        language=_language(operation),
        rules=tuple(rules),
        default=draft.defaults[operation],
        fallback=fallback,
        groups=frozenset[str]().union(*(rule.groups for rule in rules)),
        fields=fields_read(rules),
    )


def _prepare(
    definition: Definition,
    operation: Operation,
    profile: str,
    expression: Expression | None,
    needs: frozenset[str] = frozenset(),
) -> Rule:
    """Prepare a rule with a checked `expression`, or else one in Python that `needs` groups."""
    refusal = None
    named: tuple[Path, ...] = ()
    if definition.code is not None and definition.message is not None:
        message = parse_template(definition.message, GROUPS[operation])
        refusal, named = (definition.code, message), message.reads
    # Of a rule in Python whole groups are shown: what its code reads in them is not known.
    paths = expression.reads if expression else [(group,) for group in sorted(needs)]
    groups = expression.groups if expression else needs
    return Rule(
        definition=definition,
        expression=expression,
        audited=definition.only_records(profile),
        refusal=refusal,
        groups=groups | {path[0] for path in named},
        reads=readings(paths),
        message_reads=readings(named),
    )
