"""What the rules did: hits, and what a rule that only records would have done.

Decisions are read newest first, up to a number of them and for a limited time: the page is made
while somebody waits.
"""

from collections.abc import Callable
from datetime import timedelta

from flask import render_template, request

from supplier_api.console.acts import ActRefused
from supplier_api.console.context import here
from supplier_api.console.pages.rules.blueprint import blueprint
from supplier_api.problems.decision_history import DecisionHistory, ReadDecisions, read_newest
from supplier_api.rules.past_decision import PastDecision
from supplier_api.rules.trace_counts import AuditedRule, HitCounter, UnknownRule

DAYS = (1, 7, 30, 90)
MOST = (1_000, 2_000, 10_000)  # decisions
SECONDS = 10.0  # in which they are read
LISTED = 10  # requests that are named


@blueprint.get("/hits")
def hits() -> str:
    """Show how often each rule matched."""
    counter = HitCounter(here().rule_evaluator.book)
    days, most = window()
    read = replay(counter.add, days, most)
    return render_template(
        "rules/hits.html",
        rules=counter.documents(),
        read=read,
        choices={"days": DAYS, "most": MOST},
        chosen={"days": days, "most": most},
    )


@blueprint.get("/audited/<rule>")
def audited(rule: str) -> str:
    """Show what a rule that only records would have done."""
    try:
        found = AuditedRule(here().rule_evaluator.book, rule, LISTED)
    except UnknownRule as error:
        raise ActRefused(str(error), status=404) from None
    days, most = window()
    read = replay(found.add, days, most)
    return render_template(
        "rules/audited.html",
        found=found.document(),
        read=read,
        choices={"days": DAYS, "most": MOST},
        chosen={"days": days, "most": most},
    )


def window() -> tuple[int, int]:
    """Return of how many days, and how many decisions at most, are asked for."""
    return _choice("days", DAYS, 7), _choice("most", MOST, MOST[0])


def replay(
    add: Callable[[PastDecision], None], days: int | None, most: int, *, facts: bool = False
) -> ReadDecisions:
    """Hand over the newest decisions, of the last `days` if these are given."""
    services = here().services
    now = services.machine.now()
    since = None if days is None else now - timedelta(days=days)
    history = DecisionHistory(services.store, since, now, facts=facts, newest_first=True)
    return read_newest(history, add, most, services.machine, SECONDS)


def _choice(name: str, choices: tuple[int, ...], default: int) -> int:
    chosen = request.values.get(name, str(default))
    if chosen not in map(str, choices):
        expected = ", ".join(map(str, choices))
        raise ActRefused(f"{name}: expected one of {expected}", status=422)
    return int(chosen)
