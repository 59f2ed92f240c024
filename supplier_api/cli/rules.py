"""`supplier-api rules`: check a rule book, try its examples, explain a decision, compare two.

None of these needs a database; those that do are in cli/rules_history.py.
"""

import importlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import click

from supplier_api import contract as wire
from supplier_api.cli import example
from supplier_api.cli.errors import CommandRefused
from supplier_api.cli.options import with_json
from supplier_api.cli.output import counted, print_either
from supplier_api.clock import SystemMachineClock
from supplier_api.contract.codes import Status
from supplier_api.problems.rule_trial import NOT_ASKED, Trial, read_request
from supplier_api.rules.book import RuleBook
from supplier_api.rules.book_diff import diff
from supplier_api.rules.facts import UNKNOWN, Service, Unknown
from supplier_api.rules.inventory import InventoryError, TimedInventory, load_inventory
from supplier_api.rules.loading import load_book
from supplier_api.rules.model import BookError, Decision, Operation, Outcome, answer_in_words
from supplier_api.rules.plugins import Plugins
from supplier_api.settings import Settings, load_settings

_BOOK = click.argument(
    "book_file", metavar="[FILE]", required=False, type=click.Path(path_type=Path, dir_okay=False)
)


HISTORY = ("audited", "backtest", "hits")


class _RulesGroup(click.Group):
    """Imports the commands that read the database only when one of them, or the list, is needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands."""
        return sorted({*super().list_commands(ctx), *HISTORY})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command of that name, or None."""
        if cmd_name in HISTORY:
            importlib.import_module("supplier_api.cli.rules_history")
        return super().get_command(ctx, cmd_name)


@click.group(cls=_RulesGroup, epilog=example("supplier-api rules check"))
def rules() -> None:
    """Check, test and explain the rule book, and see what it did and what a draft would do."""


@rules.command(epilog=example("supplier-api rules check config/rules.yaml"))
@_BOOK
def check(book_file: Path | None) -> None:
    """Check the rule book FILE, or the configured one with the inventory.

    Errors exit with 1, warnings with 0.
    """
    settings = load_settings()
    file = book_file or settings.rules.file
    book = load_rules(file, settings)
    for warning in book.warnings:
        click.echo(f"warning: {warning}")
    click.echo(f"{file}: good, version {book.version}, {counted(len(book.warnings), 'warning')}")
    for operation, section in book.sections.items():
        named = ", ".join(sorted(section.groups)) or "nothing"
        count = counted(len(section.rules), "rule")
        click.echo(f"  {operation:12}  {count}, default {section.default}, looks at {named}")
    for rule in book.plugins.rules:
        click.echo(f"  {rule.id}: a rule written in Python")
    if book_file is None:
        size = _inventory(settings).size
        of = settings.inventory
        held = f"{of.adapter}: asked when it is needed"
        click.echo(held if size is None else f"{of.file}: good, {size} services")


@rules.command(epilog=example("supplier-api rules test --min-coverage 100"))
@_BOOK
@click.option(
    "--min-coverage",
    type=click.FloatRange(0, 100),
    metavar="PERCENT",
    default=0,
    help="Fail if fewer of the rules are shown from both sides.",
)
def test(book_file: Path | None, min_coverage: float) -> None:
    """Try the examples that stand beside the rules of FILE, or of the configured book."""
    settings = load_settings()
    file = book_file or settings.rules.file
    book = load_rules(file, settings)
    tried = book.try_examples()
    coverage = book.coverage(tried)
    width = max((len(each.rule) for each in coverage), default=4)
    click.echo(f"{'rule':{width}}  matched  not matched")
    for each in coverage:
        gap = "" if each.complete else "   not shown from both sides"
        click.echo(f"{each.rule:{width}}  {each.matched:7}  {each.not_matched:11}{gap}")
    complete = sum(each.complete for each in coverage)
    failed = [
        f"{each.example.place} {each.example.operation}: "
        f"expected {each.example.expected}, was {each.verdict}"
        for each in tried
        if not each.passed
    ]
    click.echo(
        f"{counted(len(tried), 'example')}, {len(failed)} failed; "
        f"{complete} of {counted(len(coverage), 'rule')} shown from both sides"
    )
    if failed:
        raise CommandRefused("examples failed:", failed)
    percent = 100 * complete / len(coverage) if coverage else 100.0
    if percent < min_coverage:
        raise CommandRefused(
            f"{percent:.4g} % of the rules are shown from both sides, {min_coverage:g} are needed"
        )


@rules.command(epilog=example("supplier-api rules explain request.json --tenant TENANT1"))
@click.argument("request_file", metavar="FILE.json", type=click.File("rb"))
@click.option(
    "--operation",
    type=click.Choice([str(each) for each in Operation]),
    default=str(Operation.PROBLEM),
    show_default=True,
    help="What FILE.json asks for.",
)
@click.option("--tenant", default="TENANT1", show_default=True, help="Who asks.")
@click.option("--open", "open_problems", multiple=True, help="A problem open on the service.")
@click.option("--incident", "incidents", multiple=True, help="A known network incident.")
@click.option("--service", "service_id", help="For a change: the service of its problem.")
@click.option(
    "--status",
    type=click.Choice([str(each) for each in Status]),
    default=str(Status.IN_PROGRESS),
    show_default=True,
    help="For a change: where its problem stands.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def explain(
    *,
    request_file: BinaryIO,
    operation: str,
    tenant: str,
    open_problems: tuple[str, ...],
    incidents: tuple[str, ...],
    service_id: str | None,
    status: str,
    as_json: bool,
) -> None:
    """Tell what the configured book decides for the request in FILE.json (- reads it from stdin).

    The service is looked up in the configured inventory; problems and incidents are those named
    here.
    """
    settings = load_settings()
    book = load_rules(settings.rules.file, settings)
    asked = Operation(operation)
    trial = Trial(
        operation=asked,
        request=_request(asked, request_file.read()),
        tenant=tenant,
        open_problems=open_problems,
        incidents=incidents,
        service_of_problem=service_id,
        status=Status(status),
    )
    decision = trial.decide(
        book, _find(settings, tenant, trial.service_id), SystemMachineClock().now()
    )
    if as_json:
        click.echo(json.dumps(decision.document(), indent=2, ensure_ascii=False))
    else:
        for line in _explanation(asked, decision):
            click.echo(line)


@rules.command("diff", epilog=example("supplier-api rules diff config/rules.yaml draft.yaml"))
@click.argument("old_file", metavar="OLD", type=click.Path(path_type=Path, dir_okay=False))
@click.argument("new_file", metavar="NEW", type=click.Path(path_type=Path, dir_okay=False))
@with_json
def diff_books(old_file: Path, new_file: Path, as_json: bool) -> None:
    """Tell which rules are added, removed, changed and moved from the book OLD to the book NEW."""
    settings = load_settings()
    found = diff(load_rules(old_file, settings), load_rules(new_file, settings))
    print_either(found, _differences(found), as_json=as_json)


def _differences(found: Mapping[str, Any]) -> Iterator[str]:
    for what in ("added", "removed", "moved"):
        for rule in found[what]:
            yield f"{what:8} {rule}"
    for changed in found["changed"]:
        yield f"changed  {changed['rule']}"
        for key, values in changed["keys"].items():
            yield f"  {key}"
            yield f"    old  {_on_one_line(values['old'])}"
            yield f"    new  {_on_one_line(values['new'])}"
    for default in found["defaults"]:
        yield f"default  {default['operation']}: {default['old']}, now {default['new']}"
    if not any(found.values()):
        yield "the same rules, in the same order"


def _on_one_line(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(value) or "none"
    return "none" if value is None else " ".join(str(value).split())


def load_rules(file: Path, settings: Settings) -> RuleBook:
    """Return the book in a file, for the settings' profile; raises CommandRefused."""
    try:
        plugins = Plugins.discover(settings.rules.python_time_limit)
        return load_book(file, settings.profile, plugins, Outcome(settings.rules.fallback))
    except BookError as error:
        headline = f"{file}: {counted(len(error.findings), 'error')}"
        raise CommandRefused(headline, error.findings) from None


