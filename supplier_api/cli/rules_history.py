"""`supplier-api rules backtest | audited | hits`: what the rules did, and what a draft would do.

They read the stored decisions in batches, each in a transaction of its own, and change nothing.
"""

import sys
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from supplier_api.app.services import reading
from supplier_api.cli import example
from supplier_api.cli.errors import CommandRefused
from supplier_api.cli.options import MAX_ROWS, WholeNumberParam, instant, with_json
from supplier_api.cli.output import columns, counted, print_either
from supplier_api.cli.rules import load_rules, rules
from supplier_api.clock import to_wire
from supplier_api.problems.decision_history import DecisionHistory
from supplier_api.rules.backtest import Backtest
from supplier_api.rules.past_decision import PastDecision
from supplier_api.rules.trace_counts import AuditedRule, HitCounter, UnknownRule
from supplier_api.settings import Settings, load_settings

_SINCE = click.option(
    "--since", default="7d", show_default=True, help="An age, as in 12h or 7d, or a date-time."
)
_LIST = click.option(
    "--list",
    "most",
    type=WholeNumberParam(0, MAX_ROWS),
    default=10,
    show_default=True,
    metavar="N",
    help="Name up to N requests of each kind.",
)
_FILE = click.Path(path_type=Path, dir_okay=False)


@rules.command(epilog=example("supplier-api rules backtest draft.yaml --since 7d"))
@click.argument("draft_file", metavar="NEW", type=_FILE)
@_SINCE
@click.option(
    "--old",
    "old_files",
    type=_FILE,
    multiple=True,
    help="A book that decided before the configured one; may be given repeatedly.",
)
@_LIST
@with_json
def backtest(
    draft_file: Path, since: str, old_files: tuple[Path, ...], most: int, as_json: bool
) -> None:
    """Replay stored decisions through the book NEW, and tell which would be different.

    Nothing is touched. Personal data is not stored with a decision: a rule that reads some is
    taken from the decision's trace if the configured book, or an OLD one, has it with the same
    condition and decided then; else what depends on it is counted as not replayable.
    """
    settings = load_settings()
    draft = load_rules(draft_file, settings)
    known = [load_rules(file, settings) for file in (settings.rules.file, *old_files)]
    test = Backtest(draft, known, most)
    begun = _replay(settings, since, test.add, facts=True)
    found = {"since": begun, **test.document()}
    print_either(found, _backtest_lines(found), as_json=as_json)


@rules.command(epilog=example("supplier-api rules audited has-worked-missing --since 7d"))
@click.argument("rule")
@_SINCE
@_LIST
@with_json
def audited(rule: str, since: str, most: int, as_json: bool) -> None:
    """Tell what RULE, which only records, would have done if it had been enforced."""
    settings = load_settings()
    try:
        found_rule = AuditedRule(load_rules(settings.rules.file, settings), rule, most)
    except UnknownRule as error:
        raise CommandRefused(str(error)) from None
    begun = _replay(settings, since, found_rule.add)
    found = {"since": begun, **found_rule.document()}
    print_either(found, _audited_lines(found), as_json=as_json)


@rules.command(epilog=example("supplier-api rules hits --since 30d"))
@click.option(
    "--since", help="An age, as in 12h or 7d, or a date-time; all that is kept if absent."
)
@with_json
def hits(since: str | None, as_json: bool) -> None:
    """Tell how often each rule matched; those that never did are told, too."""
    settings = load_settings()
    counter = HitCounter(load_rules(settings.rules.file, settings))
    begun = _replay(settings, since, counter.add)
    found = {"since": begun, "decisions": counter.decisions, "rules": counter.documents()}
    print_either(found, _hit_lines(found), as_json=as_json)


