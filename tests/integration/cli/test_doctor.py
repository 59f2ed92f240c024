"""`supplier-api doctor`: what was lost sight of is found, with the command that mends it."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import delete, select, update

from supplier_api.cli import main
from supplier_api.clock import to_wire
from supplier_api.db import tables
from supplier_api.operations import doctor as desk
from supplier_api.operations.processes import Process, ProcessKind, ProcessRepository
from tests.samples import amendment_request, problem_request
from tests.supplier import DEFERRED, Problem, Supplier, on_sqlite

Run = Callable[..., Result]


@pytest.fixture
def run(environ: dict[str, str]) -> Run:
    def run(*words: str, **more: str) -> Result:
        words = ("doctor", *words)
        return CliRunner().invoke(main, words, env={**environ, **more}, prog_name="supplier-api")

    return run


@pytest.fixture
def found(run: Run) -> Callable[..., dict[str, list[dict[str, Any]]]]:
    """Return what returns the cases by the beginning of their check."""

    def found(*words: str) -> dict[str, list[dict[str, Any]]]:
        result = run("--json", *words)
        report = json.loads(result.stdout)
        assert result.exit_code == (1 if report["findings"] else 0)
        return {each["check"]: each["cases"] for each in report["findings"]}

    return found


Found = Callable[..., dict[str, list[dict[str, Any]]]]


def opened(supplier: Supplier, number: int, tenant: str = "TENANT1") -> Problem:
    body = problem_request(id=number, serviceId=f"SI23454323453{number:02}")
    assert supplier.create(body, tenant=tenant).status_code in (201, 202)
    return Problem(number, supplier.stored(number, tenant).reference, tenant)


def change(supplier: Supplier, table: Any, *where: Any, **values: Any) -> None:
    query = update(table).where(*where).values(values)
    supplier.services.store.write(lambda uow: uow.connection.execute(query).rowcount)


def days_ago(supplier: Supplier, days: float) -> datetime:
    return supplier.machine.now() - timedelta(days=days)


def test_in_order_it_finds_nothing_and_says_what_it_cannot_know(
    supplier: Supplier, run: Run
) -> None:
    supplier.event(opened(supplier, 1).reference, "start")
    supplier.deliver()
    result = run()
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert [line for line in lines if line.startswith("nothing found: ")] == lines[:13]
    assert all(line.startswith("not checked: ") for line in lines[13:])
    assert any("no worker" in line or "none is alive" in line for line in lines[13:])


def test_problems_in_doubt(supplier: Supplier, found: Found) -> None:
    problem, over = opened(supplier, 1), opened(supplier, 2)
    supplier.event(over.reference, "cancel", problemCode="OTHER")
    change(supplier, tables.service_problem, doubtful=True)
    [(check, [case])] = found().items()
    assert "may not know" in check
    assert problem.reference in case["text"]
    show, cancel = case["mend"]
    assert show == f"supplier-api problem show {problem.reference}"
    assert cancel.startswith(f"supplier-api problem event {problem.reference} cancel")


def test_late_answers_to_changes_until_the_gateway_shows_a_sign(
    supplier: Supplier, found: Found
) -> None:
    problem = opened(supplier, 1)
    supplier.deliver()
    amended = supplier.amend(problem.named(amendment_request()))
    assert amended.status_code == 201, amended.get_json()
    late = supplier.machine.now()
    amendment = tables.decision.c.operation == "amendment"
    change(supplier, tables.decision, amendment, answered_late=late)
    [(check, [case])] = found().items()
    assert "changes whose answer was late" in check
    assert case["text"].startswith(f"{problem.reference} of TENANT1, amendment ")
    supplier.machine.advance(1)
    supplier.event(problem.reference, "start")
    supplier.deliver()
    assert found() == {}


def test_what_is_undecided_for_long(supplier: Supplier, found: Found) -> None:
    undecided, accepted = opened(supplier, 1, DEFERRED), opened(supplier, 2, DEFERRED)
    supplier.event(accepted.reference, "accept")
    supplier.deliver()
    asked = supplier.amend(accepted.named(amendment_request()), tenant=DEFERRED)
    assert asked.status_code == 202
    assert found() == {}
    long_ago = days_ago(supplier, 1.1)
    change(supplier, tables.service_problem, created=long_ago)
    change(supplier, tables.change_request, created=long_ago)
    problems, changes = found().values()
    assert problems[0]["mend"][0] == f"supplier-api problem event {undecided.reference} accept"
    assert len(problems) == 1
    accept = f"supplier-api problem event {accepted.reference} accept-change --change "
    assert changes[0]["mend"][0].startswith(accept)


def test_what_waits_for_long_behind_a_dead_letter(supplier: Supplier, found: Found) -> None:
    problem = opened(supplier, 1)
    supplier.event(problem.reference, "start")
    supplier.event(problem.reference, "note", text="More.")
    lanes = tables.lane.c.destination == "gateway"
    first = tables.message.c.kind == "COMMITTED"
    change(supplier, tables.lane, lanes, parked=True, due_at=None)
    change(supplier, tables.message, first, state="refused", settled=days_ago(supplier, 0.1))
    assert found() == {}
    change(supplier, tables.message, first, settled=days_ago(supplier, 1))
    [(check, [case])] = found().items()
    assert "behind one that was refused" in check
    show, replay = case["mend"]
    assert show == f"supplier-api kci show {problem.reference}#1"
    assert replay == f'supplier-api kci replay {problem.reference}#1 --reason "..."'


def test_lanes_that_nobody_would_ever_look_at(supplier: Supplier, found: Found) -> None:
    problem = opened(supplier, 1)
    change(supplier, tables.lane, due_at=None)
    [(check, [case])] = found().items()
    assert "forgotten" in check
    assert case["text"].startswith(f"{problem.reference} of TENANT1, work orders")


def test_what_the_back_office_was_not_told(supplier: Supplier, found: Found) -> None:
    problem = opened(supplier, 1)
    change(supplier, tables.service_problem, back_office_untold=True)
    [(check, [case])] = found().items()
    assert "back office" in check
    assert case["mend"][0] == f"supplier-api work-order list --problem {problem.reference}"


def test_gaps_and_numbers_left_out(
    supplier: Supplier, found: Found, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk, "PIECE", 1)
    gap, skipped, whole = (opened(supplier, number) for number in (1, 2, 3))
    for problem in (gap, skipped, whole):
        supplier.event(problem.reference, "start")
        supplier.event(problem.reference, "note", text="More.")
    supplier.deliver()
    first = tables.message.c.kind == "COMMITTED"

    def of(problem: Problem) -> Any:
        row = supplier.stored(problem.id)
        lanes = tables.lane.c.problem_id == row.id
        return tables.message.c.lane_id.in_(select(tables.lane.c.id).where(lanes))

    query = delete(tables.message).where(first, of(gap))
    supplier.services.store.write(lambda uow: uow.connection.execute(query).rowcount)
    change(supplier, tables.message, first, of(skipped), state="skipped")
    [(check, cases)] = found().items()
    assert "gaps" in check
    assert [case["text"] for case in cases] == [
        f"{skipped.reference} of TENANT1, of 2 KCIs 1 left out",
        f"{gap.reference} of TENANT1, of 2 KCIs 1 missing",
    ]


@on_sqlite
def test_a_search_that_was_cut_short_says_how_far_it_came(
    supplier: Supplier, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk, "PIECE", 1)
    for number in (1, 2, 3):
        opened(supplier, number)
    report = json.loads(run("--json", "--seconds", "0").stdout)
    assert any("all but the newest 1 problems" in check for check in report["not_made"])


def test_web_servers_that_died(supplier: Supplier, found: Found) -> None:
    now = supplier.machine.now()
    detail = {"died": to_wire(now), "doubtful": 3}
    dead = Process("web/1", ProcessKind.WEB, "1.0", None, now, now, now, detail)
    supplier.services.store.write(lambda uow: ProcessRepository(uow).save(dead))
    [(check, [case])] = found().items()
    assert "web servers that died" in check
    assert "web/1" in case["text"]
    assert "3 problems were put in doubt" in case["text"]


@on_sqlite
def test_only_the_first_of_many_are_listed(
    supplier: Supplier, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk, "SHOWN", 2)
    for number in (1, 2, 3):
        opened(supplier, number)
    change(supplier, tables.service_problem, doubtful=True)
    result = run()
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    assert lines[0].endswith(": 3")
    assert [line for line in lines if line.startswith("  S")] == [lines[1], lines[4]]
    assert lines[7] == "  and 1 more"


@pytest.mark.usefixtures("supplier")
@on_sqlite
def test_without_a_database_nothing_is_checked(run: Run) -> None:
    result = run(SUPPLIER_API__DATABASE__URL="postgresql://nobody@127.0.0.1:1/nothing")
    assert result.exit_code == 1
    assert result.stderr.endswith("so nothing could be checked\n")


@on_sqlite
def test_files_with_secrets_that_others_may_read_are_a_warning(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "a secret"
    file.write_text("secret\n", encoding="utf-8")
    given = {"SUPPLIER_API__GATEWAY__CLIENT_SECRET_FILE": str(file)}
    for mode, warned in ((0o600, False), (0o640, True), (0o604, True)):
        file.chmod(mode)
        result = run(**given)
        assert result.exit_code == 0, result.output
        assert (f"{file} (gateway.client_secret)" in result.output) == warned
        assert bool(json.loads(run("--json", **given).stdout)["warnings"]) == warned