def _request(operation: Operation, body: bytes) -> dict[str, Any]:
    try:
        return read_request(operation, body)
    except wire.MessageError as error:
        raise CommandRefused(NOT_ASKED, error.messages) from None


def _find(settings: Settings, tenant: str, service_id: str | None) -> Service | Unknown | None:
    if service_id is None:
        return UNKNOWN
    seconds = settings.server.answer_budget / 2
    try:
        return _inventory(settings).ask(tenant, service_id, seconds)
    except click.ClickException:
        raise
    except Exception as error:  # noqa: BLE001 - a supplier's adapter
        late = isinstance(error, TimeoutError)
        why = f"no answer within {seconds:g} s" if late else f"raised {type(error).__name__}"
        click.echo(f"the inventory {settings.inventory.adapter}: {why}", err=True)
        return UNKNOWN


def _inventory(settings: Settings) -> TimedInventory:
    try:
        return load_inventory(settings.inventory)
    except InventoryError as error:
        raise CommandRefused("the inventory cannot be used", str(error).splitlines()) from None


def _explanation(operation: Operation, decision: Decision) -> Iterator[str]:
    """Yield the lines that tell a decision, rule by rule."""
    answer = answer_in_words(operation, decision.outcome)
    yield f"{operation}: {decision.outcome} ({answer}), decided by: {decision.rule}"
    for reason in decision.reasons:
        yield f"  {reason.code}  {reason.message}"
    yield f"rules, in the order of the book (version {decision.book_version}):"
    for trace in decision.trace:
        why = f": {trace.why}" if trace.why else ""
        yield f"  {trace.verdict:11}  {trace.rule}{why}"
        for path, value in trace.values.items():
            yield f"  {'':11}    {path} = {json.dumps(value, ensure_ascii=False)}"
