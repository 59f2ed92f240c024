"""`supplier-api status`: what a person on duty sees, and what a monitor goes by."""

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner, Result
from flask import Flask
from sqlalchemy import insert, text, update

from supplier_api.cli import main
from supplier_api.clock import to_wire
from supplier_api.db import UnitOfWork, migrate, tables
from supplier_api.db.operator_actions import Switch, SwitchRepository
from supplier_api.http.request_queue import TimeSummary
from supplier_api.operations import status
from supplier_api.operations.processes import Process, ProcessKind, ProcessRepository
from supplier_api.problems.work import WorkOrder
from supplier_api.problems.work_item_repository import Holder, WorkItemRepository
from supplier_api.rules.model import Operation
from tests.integration.db.test_database_faults import read_only
from tests.samples import problem_request
from tests.supplier import DEFERRED, Supplier, on_sqlite

# Limits that are far from each other, whatever time a test takes.
LIMITS = {
    "SUPPLIER_API__STATUS__UNDELIVERED": "36000",  # 10 h
    "SUPPLIER_API__STATUS__UNDECIDED_HOURS": "10",
    "SUPPLIER_API__STATUS__PARKED_HOURS": "10",
    "SUPPLIER_API__STATUS__LATE_SHARE": "0.5",
}
NAMES = [
    "database",
    "schema",
    "environment",
    "web servers",
    "workers",
    "doors",
    "versions",
    "last request",
    "last KCI taken",
    "undelivered KCIs",
    "undelivered work orders",
    "parked KCIs",
    "parked work orders",
    "dead letters",
    "undecided",
    "work for people",
    "silent problems",
    "late answers",
    "request times",
    "breaker",
    "pauses",
    "tickets apart",
    "inbox",
    "tickets polled",
    "tickets compared",
    "maintenance",
    "rules",
    "inventory",
]


@pytest.fixture
def app(own_app: Flask) -> Flask:
    """Return an application that has nothing to tell of earlier tests."""
    return own_app


@pytest.fixture
def sqlite_file(own_sqlite_file: str) -> str:
    """Return the URL of a file that the test may damage."""
    return own_sqlite_file


@pytest.fixture
def run(environ: dict[str, str]) -> Callable[..., Result]:
    def run(*words: str, **more: str) -> Result:
        given = {**environ, **LIMITS, **more}
        return CliRunner().invoke(main, ["status", *words], env=given, prog_name="supplier-api")

    return run


Lines = Callable[..., dict[str, dict[str, Any]]]


@pytest.fixture
def lines(run: Callable[..., Result]) -> Lines:
    """Return what returns the lines by name, and checks that the exit code says the same."""

    def lines(**more: str) -> dict[str, dict[str, Any]]:
        result = run("--json", **more)
        document = json.loads(result.stdout)
        found = {line["name"]: line for line in document["lines"]}
        worst = max(document["lines"], key=lambda line: ["ok", "warn", "bad"].index(line["level"]))
        assert document["level"] == worst["level"]
        assert result.exit_code == (1 if worst["level"] == "bad" else 0)
        # What is not as it should be names the command that looks deeper, and only that.
        for name, line in found.items():
            assert (line["look"] is None) is (line["level"] == "ok"), name
        return found

    return lines


def shows(supplier: Supplier, kind: ProcessKind, name: str, **more: Any) -> None:
    """Let a process of this kind show itself."""
    now = supplier.machine.now()
    process = Process(name, kind, "1.0", "book" if kind is ProcessKind.WEB else None, now, now)
    supplier.services.store.write(lambda uow: ProcessRepository(uow).save(replace(process, **more)))


@pytest.fixture
def at_work(supplier: Supplier) -> Supplier:
    """Return the supplier with a web server and a worker."""
    shows(supplier, ProcessKind.WEB, "web/1")
    shows(supplier, ProcessKind.WORKER, "worker/1")
    return supplier


def long_ago(supplier: Supplier, hours: float) -> datetime:
    return supplier.machine.now() - timedelta(hours=hours)


def change(supplier: Supplier, table: Any, **values: Any) -> None:
    supplier.services.store.write(
        lambda uow: uow.connection.execute(update(table).values(values)).rowcount
    )


def test_when_all_is_well(at_work: Supplier, lines: Lines, run: Callable[..., Result]) -> None:
    at_work.opened()
    at_work.deliver()
    found = lines()

    assert list(found) == NAMES
    assert {line["level"] for line in found.values()} == {"ok"}
    assert found["schema"]["values"] == {"has": migrate.head(), "needs": migrate.head()}
    assert found["versions"]["values"] == {"versions": ["1.0"], "ruleBooks": ["book"]}
    assert found["workers"]["values"]["alive"] == 1
    printed = run().stdout.splitlines()
    assert len(printed) == len(NAMES)
    assert printed[1].split() == ["ok", "schema", f"{migrate.head()},", "needed:", migrate.head()]


