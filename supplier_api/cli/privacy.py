"""`supplier-api privacy`: find, export and erase the personal data of somebody."""

import json
from collections.abc import Iterator
from pathlib import Path

import click

from supplier_api.app.services import changing, reading
from supplier_api.cli import example
from supplier_api.cli.messages import check_tenant, given_by, refusals
from supplier_api.cli.options import some_words, with_json
from supplier_api.cli.output import columns, counted, print_either, print_json, print_rows
from supplier_api.cli.problem import one_problem
from supplier_api.operations.privacy import Erasure, erase, export, would_erase
from supplier_api.operations.privacy_find import DataPlace, find_named, find_on_service, find_text
from supplier_api.problems.repository import NAME_MATCHES_MAX
from supplier_api.settings import load_settings


@click.group(epilog=example("supplier-api privacy find --service SI0000000000001"))
def privacy() -> None:
    """Find, export and erase what is personal: for who asks for their data.

    A problem is named as for `problem show`.
    """


@privacy.command(
    "find",
    epilog=example(
        "supplier-api privacy find --problem SP_0000000001",
        'supplier-api privacy find --text "Smith 01234"',
    ),
)
@click.option("--service", metavar="ID", help="All about this line.")
@click.option("--problem", metavar="NAME", help="All about problems of this name.")
@click.option(
    "--text", metavar="WORDS", help="Where all these words stand in a text, in any order."
)
@click.option("--tenant", help="Only what is of this tenant, or says of no tenant that it is its.")
@with_json
def find_places(
    service: str | None, problem: str | None, text: str | None, tenant: str | None, as_json: bool
) -> None:
    """Tell where data of a person or a line is: places and counts, and nothing personal.

    Each line names a problem, or none, and a table, with its rows that are about them and how many
    of these still hold personal data or free text. --text reads all texts that are stored.
    """
    given = [each for each in (service, problem, text) if each and each.strip()]
    if len(given) != 1:
        raise click.UsageError("expected one of --service, --problem and --text")
    with reading(load_settings()) as services:
        if tenant:
            services.store.read(lambda uow: check_tenant(uow, tenant))
        search = find_text if text else find_named if problem else find_on_service
        found = search(services, given[0].strip(), tenant)
    if as_json:
        print_json([each.plain() for each in found])
        return
    print_rows([_cells(each) for each in found], "nothing is stored of it")
    if len({each.reference for each in found if each.reference}) >= NAME_MATCHES_MAX and problem:
        click.echo(f"{NAME_MATCHES_MAX} problems are the most for a name; try --service", err=True)


@privacy.command(
    "export", epilog=example("supplier-api privacy export SP_0000000001 --into request-17.json")
)
@click.argument("problem")
@click.option(
    "--into",
    "file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="A new file, for its owner alone; standard output if absent.",
)
@click.option(
    "--reason",
    default="right of access",
    show_default=True,
    callback=some_words,
    help="Why; recorded with who did it. It stays: name nobody.",
)
def export_problem(problem: str, file: Path | None, reason: str) -> None:
    """Print all that is stored of a problem, as one JSON document that says what is personal.

    It also names your own people: who acted, and why.
    """
    by = given_by(reason)
    if file is not None and file.exists():
        raise click.BadParameter(f"{file} is there already", param_hint="--into")
    with changing(load_settings()) as services, refusals():
        document = export(services, one_problem(services, problem).id, by)
    text = json.dumps(document, indent=2, ensure_ascii=False)
    if file is None:
        click.echo(text)
        return
    # Made with mode 0600, as all that commands make.
    with file.open("x", encoding="utf-8") as made:
        made.write(f"{text}\n")
    click.echo(f"{file}: {file.stat().st_size} bytes")


@privacy.command(
    "erase",
    epilog=example(
        "supplier-api privacy erase SP_0000000001 --dry-run",
        'supplier-api privacy erase SP_0000000001 --reason "request 17 of the end user"',
    ),
)
@click.argument("problem")
@click.option("--dry-run", is_flag=True, help="Only tell what would go.")
@click.option(
    "--reason",
    callback=some_words,
    help="Why; recorded with who did it. It stays: name nobody. Not needed for --dry-run.",
)
@with_json
def erase_problem(problem: str, dry_run: bool, reason: str | None, as_json: bool) -> None:
    """Remove what is personal, and free text, of a problem that is over: now, for good.

    What retention would take at its time goes, and the webhooks and journal entries that name the
    problem. Ids, dates, codes and references stay. Nothing that is to be delivered is taken.
    """
    if reason is None and not dry_run:
        raise click.MissingParameter(param_hint="--reason", param_type="option")
    by = given_by("a rehearsal" if reason is None else reason)
    with (reading if dry_run else changing)(load_settings()) as services, refusals():
        problem_id = one_problem(services, problem).id
        done = would_erase(services, problem_id) if dry_run else erase(services, problem_id, by)
    lines = _lines(done, "would go" if dry_run else "erased")
    print_either(done.plain(), lines, as_json=as_json)


def _cells(place: DataPlace) -> list[str]:
    return [
        place.reference or "of no problem",
        place.tenant or "-",
        place.state or "-",
        place.name,
        counted(place.rows, "row"),
        f"{place.personal} personal",
    ]


def _lines(done: Erasure, what: str) -> Iterator[str]:
    first, *further = done.sentences(what)
    yield first
    rows = [[column, counted(rows, "row")] for column, rows in done.removed.items()]
    yield from (f"  {line}" for line in columns(rows))
    yield from further
