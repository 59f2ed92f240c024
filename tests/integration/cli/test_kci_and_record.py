"""`supplier-api kci edit --and-record`: the record is mended with the KCI that showed its fault."""

import json
from datetime import timedelta
from typing import Any

import pytest
from click.testing import CliRunner, Result

from supplier_api.cli import main
from supplier_api.db import UnitOfWork
from supplier_api.db.operator_actions import OperatorActionRepository
from supplier_api.delivery.model import Meaning, Reply
from tests.supplier import REPAIRED, Problem, Supplier

REFUSED = Reply(Meaning.REFUSED, "422 INVALID_REQUEST", 422, refusal={"status": 422})
WHY = ("--reason", "the gateway does not take it")
EDITED = {"number": 1, "was": "refused", "now": "queued"}
NOTES = "serviceProblem.notes=Ring first."


@pytest.fixture
def behind() -> timedelta:
    return timedelta(hours=2)


@pytest.fixture
def problem(supplier: Supplier) -> Problem:
    """Return a problem whose first KCI (COMMITTED) was refused."""
    problem = supplier.opened()
    supplier.event(problem.reference, "start")
    supplier.answers[1] = REFUSED
    supplier.deliver()
    supplier.answers.clear()
    return problem


class Command:
    """`supplier-api kci edit` of a problem's KCI."""

    def __init__(self, environ: dict[str, str]) -> None:
        self._environ = {**environ, "SUPPLIER_API_OPERATOR": "ann"}

    def __call__(self, problem: Problem, number: int, *words: str) -> Result:
        name = f"{problem.reference}#{number}"
        arguments = ["kci", "edit", name, *words, *WHY]
        return CliRunner().invoke(main, arguments, env=self._environ, prog_name="supplier-api")


@pytest.fixture
def edit(environ: dict[str, str]) -> Command:
    return Command(environ)


def actions(supplier: Supplier, problem: Problem) -> list[Any]:
    problem_id = supplier.stored(problem.id).id

    def read(uow: UnitOfWork) -> list[Any]:
        return [each.detail for each in OperatorActionRepository(uow).of(problem_id)]

    return supplier.services.store.read(read)


def test_the_next_kci_does_not_repeat_the_fault(
    supplier: Supplier, edit: Command, problem: Problem
) -> None:
    old = supplier.stored(problem.id).document["notes"]
    done = edit(problem, 1, "--set", NOTES, "--and-record")
    assert done.exit_code == 0, done.output
    queued, told = done.stdout.splitlines()
    assert queued == f"{problem.reference}#1  refused -> queued again (edited), due now"
    assert told == f'record  serviceProblem.notes: {json.dumps(old)} -> "Ring first."'

    supplier.event(problem.reference, "warn", problemCode="OTHER")
    assert [each["serviceProblem"]["notes"] for each in supplier.kcis(problem)] == [
        "Ring first.",
        "Ring first.",
    ]
    # Which fields, but no value: that may be personal.
    (detail,) = actions(supplier, problem)
    notes = ["serviceProblem.notes"]
    assert detail == {**EDITED, "record": notes, "changed": notes}


def test_without_it_the_record_stays(supplier: Supplier, edit: Command, problem: Problem) -> None:
    before = supplier.stored(problem.id).document
    assert edit(problem, 1, "--set", NOTES).exit_code == 0

    assert supplier.stored(problem.id).document == before
    assert actions(supplier, problem) == [{**EDITED, "changed": ["serviceProblem.notes"]}]


def test_what_has_changed_since_stays(supplier: Supplier, edit: Command, problem: Problem) -> None:
    amendment = problem.named({"id": 101, "notes": "Use the back door."})
    assert supplier.amend(amendment).status_code == 202
    done = edit(problem, 1, "--set", NOTES, "--and-record")

    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines()[1:] == [
        'record  serviceProblem.notes: stays "Use the back door.", it has changed since that update'
    ]
    assert supplier.stored(problem.id).document["notes"] == "Use the back door."
    assert actions(supplier, problem) == [{**EDITED, "changed": ["serviceProblem.notes"]}]


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ("text=It is begun.", "nothing of this edit is kept in the record"),
        ("serviceProblem.serviceId=SI0000000000099", "serviceProblem.serviceId: the record never"),
    ],
)
def test_what_is_not_of_the_record_is_refused_whole(
    supplier: Supplier, edit: Command, problem: Problem, changed: str, why: str
) -> None:
    before = supplier.kcis(problem)
    done = edit(problem, 1, "--set", changed, "--and-record")

    assert done.exit_code == 1
    assert why in done.stderr
    assert supplier.kcis(problem) == before
    assert actions(supplier, problem) == []


def test_an_amendment_and_a_resolution_are_mended_too(supplier: Supplier, edit: Command) -> None:
    problem = supplier.opened()
    supplier.event(problem.reference, "start")
    assert supplier.amend(problem.named({"id": 101, "hazards": "A dog."})).status_code == 202
    supplier.answers[2] = REFUSED
    supplier.deliver()
    supplier.answers.clear()
    both = ("serviceProblem.hazards=None.", "serviceProblemAmendment.hazards=None.")
    done = edit(problem, 2, "--set", both[0], "--set", both[1], "--and-record")
    assert done.stdout.splitlines()[1:] == [
        'record  serviceProblem.hazards: "A dog." -> "None."',
        'record  serviceProblemAmendment.hazards: "A dog." -> "None."',
    ]
    supplier.event(problem.reference, "resolve", resolution=REPAIRED)
    where = "serviceProblemResolution.resolutionDetails"
    done = edit(problem, 3, "--unset", f"{where}.faultCode", "--and-record")
    assert done.stdout.splitlines()[1:] == [f'record  {where}.faultCode: ["DAMAGED_ONT"] -> null']
    supplier.deliver()
    supplier.event(problem.reference, "complete")
    last = supplier.kcis(problem)[-1]
    assert "faultCode" not in last["serviceProblemResolution"]["resolutionDetails"]
    assert last["serviceProblem"]["hazards"] == "None."