def test_a_database_that_cannot_be_written_is_told_at_once(
    at_work: Supplier, lines: Lines, upgraded_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = at_work.services.store.read(lambda uow: ProcessRepository(uow).all())
    if upgraded_url.startswith("sqlite"):
        monkeypatch.setattr("os.statvfs", lambda _: SimpleNamespace(f_bavail=255, f_frsize=4096))
        assert_told(lines(), "the database cannot be written: disk full")
    else:
        with read_only(upgraded_url):
            assert_told(lines(), "the database cannot be written: read-only")
    assert at_work.services.store.read(lambda uow: ProcessRepository(uow).all()) == before


@on_sqlite
def test_a_locked_file_is_told_at_once(
    at_work: Supplier, lines: Lines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(status, "WRITE_SECONDS", 0.05)
    assert at_work.problems() == 0
    with closing(sqlite3.connect(tmp_path / "supplier.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert_told(lines(), "the database is locked")


@on_sqlite
def test_a_damaged_file_is_told_at_once(lines: Lines, environ: dict[str, str]) -> None:
    file = Path(environ["SUPPLIER_API__DATABASE__URL"].removeprefix("sqlite:///"))
    file.write_bytes(file.read_bytes()[:100] + b"x" * 4096)
    assert_told(lines(), "the database cannot be used: the file is corrupt")
    file.write_bytes(b"x" * 8192)
    assert_told(lines(), "the database cannot be used: the file is corrupt")


def assert_told(found: dict[str, dict[str, Any]], cause: str) -> None:
    """Check that the line of the database is bad and names the cause."""
    assert found["database"]["level"] == "bad"
    assert cause in found["database"]["text"]


@on_sqlite
def test_without_a_worker_it_is_bad(supplier: Supplier, lines: Lines) -> None:
    shows(supplier, ProcessKind.WEB, "web/1")
    assert lines()["workers"]["look"] == "supplier-api worker"
    shows(supplier, ProcessKind.WORKER, "worker/1", seen=long_ago(supplier, 1))
    assert lines()["workers"]["level"] == "bad"
    shows(supplier, ProcessKind.WORKER, "worker/2")
    # One that fell silent and was not found dead yet, beside one that lives.
    assert lines()["workers"]["level"] == "warn"
    shows(supplier, ProcessKind.WORKER, "worker/1", ended=supplier.machine.now())
    assert lines()["workers"]["level"] == "ok"


@on_sqlite
def test_a_web_server_that_died_lately_is_shown(at_work: Supplier, lines: Lines) -> None:
    died = {"died": to_wire(at_work.machine.now()), "doubtful": 2}
    shows(at_work, ProcessKind.WEB, "web/0", ended=at_work.machine.now(), detail=died)
    line = lines()["web servers"]
    assert (line["level"], line["look"]) == ("warn", "supplier-api doctor")


@on_sqlite
def test_a_door_that_nobody_serves_is_bad(at_work: Supplier, lines: Lines) -> None:
    apart = {"SUPPLIER_API__BACKOFFICE__LISTEN": "127.0.0.1:8082"}
    # Of an older version, which does not tell.
    assert lines(**apart)["doors"]["text"] == "none known"
    shared = {"doors": {"gateway": True, "console": True, "operations": True}}
    for name in ("web/1", "web/2"):
        shows(at_work, ProcessKind.WEB, name, detail=shared)
    line = lines(**apart)["doors"]
    assert (line["level"], line["look"]) == ("bad", "supplier-api serve --door back-office")
    assert line["text"] == "gateway 2, console 2, operations 2; nobody serves: back-office"
    shows(at_work, ProcessKind.WEB, "web/2", detail={"doors": {"back-office": True}})
    line = lines(**apart)["doors"]
    served = "gateway 1, back-office 1, console 1, operations 1"
    assert (line["level"], line["text"]) == ("ok", served)
    each = {"gateway": 1, "back-office": 1, "console": 1, "operations": 1}
    assert line["values"]["served"] == each


@on_sqlite
def test_what_the_last_requests_took(at_work: Supplier, lines: Lines) -> None:
    assert lines()["request times"]["text"] == "none known"
    summary = TimeSummary()
    summary.note(0.040, 0.001)
    shows(at_work, ProcessKind.WEB, "web/1", detail={"requestTimes": summary.plain()})
    line = lines()["request times"]
    expected = "99 % of the last are answered within 40 ms of their headers, and queued for 1 ms"
    assert (line["level"], line["text"]) == ("ok", expected)
    summary.note(4.0, 3.0)
    summary.refused("queue-full")
    shows(at_work, ProcessKind.WEB, "web/2", detail={"requestTimes": summary.plain()})
    line = lines()["request times"]
    assert line["level"] == "warn"
    assert line["text"].endswith("queued for 3000 ms; 1 refused unread")
    assert line["values"]["webServers"]["web/2"]["refused"] == {"queue-full": 1}


@on_sqlite
def test_mixed_rule_books_are_a_warning(at_work: Supplier, lines: Lines) -> None:
    shows(at_work, ProcessKind.WEB, "web/2", book_version="another")
    assert lines()["versions"]["level"] == "warn"


def test_the_last_request_and_the_last_kci(at_work: Supplier, lines: Lines) -> None:
    assert lines()["last request"]["text"] == "none known"
    problem = at_work.opened()
    at_work.event(problem.reference, "start")
    at_work.deliver()
    taken = lines()["last KCI taken"]["values"]["at"]
    assert taken is not None
    # What a process remembers counts too, where it is later.
    later = to_wire(at_work.machine.now() + timedelta(seconds=1))
    shows(at_work, ProcessKind.WEB, "web/1", detail={"request": later})
    shows(at_work, ProcessKind.WORKER, "worker/1", detail={"gateway": later})
    found = lines()
    assert found["last request"]["values"]["at"] == later
    assert found["last KCI taken"]["values"]["at"] == later > taken


def test_what_is_undelivered_for_long(at_work: Supplier, lines: Lines) -> None:
    problem = at_work.opened()
    at_work.event(problem.reference, "start")
    levels = []
    for hours in (1, 6, 11):
        change(at_work, tables.message, created=long_ago(at_work, hours))
        levels.append(lines()["undelivered KCIs"]["level"])
    assert levels == ["ok", "warn", "bad"]
    line = lines()["undelivered KCIs"]
    assert line["look"] == "supplier-api kci list --state queued"
    assert line["text"] == "1, the oldest for 11 h"


def test_what_is_undecided_for_long(at_work: Supplier, lines: Lines) -> None:
    assert at_work.create(problem_request(), tenant=DEFERRED).status_code == 202
    levels = []
    for hours in (1, 6, 11):
        change(at_work, tables.service_problem, created=long_ago(at_work, hours))
        levels.append(lines()["undecided"]["level"])
    assert levels == ["ok", "warn", "bad"]
    assert lines()["undecided"]["values"]["count"] == 1


def test_an_order_that_nobody_takes_for_long(at_work: Supplier, lines: Lines) -> None:
    problem = at_work.opened()
    stored, issued = at_work.stored(problem.id), at_work.business.now(problem.tenant)
    order = WorkOrder(
        id="an order",
        kind=Operation.PROBLEM,
        tenant=problem.tenant,
        reference=problem.reference,
        issued=to_wire(issued),
        standing="ACKNOWLEDGED",
        decide=False,
        problem={},
    )
    at_work.services.store.write(lambda uow: WorkItemRepository(uow).add(stored.id, order))
    assert lines()["work for people"]["level"] == "ok"
    change(at_work, tables.work_item, created=long_ago(at_work, 11))
    line = lines()["work for people"]
    assert (line["level"], line["text"]) == (
        "warn",
        "1 waiting, 1 of nobody, the oldest of those for 11 h",
    )
    holder = Holder("ann", at_work.machine.now())
    at_work.services.store.write(
        lambda uow: WorkItemRepository(uow).take(
            problem.reference, stored.id, order.kind, issued, holder
        )
    )
    line = lines()["work for people"]
    assert (line["level"], line["text"]) == ("ok", "1 waiting, 0 of nobody")


def test_open_problems_that_are_silent_are_named(
    at_work: Supplier, lines: Lines, environ: dict[str, str]
) -> None:
    problem = at_work.opened()

    def listed() -> list[str]:
        words = ["problem", "list", "--silent", "--json"]
        found = CliRunner().invoke(main, words, env={**environ, **LIMITS}, prog_name="x")
        return [row["reference"] for row in json.loads(found.stdout)]

    change(at_work, tables.service_problem, updated=long_ago(at_work, 23))
    assert (lines()["silent problems"]["level"], listed()) == ("ok", [])
    change(at_work, tables.service_problem, updated=long_ago(at_work, 25))
    line = lines()["silent problems"]
    assert (line["level"], line["look"]) == ("warn", "supplier-api problem list --silent")
    assert line["values"] == {"count": 1, "references": [problem.reference]}
    assert listed() == [problem.reference]
    # Each state has a time of its own, and what is over is not waited for.
    for values, count in (
        ({"base": "IN_PROGRESS"}, 0),
        ({"updated": long_ago(at_work, 73)}, 1),
        ({"waiting": "HELD"}, 0),
        ({"updated": long_ago(at_work, 169)}, 1),
        ({"base": "RESOLVED", "waiting": None}, 0),
    ):
        change(at_work, tables.service_problem, **values)
        assert lines()["silent problems"]["values"]["count"] == count
    # A ticket that says the same again is heard.
    change(at_work, tables.service_problem, base="IN_PROGRESS")
    stored = at_work.stored(problem.id)
    heard = {"adapter": "x", "ticket": "T-1", "problem_id": stored.id}
    at = long_ago(at_work, 1)
    at_work.services.store.write(
        lambda uow: uow.connection.execute(insert(tables.ticket), {**heard, "heard": at})
    )
    assert lines()["silent problems"]["values"]["count"] == 0


def test_a_parked_lane_is_a_warning_and_in_time_bad(at_work: Supplier, lines: Lines) -> None:
    problem = at_work.opened()
    at_work.event(problem.reference, "start")
    change(at_work, tables.message, state="refused", settled=long_ago(at_work, 1))
    change(at_work, tables.lane, parked=True, due_at=None)
    found = lines()
    assert (found["parked KCIs"]["level"], found["dead letters"]["text"]) == ("warn", "2")
    # It counts problems, of which the command that it names lists every KCI.
    assert found["parked KCIs"]["text"] == "1 problem has a dead letter, the oldest for 60 min"
    assert found["parked KCIs"]["look"] == "supplier-api kci list"
    change(at_work, tables.message, settled=long_ago(at_work, 11))
    assert lines()["parked KCIs"]["level"] == "bad"
    assert found["undelivered KCIs"]["values"]["count"] == 0


@pytest.mark.parametrize("kind", ["RESOLVED", "COMPLETED", "CANCELLED", "REJECTED"])
@on_sqlite
def test_a_dead_letter_without_which_a_problem_stays_open_is_bad_at_once(
    at_work: Supplier, lines: Lines, kind: str
) -> None:
    problem = at_work.opened()
    at_work.event(problem.reference, "start")
    now = at_work.machine.now()
    change(at_work, tables.message, state="refused", settled=now)
    assert lines()["dead letters"]["level"] == "ok"
    change(at_work, tables.message, kind=kind)
    line = lines()["dead letters"]
    assert (line["level"], line["look"]) == ("bad", "supplier-api kci list --state dead")
    assert line["values"]["ends"].keys() == {kind}


@on_sqlite
def test_what_fell_silent_or_died_is_mended_by_another(at_work: Supplier, lines: Lines) -> None:
    died = {"died": to_wire(at_work.machine.now()), "doubtful": 0}
    shows(at_work, ProcessKind.WORKER, "worker/0", ended=at_work.machine.now(), detail=died)
    shows(at_work, ProcessKind.WEB, "web/0", seen=long_ago(at_work, 1))
    found = lines()
    assert found["workers"]["look"] == "supplier-api worker"
    assert found["web servers"]["look"] == "supplier-api serve"


@on_sqlite
def test_mixed_releases_name_the_process_to_start_again(at_work: Supplier, lines: Lines) -> None:
    shows(at_work, ProcessKind.WORKER, "worker/0", version="0.9", started=long_ago(at_work, 1))
    line = lines()["versions"]
    assert (line["level"], line["look"]) == ("warn", "supplier-api worker")
    assert "the oldest to be started again: worker/0" in line["text"]


def test_late_answers_of_a_day(at_work: Supplier, lines: Lines) -> None:
    for number in (1, 2, 3):
        at_work.opened(id=number, serviceId=f"SI23454323453{number:02}")
    now = at_work.machine.now()
    change(at_work, tables.decision, committed=now)

    def late(uow: UnitOfWork, key: str) -> None:
        which = tables.decision.c.key == key
        uow.connection.execute(update(tables.decision).where(which).values(answered_late=now))

    at_work.services.store.write(lambda uow: late(uow, "1"))
    line = lines()["late answers"]
    assert line["values"] == {"late": 1, "answers": 3, "share": round(1 / 3, 6)}
    assert line["level"] == "warn"
    at_work.services.store.write(lambda uow: late(uow, "2"))
    assert lines()["late answers"]["level"] == "bad"
    change(at_work, tables.decision, answered_late=long_ago(at_work, 25))
    assert lines()["late answers"]["level"] == "ok"


def test_what_holds_messages_up(at_work: Supplier, lines: Lines) -> None:
    now = at_work.machine.now()

    def hold(uow: UnitOfWork, **values: Any) -> None:
        row = {"reason": "planned work", "who": "jane", "since": now, **values}
        uow.connection.execute(insert(tables.pause).values(row))

    def over(uow: UnitOfWork) -> None:
        hold(uow, cause="operator", until=now)

    at_work.services.store.write(over)
    assert lines()["pauses"]["level"] == "ok"
    at_work.services.store.write(lambda uow: hold(uow, cause="operator", tenant="TENANT1"))
    found = lines()
    assert (found["pauses"]["level"], found["breaker"]["level"]) == ("warn", "ok")
    held = found["pauses"]["text"]
    assert held.startswith("all messages of tenant TENANT1 for ")
    assert held.endswith(", by jane: planned work")
    at_work.services.store.write(lambda uow: hold(uow, cause="breaker", destination="gateway"))
    line = lines()["breaker"]
    assert (line["level"], line["look"]) == ("bad", "supplier-api doctor --connect")


def test_a_pause_of_one_problem_names_it(at_work: Supplier, lines: Lines) -> None:
    problem = at_work.opened()
    row = {
        "cause": "operator",
        "destination": "gateway",
        "tenant": "TENANT1",
        "problem_id": at_work.stored(problem.id).id,
        "reason": "a visit",
        "who": "jane",
        "since": long_ago(at_work, 3),
    }
    at_work.services.store.write(
        lambda uow: uow.connection.execute(insert(tables.pause).values(row)).rowcount
    )
    line = lines()["pauses"]
    assert line["text"] == f"KCIs of problem {problem.reference} for 3 h, by jane: a visit"
    assert line["values"]["pauses"][0]["problem"] == problem.reference


def test_maintenance_is_a_warning(at_work: Supplier, lines: Lines) -> None:
    on = Switch("maintenance", "jane", "new line cards", at_work.machine.now())
    at_work.services.store.write(lambda uow: SwitchRepository(uow).on(on))
    line = lines()["maintenance"]
    assert (line["level"], line["look"]) == (
        "warn",
        'supplier-api maintenance off --reason "..."',
    )


def test_an_inventory_that_is_down_is_bad(at_work: Supplier, lines: Lines) -> None:
    since = to_wire(long_ago(at_work, 3))
    shows(at_work, ProcessKind.WEB, "web/1", detail={"inventory-down": since})
    line = lines()["inventory"]
    assert (line["level"], line["look"]) == ("bad", "supplier-api doctor")
    assert line["text"] == "down for 3 h: decisions are put off"
    down = [{"process": "web/1", "since": since}]
    assert line["values"] == {"down": down, "notLoaded": []}
    # What one said that is gone since does not count.
    shows(at_work, ProcessKind.WEB, "web/2")
    silent = {"detail": {"inventory-down": since}, "seen": long_ago(at_work, 2)}
    shows(at_work, ProcessKind.WEB, "web/1", **silent)
    assert lines()["inventory"]["level"] == "ok"


@on_sqlite
def test_somebody_elses_database_is_bad(at_work: Supplier, lines: Lines) -> None:
    assert at_work.problems() == 0
    line = lines(SUPPLIER_API__ENVIRONMENT="rehearsal")["environment"]
    assert (line["level"], line["look"]) == ("bad", 'supplier-api db restamp --reason "..."')


def test_a_schema_that_is_too_old_is_a_line(
    upgraded_url: str, supplier: Supplier, lines: Lines
) -> None:
    def downgrade(uow: UnitOfWork, revision: str) -> None:
        query = text("UPDATE alembic_version SET version_num = :revision")
        uow.connection.execute(query, {"revision": revision})

    supplier.services.store.write(lambda uow: downgrade(uow, "0001"))
    try:
        found = lines()
    finally:
        supplier.services.store.write(lambda uow: downgrade(uow, migrate.head()))
    assert upgraded_url
    assert list(found) == ["schema"]
    assert found["schema"]["look"] == "supplier-api db upgrade"


@pytest.mark.usefixtures("supplier")
@on_sqlite
def test_a_database_that_is_away_is_a_line(lines: Lines) -> None:
    nowhere = "postgresql://nobody@127.0.0.1:1/nothing"
    found = lines(SUPPLIER_API__DATABASE__URL=nowhere)
    assert list(found) == ["database"]
    assert found["database"]["level"] == "bad"
