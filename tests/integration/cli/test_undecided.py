"""`supplier-api undecided`: the ledger of what was answered 202."""

import json
from datetime import timedelta

import pytest

from supplier_api.problems.timer_repository import Timer, TimerRepository
from supplier_api.problems.work_items import Doer, WorkItems
from tests.commands import Command
from tests.samples import problem_request
from tests.supplier import DEFERRED, Supplier

DEADLINE = "SUPPLIER_API__LIFECYCLE__DECISION_DEADLINE__AMENDMENT__HOURS"


@pytest.fixture
def behind() -> timedelta:
    return timedelta(hours=3)


@pytest.fixture
def command(environ: dict[str, str]) -> Command:
    return Command(environ, by=None)


def test_what_waits_is_listed_with_its_deadline_and_why(
    supplier: Supplier, command: Command
) -> None:
    none = command("undecided")
    assert (none.stdout, none.stderr) == ("", "nothing is undecided\n")
    problem = supplier.opened(tenant=DEFERRED)
    amendment = {"id": 101, "notes": "The gate is open.", "escalationRequest": True}
    assert supplier.amend(problem.named(amendment), tenant=DEFERRED).status_code == 202
    supplier.machine.advance(3600)
    later = problem_request(id=9, serviceId="SI0000000000099")
    assert supplier.create(later, tenant=DEFERRED).status_code == 202

    change, raised = json.loads(command("undecided", "--json", **{DEADLINE: "1"}).stdout)
    assert (change["what"], change["problem"]) == ("amendment", problem.reference)
    assert (change["overdue"], change["escalationRequest"], change["decides"]) == (
        True,
        True,
        "people",
    )
    assert change["ageSeconds"] >= 2 * 3600
    assert change["rule"]
    assert (raised["what"], raised["gatewayId"], raised["deadline"]) == ("problem", 9, None)
    shown = command("problem", "show", problem.reference).stdout
    assert f"  escalation    asked for by amendment {change['reference']}" in shown.splitlines()
    assert raised["takenBy"] is None
    WorkItems(supplier.services).take(raised["reference"], Doer("ann", "mine"))
    lines = command("undecided", **{DEADLINE: "1"}).stdout.splitlines()
    assert "OVERDUE" in lines[0]
    assert lines[1].endswith(", taken by ann")
    assert lines[0].endswith("ESCALATED")
    assert "no deadline" in lines[1]
    first = command("undecided", "--limit", "1")
    assert len(first.stdout.splitlines()) == 1
    assert first.stderr == "there are more than 1; --limit shows more\n"
    assert command("undecided", "--tenant", "NOBODY").stdout == ""


def test_the_status_counts_them(supplier: Supplier, command: Command) -> None:
    problem = supplier.opened(tenant=DEFERRED)
    amendment = {"id": 101, "notes": "The gate is open.", "escalationRequest": True}
    supplier.amend(problem.named(amendment), tenant=DEFERRED)

    def line(**more: str) -> dict[str, object]:
        lines = json.loads(command("status", "--json", **more).stdout)["lines"]
        (found,) = [each for each in lines if each["name"] == "undecided"]
        return dict(found)

    known = line()
    assert known["level"] == "ok"
    assert str(known["text"]).startswith(
        "0 of problems, 1 of changes, the oldest for 3 h, 1 escalated"
    )
    overdue = line(**{DEADLINE: "1"})
    assert (overdue["level"], overdue["look"]) == ("bad", "supplier-api undecided")
    assert str(overdue["text"]).endswith("1 overdue, 1 escalated")
    # Where the rule book left it to people only now, they have their time from now on.
    stored = supplier.stored(problem.id, DEFERRED)
    due = supplier.business.now(DEFERRED) + timedelta(days=1)
    timer = Timer(stored.id, DEFERRED, "decision-deadline", due, "X", {"operation": "amendment"})
    supplier.services.store.write(lambda uow: TimerRepository(uow).add(timer))
    assert line(**{DEADLINE: "1"})["level"] == "ok"
