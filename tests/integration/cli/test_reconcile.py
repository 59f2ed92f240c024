"""`supplier-api reconcile`: what differs is listed, and applied when asked."""

import json
from collections.abc import Callable
from datetime import timedelta

import pytest
from click.testing import CliRunner, Result

from supplier_api.backoffice.reconcile import Reconciler, ReconcileTimer
from supplier_api.cli import main
from supplier_api.cli import reconcile as command
from supplier_api.db import UnitOfWork
from supplier_api.operations.processes import (
    RECONCILED,
    Process,
    ProcessKind,
    ProcessRepository,
)
from supplier_api.problems.backoffice_events import BackOfficeEvents
from supplier_api.problems.repository import ProblemRepository
from supplier_api.problems.snapshot import Snapshot, TicketState, Wanted
from supplier_api.problems.snapshots import Snapshots
from supplier_api.problems.ticket_repository import PollRepository
from tests.supplier import Problem, Supplier

Run = Callable[..., Result]


class Desk:
    """A ticket system in which every ticket is in progress; it takes no orders."""

    def read(self, ticket: str) -> Snapshot | None:
        return Snapshot(ticket, 5, "Working", Wanted(TicketState.IN_PROGRESS))


@pytest.fixture
def run(environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setattr(command, "load_back_office", lambda *_: Desk())

    def run(*words: str) -> Result:
        return CliRunner().invoke(main, words, env=environ, prog_name="supplier-api")

    return run


@pytest.fixture
def problem(supplier: Supplier) -> Problem:
    """Return a problem whose order the desk has taken, with a ticket."""
    problem = supplier.opened()
    settled = "UPDATE message SET state = 'delivered' WHERE state = 'queued'"

    def work(uow: UnitOfWork) -> None:
        stored = ProblemRepository(uow).lock(supplier.stored(problem.id).id)
        stored.back_office_id = "T-1"
        ProblemRepository(uow).save(stored)
        uow.connection.exec_driver_sql(settled)

    supplier.services.store.write(work)
    return problem


def test_what_differs_is_listed_then_applied(
    supplier: Supplier, problem: Problem, run: Run
) -> None:
    listed = run("reconcile")
    assert listed.exit_code == 1
    said = f"{problem.reference} ACKNOWLEDGED, ticket T-1 (Working): behind: start\n"
    assert listed.stdout == said
    mended = run("reconcile", "--fix", "--json")
    assert mended.exit_code == 0, mended.output
    document = json.loads(mended.stdout)
    assert (document["applied"], document["left"]) == (1, 0)
    assert [each["drift"] for each in document["findings"]] == ["applied"]
    assert str(supplier.stored(problem.id).state) == "IN_PROGRESS"
    assert run("reconcile").stdout == "open problems stand as their tickets do\n"


def test_an_adapter_that_shows_no_tickets_is_refused(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "load_back_office", lambda *_: object())
    refused = run("reconcile")
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert refused.stderr.startswith("Error: the adapter simulated cannot show its tickets: ")
    assert "neither `read` nor `changed`" in refused.stderr


def test_the_status_shows_what_was_found_and_how_far_is_known(
    supplier: Supplier, problem: Problem, run: Run
) -> None:
    services, now = supplier.services, supplier.machine.now()
    snapshots = Snapshots(services, BackOfficeEvents(services))
    timer = ReconcileTimer(services, Reconciler(services, snapshots, Gone()), timedelta(hours=1))
    timer.turn()
    detail = {RECONCILED: dict(timer.last())}
    worker = Process("worker/1", ProcessKind.WORKER, "1.0", None, now, now, detail=detail)

    def work(uow: UnitOfWork) -> None:
        ProcessRepository(uow).save(worker)
        polls = PollRepository(uow, services.adapter)
        polls.take(now, timedelta(seconds=30))
        polls.advance(now - timedelta(hours=1))

    services.store.write(work)
    lines = {each["name"]: each for each in json.loads(run("status", "--json").stdout)["lines"]}
    compared = lines["tickets compared"]
    assert compared["level"] == "warn"
    assert compared["text"].startswith("1 differ, 0 were mended, ")
    assert compared["values"]["last"]["findings"][0]["reference"] == problem.reference
    assert lines["tickets polled"]["level"] == "bad"


class Gone(Desk):
    """A ticket system that has lost its tickets."""

    def read(self, ticket: str) -> Snapshot | None:  # noqa: ARG002 - the port's
        return None
