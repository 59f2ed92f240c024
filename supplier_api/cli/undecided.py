"""`supplier-api undecided`: what was answered 202 and waits for a decision."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import click

from supplier_api.app.services import reading
from supplier_api.cli import example
from supplier_api.cli.options import MAX_ROWS, WholeNumberParam, with_json
from supplier_api.cli.output import print_json, print_rows
from supplier_api.clock import to_wire
from supplier_api.operations.status_line import age
from supplier_api.problems.undecided import UndecidedQueries, UndecidedRequest
from supplier_api.settings import load_settings


@click.command(epilog=example("supplier-api undecided", "supplier-api undecided --json"))
@click.option("--tenant", help="Only those of this tenant.")
@click.option(
    "--limit",
    type=WholeNumberParam(1, MAX_ROWS),
    default=50,
    show_default=True,
    help="At most so many, the oldest first.",
)
@with_json
def undecided(tenant: str | None, limit: int, as_json: bool) -> None:
    """List the problems, amendments and cancellations that wait for a decision.

    Each with its age, its deadline, why the rule book left it open, and who has taken it on the
    console. Decide there, or with `supplier-api problem event`.
    """
    with reading(load_settings()) as services:
        found = services.store.read(
            lambda uow: UndecidedQueries(uow, services.policy).listed(limit + 1, tenant)
        )
        rows = [_row(each, services.business.now(each.tenant)) for each in found]
    if as_json:
        print_json(rows[:limit])
    else:
        print_rows([list(_cells(row)) for row in rows[:limit]], "nothing is undecided")
    if len(rows) > limit:
        click.echo(f"there are more than {limit}; --limit shows more", err=True)


def _row(found: UndecidedRequest, now: datetime) -> dict[str, Any]:
    deadline = found.deadline
    return {
        "reference": found.reference,
        "what": str(found.operation),
        "problem": found.problem,
        "tenant": found.tenant,
        "gatewayId": found.gateway_id,
        "asked": to_wire(found.asked),
        "ageSeconds": int((now - found.asked).total_seconds()),
        "deadline": to_wire(deadline) if deadline else None,
        "overdue": deadline is not None and deadline <= now,
        "decides": "the rule book" if found.put_off else "people",
        "rule": found.why["rule"],
        "reasons": found.why["reasons"],
        "escalationRequest": found.escalated,
        "takenBy": found.holder.who if found.holder else None,
    }


def _cells(row: dict[str, Any]) -> Iterator[str]:
    yield row["reference"]
    yield row["what"]
    yield row["tenant"]
    yield age(row["ageSeconds"])
    due = f"due {row['deadline']}" if row["deadline"] else "no deadline"
    yield "OVERDUE" if row["overdue"] else due
    why = "; ".join(row["reasons"]) or f"rule {row['rule']}"
    put_off = "put off, " if row["decides"] == "the rule book" else ""
    escalated = ", ESCALATED" if row["escalationRequest"] else ""
    taken = f", taken by {row['takenBy']}" if row["takenBy"] else ""
    yield f"{put_off}{why}{taken}{escalated}"