def _replay(
    settings: Settings,
    since: str | None,
    add: Callable[[PastDecision], None],
    *,
    facts: bool = False,
) -> str | None:
    """Hand over the decisions since then, with a bar on a terminal; return since when."""
    with reading(settings) as services:
        now = services.machine.now()
        begun: datetime | None = instant(since, now, "--since")
        history = DecisionHistory(services.store, begun, now, facts=facts)
        quiet = not sys.stderr.isatty()
        length = 0 if quiet else history.count()
        with click.progressbar(
            length=length, file=sys.stderr, label="decisions", hidden=quiet
        ) as bar:
            for batch in history.batches():
                for past in batch:
                    add(past)
                bar.update(len(batch))
    return to_wire(begun) if begun else None


def _backtest_lines(found: Mapping[str, Any]) -> Iterator[str]:
    yield f"{counted(found['decisions'], 'decision')} since {found['since']}"
    for key, text in (
        ("same", "the same"),
        ("different", "different"),
        ("notReplayable", "not replayable: they depend on rules that read what is not stored"),
        ("withoutFacts", "without facts: put off until now, thinned, or of an earlier release"),
        ("overruled", "not the rule book's: a scenario decided"),
    ):
        if found[key] or key in ("same", "different"):
            yield f"  {found[key]:>7}  {text}"
    for each in found["differences"]:
        why = ", ".join(f"{rule} {count}" for rule, count in each["rules"].items())
        yield f"{each['operation']}: {each['before']} -> {each['draft']}  {each['count']}  ({why})"
        yield from _named(each)
    table = [("rule", "before", "draft", "not replayable")]
    table += [
        (each["rule"], str(each["before"]), str(each["draft"]), str(each["notReplayable"]))
        for each in found["rules"]
    ]
    yield from columns(table)


def _named(difference: Mapping[str, Any]) -> Iterator[str]:
    """Yield each request that is named, with the reasons that are gone (-) and those new (+)."""
    for each in difference["requests"]:
        yield f"  {each['tenant']} {each['id']}  {each['reference'] or ''}".rstrip()
        before, draft = each["reasons"]["before"], each["reasons"]["draft"]
        yield from (f"    - {reason}" for reason in before if reason not in draft)
        yield from (f"    + {reason}" for reason in draft if reason not in before)
    if hidden := difference["count"] - len(difference["requests"]):
        yield f"  and {hidden} more"


def _audited_lines(found: Mapping[str, Any]) -> Iterator[str]:
    seen = found["audited"] + found["notMatched"]
    yield (
        f"{found['rule']} ({found['then']}) would have matched {found['audited']} of "
        f"{counted(seen, 'request')} since {found['since']}"
    )
    if found["failed"] or found["inactive"] or found["matched"]:
        yield (
            f"  could not be evaluated: {found['failed']}, outside its dates: {found['inactive']},"
            f" matched while it was enforced: {found['matched']}"
        )
    for each in found["changes"]:
        yield f"  {each['before']} -> {each['enforced']}  {each['count']}"
    changed = sum(each["count"] for each in found["changes"])
    if found["audited"] > changed:
        yield f"  no other answer  {found['audited'] - changed}"
    for each in found["requests"]:
        about = f"{each['at']}  {each['tenant']} {each['operation']} {each['id']}"
        yield f"  {about}  {each['reference'] or ''}  {each['before']} -> {each['enforced']}"
    if hidden := changed - len(found["requests"]):
        yield f"  and {hidden} more"


def _hit_lines(found: Mapping[str, Any]) -> Iterator[str]:
    since = f" since {found['since']}" if found["since"] else ""
    yield f"{counted(found['decisions'], 'decision')}{since}"
    table = [("rule", "matched", "only recorded", "not matched", "failed", "last matched")]
    for each in found["rules"]:
        keys = ("matched", "audited", "notMatched", "failed")
        gone = "" if each["inBook"] else "  (not in the book)"
        never = "never" if each["inBook"] else "-"
        last = f"{each['lastMatched'] or never}{gone}"
        table.append((each["rule"], *(str(each[key]) for key in keys), last))
    yield from columns(table)
