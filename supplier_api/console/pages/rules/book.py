"""The rule book as it is read: its rules with how often each matched lately, and who uses it."""

from flask import Response, render_template, request, url_for

from supplier_api.console import live
from supplier_api.console.context import here
from supplier_api.console.pages.rules.blueprint import blueprint
from supplier_api.console.pages.rules.history import replay
from supplier_api.operations.processes import ProcessRepository, alive, not_loaded, rules_off
from supplier_api.rules.model import Operation
from supplier_api.rules.trace_counts import HitCounter

RULES_AT_ONCE = 50
LATELY = 500  # decisions whose hits stand beside the rules


@blueprint.get("/")
def show() -> str:
    """Show the rules, in the order of the book."""
    book = here().rule_evaluator.book
    counter = HitCounter(book)
    replay(counter.add, days=None, most=LATELY)
    first = max(0, request.args.get("from", 0, type=int))
    rules = list(book.definitions().values())
    return render_template(
        "rules/book.html",
        book=book,
        file=here().settings.rules.file,
        fallback=here().settings.rules.fallback,
        operations=list(Operation),
        rules=rules[first : first + RULES_AT_ONCE],
        first=first,
        following=first + RULES_AT_ONCE if len(rules) > first + RULES_AT_ONCE else None,
        step=RULES_AT_ONCE,
        hits={each["rule"]: each for each in counter.documents()},
        decisions=counter.decisions,
        now=here().services.business.now(""),
        users=live.region("users", url_for(".news"), _users),
    )


@blueprint.get("/news")
def news() -> Response:
    """Answer what changed about the processes that use the book."""
    return live.answer("users", url_for(".news"), _users)


def _users() -> str:
    """Return which process uses which version, and which new file is not used, and why."""
    services, every = here().services, here().settings.status.heartbeat
    found = services.store.read(lambda uow: ProcessRepository(uow).all())
    living = alive(found, services.machine.now(), every)
    return render_template(
        "rules/users.html",
        processes=sorted(living, key=lambda each: each.name),
        version=here().rule_evaluator.book_version,
        refused=not_loaded(living, "rules"),
        off=rules_off(living),
    )
