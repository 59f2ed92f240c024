"""`supplier-api problem`: problems as people and their tools see them, and events by hand."""

import json
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from flask import Flask

from supplier_api.app.services import ClockPair
from supplier_api.clock import ManualBusinessClock, ManualMachineClock
from supplier_api.db import UnitOfWork
from supplier_api.db.operator_actions import (
    MAINTENANCE,
    OperatorActionRepository,
    Switch,
    SwitchRepository,
)
from supplier_api.delivery.model import Meaning, Reply
from supplier_api.ids import SystemIdSource
from supplier_api.outbox.pauses import PauseCause, PauseRepository, Scope
from supplier_api.outbox.repository import LaneRepository
from supplier_api.problems import problem_search
from supplier_api.problems.repository import ProblemRepository
from supplier_api.problems.work import WorkOrder
from supplier_api.rules.model import Operation
from supplier_api.sandbox.simulated_backoffice import SimulatedBackOffice
from supplier_api.settings.model import BackOfficeSettings
from tests.commands import Command
from tests.samples import cancellation_request, problem_request
from tests.supplier import DEFERRED, Supplier, on_sqlite

LATER = "SI0000000000099"


@pytest.fixture
def behind() -> timedelta:
    return timedelta(hours=2)


@pytest.fixture
def command(environ: dict[str, str]) -> Command:
    return Command(environ, "problem", by=None)


# -- list


def test_no_problem_is_no_failure(supplier: Supplier, command: Command) -> None:
    assert supplier.problems() == 0
    none = command("list")
    assert (none.exit_code, none.stdout, none.stderr) == (0, "", "there are no problems\n")
    assert command("list", "--state", "RESOLVED").stderr == "no problem fits these options\n"
    assert json.loads(command.ok("list", "--json")) == []


def test_problems_are_listed_the_newest_first(supplier: Supplier, command: Command) -> None:
    first = supplier.opened()
    supplier.machine.advance(5400)
    second = supplier.opened(tenant="TENANT2")
    assert supplier.create(problem_request(id=3), tenant=DEFERRED).status_code == 202
    third = supplier.stored(3, DEFERRED).reference
    supplier.event(first.reference, "hold", problemCode="ACCESS_ISSUE")

    def listed(*options: str) -> list[str]:
        lines = command.ok("list", *options).splitlines()
        rows = json.loads(command.ok("list", "--json", *options))
        assert [line.split()[0] for line in lines] == [row["reference"] for row in rows]
        return [row["reference"] for row in rows]

    assert listed() == [third, second.reference, first.reference]
    assert listed("--limit", "1") == [third]
    assert listed("--tenant", "TENANT2") == [second.reference]
    assert listed("--state", "HELD") == [first.reference]
    assert listed("--state", "UNDECIDED") == [third]
    assert listed("--state", "RESOLVED") == []
    assert listed("--older-than", "1h") == [first.reference]
    assert listed("--older-than", "10m") == [third, second.reference, first.reference]
    assert listed("--older-than", "1d") == []

    [row] = json.loads(command.ok("list", "--json", "--state", "HELD"))
    created = row.pop("created"), row.pop("updated")
    assert created[0] < created[1]
    assert row == {
        "reference": first.reference,
        "tenant": "TENANT1",
        "gatewayId": 23467,
        "serviceId": "SI2345432345345",
        "status": "HELD",
    }


def test_problems_are_searched_by_text_on_record(
    supplier: Supplier, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(problem_search, "TEXT_WINDOW", 1)
    found = supplier.opened(notes="The zephyr.")
    supplier.opened(id=2, serviceId="SI0000000000102")
    why = ("--reason", "They rang.")
    [row] = json.loads(command.ok("list", "--json", "--text", "ZEPHYR the", *why))
    assert row["reference"] == found.reference
    assert command("list", "--text", "nothing", *why).stderr == "no problem fits these options\n"
    acts = supplier.services.store.read(
        lambda uow: OperatorActionRepository(uow).recent(action="text search", limit=9)
    )
    assert [act.detail for _, act in acts] == [{"found": []}, {"found": [found.reference]}]
    assert {act.reason for _, act in acts} == {"They rang."}


@on_sqlite
def test_an_undecided_change_shows_in_the_state(supplier: Supplier, command: Command) -> None:
    problem = supplier.opened(tenant=DEFERRED)
    supplier.cancel(problem.named(cancellation_request()), tenant=DEFERRED)
    assert problem.reference in command.ok("list", "--state", "PENDING_CANCELLATION")
    assert command.ok("list", "--state", "ACKNOWLEDGED") == ""


@pytest.mark.usefixtures("supplier")
@on_sqlite
@pytest.mark.parametrize(
    "words",
    [
        ["list", "--state", "BROKEN"],
        ["list", "--older-than", "soon"],
        ["list", "--older-than", "999999d"],
        ["list", "--limit", "-1"],
        ["list", "now"],
        ["list", "--text", "words"],
        ["list", "--text", "a b c d e f", "--reason", "why"],
        ["list", "--text", " ", "--reason", "why"],
        ["list", "--reason", "why"],
        ["show"],
        ["event", "SP_1"],
        ["event", "SP_1", "explode"],
        ["event", "SP_1", "close by silence"],
        ["event", "SP_1", "hold", "--problem-code", "WRONG"],
        ["event", "SP_1", "note", "--text", "x" * 1001],
        ["event", "SP_1", "note", "--id", "x" * 101],
        ["event", "SP_1", "resolve", "--resolution-text", "Without a code."],
        ["explode"],
    ],
    ids=" ".join,
)
def test_wrong_use_is_told_and_exits_with_2(command: Command, words: list[str]) -> None:
    result = command(*words)
    assert result.exit_code == 2
    assert "Usage: " in result.stderr
    assert result.stdout == ""


# -- show


def test_a_problem_is_shown_by_any_of_its_names(supplier: Supplier, command: Command) -> None:
    problem = supplier.opened(tenant=DEFERRED)
    ticket = {"backOfficeId": "INC0012345"}
    supplier.event(problem.reference, "note", **ticket)
    change = {"id": 7, "serviceProblemId": 23467, "notes": "Ring twice."}
    amendment = supplier.amend(change, tenant=DEFERRED).get_json()["supplierReference"]
    supplier.event(problem.reference, "accept-change", changeReference=amendment)
    resolution = supplier.resolved(problem)
    names = [
        problem.reference,
        23467,
        "SI2345432345345",
        "conversation-1",
        "INC0012345",
        amendment,
        resolution,
    ]
    shown = [command.ok("show", name) for name in names]
    assert set(shown) == {shown[0]}
    assert shown[0].startswith(f"{problem.reference}  RESOLVED\n")


@on_sqlite
def test_whose_child_a_problem_is_is_told(supplier: Supplier, command: Command) -> None:
    named: dict[str, Any] = {
        "parentServiceProblemId": 12345,
        "parentServiceProblemReference": "SI_RE23380000",
    }
    parent = supplier.opened(**named)
    child = supplier.opened(id=2, serviceId="SI0000000000102", parentServiceProblemId=23467)
    shown = command.ok("show", child.reference)
    assert f"  parent        {parent.reference}\n" in shown
    unknown = command.ok("show", parent.reference)
    told = "12345, SI_RE23380000: the tenant had no such problem when this one was raised"
    assert f"  parent        {told}\n" in unknown


def test_a_problem_is_shown_with_all_that_happened(supplier: Supplier, command: Command) -> None:
    problem = supplier.opened()
    change = {"id": 7, "serviceProblemId": 23467, "notes": "Ring twice."}
    supplier.machine.advance(60)
    supplier.amend(change)
    supplier.machine.advance(60)
    supplier.event(problem.reference, "start", id="EV-1")
    supplier.machine.advance(60)
    supplier.event(problem.reference, "complete", id="EV-2")
    supplier.machine.advance(60)
    resolution = supplier.resolved(problem)

    seen = json.loads(command.ok("show", problem.reference, "--json"))
    assert [
        (entry["what"], entry.get("operation") or entry.get("event") or entry.get("kind"))
        for entry in seen["timeline"]
    ] == [
        ("request", "problem"),
        ("order", "problem"),
        ("request", "amendment"),
        ("order", "amendment"),
        ("event", "start"),
        ("kci", "COMMITTED"),
        ("event", "complete"),
        ("event", "resolve"),
        ("kci", "RESOLVED"),
    ]
    by = {entry.get("kind") or entry.get("operation"): entry for entry in seen["timeline"]}
    assert by["COMMITTED"]["status"] == "IN_PROGRESS"
    assert by["COMMITTED"]["state"] == "delivered"
    assert by["RESOLVED"]["subject"] == resolution
    [attempt] = by["RESOLVED"]["attempts"]
    assert (attempt["outcome"], attempt["status"]) == ("delivered", 204)
    [request] = [one for one in seen["timeline"] if one.get("operation") == "problem"]
    assert request["answer"] == 201
    assert (request["outcome"], request["rule"]) == ("acknowledge", "default")
    assert {rule["rule"] for rule in request["trace"]} >= {"service-unknown", "already-open"}
    assert [timer["kind"] for timer in seen["timers"]] == ["closure-notice", "closure"]
    assert seen["waitsFor"] == "the tenant: to accept or reject the resolution"
    assert seen["legalEvents"] == ["note", "warn", "complete", "reopen"]

    text = command.ok("show", 23467)
    for line in (
        "problem 23467  answered 201  acknowledge (rule: default)",
        "event start  answered 200",
        "event complete  answered 409",
        "KCI 1 COMMITTED IN_PROGRESS  delivered",
        "KCI 2 RESOLVED RESOLVED  delivered",
        "waits for  the tenant: to accept or reject the resolution",
        "possible   note, warn (problemCode), complete, reopen (text)",
    ):
        assert line in text


@on_sqlite
def test_what_stands_for_nothing_or_for_several_is_refused(
    supplier: Supplier, command: Command
) -> None:
    first = supplier.opened()
    second = supplier.opened(tenant="TENANT2")
    result = command("show", "SP_UNKNOWN01")
    assert (result.exit_code, result.stderr) == (1, "Error: there is no problem SP_UNKNOWN01\n")
    result = command("show", "23467")
    assert result.exit_code == 1
    assert "23467 stands for 2 problems:" in result.stderr
    for problem in (first, second):
        assert f"{problem.reference}  {problem.tenant}  23467" in result.stderr


def test_a_refused_request_is_told_where_no_problem_came_of_it(
    supplier: Supplier, command: Command
) -> None:
    problem = supplier.opened()
    assert supplier.create(problem_request(id=99)).status_code == 422
    result = command("show", "99")
    assert result.exit_code == 1
    assert "there is no problem 99" in result.stderr
    assert "TENANT1: problem was answered 422 " in result.stderr
    assert "(rule: already-open)" in result.stderr
    [refused] = json.loads(command.ok("show", "99", "--json"))["refused"]
    assert (refused["answer"], refused["rule"]) == (422, "already-open")
    assert refused["facts"]["request"]["id"] == 99
    assert refused["facts"]["open_problems"] == [str(problem.id)]


def test_what_holds_a_resolved_problem_up_is_told(supplier: Supplier, command: Command) -> None:
    problem = supplier.opened()
    supplier.event(problem.reference, "start")
    supplier.deliver()
    supplier.event(problem.reference, "resolve", resolution={"resolutionCode": "OTHER"})
    supplier.answers[2] = Reply(Meaning.REFUSED, "422 INVALID_REQUEST", 422)
    supplier.deliver()
    dead = f"{problem.reference}#2"
    seen = json.loads(command.ok("show", problem.reference, "--json"))
    assert seen["status"] == "RESOLVED"
    assert seen["waitsFor"] == (
        f"an operator: the tenant was not told, for {dead} was not taken;"
        f" look with `supplier-api kci show {dead}`"
    )
    assert [sentence.partition(":")[0] for sentence in seen["heldUp"]] == [f"{dead} was not taken"]
    lines = command.ok("show", problem.reference).splitlines()
    assert f"waits for  {seen['waitsFor']}" in lines
    assert f"held up    {seen['heldUp'][0]}" in lines


def test_pauses_maintenance_and_doubt_are_told(supplier: Supplier, command: Command) -> None:
    problem, other = supplier.opened(), supplier.opened(tenant="TENANT2")
    waits = supplier.create(problem_request(id=3, serviceId=LATER), tenant=DEFERRED)
    assert waits.status_code == 202
    now = supplier.machine.now()

    def hold(uow: UnitOfWork) -> None:
        of = Scope("gateway", "TENANT1", supplier.stored(problem.id).id)
        PauseRepository(uow).begin(PauseCause.OPERATOR, of, reason="MARKER", who="jo", since=now)
        SwitchRepository(uow).on(Switch(MAINTENANCE, "jo", "MARKER", now))
        ProblemRepository(uow).mark_doubtful(supplier.stored(other.id, "TENANT2").id)

    supplier.services.store.write(hold)
    for reference, told in (
        (problem.reference, "gateway: paused by an operator since "),
        (other.reference, "our answer was late or lost: the gateway may not know this problem"),
        (supplier.stored(3, DEFERRED).reference, "maintenance is on since "),
    ):
        shown = command.ok("show", reference)
        [line] = [line for line in shown.splitlines() if line.startswith("held up    ")]
        assert line.startswith(f"held up    {told}")
        assert "MARKER" not in shown


def messages(problem_id: int, uow: UnitOfWork) -> list[dict[str, Any]]:
    return LaneRepository(uow).messages_of(problem_id)


class TestOfTheSystemsOwnIds:
    """Problems as they are in production: nothing is repeatable."""

    @pytest.fixture
    def clocks(self) -> tuple[ManualMachineClock, ManualBusinessClock, ClockPair]:
        machine = ManualMachineClock(datetime.now(UTC) - timedelta(hours=2))
        business = ManualBusinessClock(machine)
        return machine, business, ClockPair(machine, business, SystemIdSource())

    @pytest.fixture
    def app(self, own_app: Flask) -> Flask:
        return own_app

    @on_sqlite
    def test_a_ticket_stands_for_one_problem(self, supplier: Supplier, command: Command) -> None:
        desk = SimulatedBackOffice(
            BackOfficeSettings(adapter="simulated", pace="manual"), lambda _order: {}
        )
        raised = [supplier.opened(id=n, serviceId=f"SI{n:013d}") for n in range(100, 110)]
        tickets = {}
        for problem in raised:
            problem_id = supplier.stored(problem.id).id
            rows = supplier.services.store.read(partial(messages, problem_id))
            order = next(row for row in rows if row["kind"] == Operation.PROBLEM)
            ticket = desk.submit(WorkOrder.from_body(order["uuid"], order["body"])).back_office_id
            supplier.event(problem.reference, "note", backOfficeId=ticket)
            tickets[ticket] = problem.reference

        assert len(tickets) == len(raised)
        for ticket, reference in tickets.items():
            assert json.loads(command.ok("show", ticket, "--json"))["reference"] == reference


# -- event


def test_an_event_by_hand_does_what_the_back_office_does(
    supplier: Supplier, command: Command
) -> None:
    problem = supplier.opened()
    started = command.ok("event", problem.reference, "start", "--reason", "They rang.")
    assert started == f"{problem.reference} IN_PROGRESS\n"
    assert "event start by an operator  answered 200" in command.ok("show", problem.reference)
    hold = ["--problem-code", "ACCESS_ISSUE", "--text", "No key.", "--supplier-code", "313"]
    hold += ["--note", "Came twice.", "--ticket", "INC0012345"]
    assert command.ok("event", 23467, "hold", *hold).endswith(" HELD\n")
    assert command.ok("event", "INC0012345", "resume").endswith(" IN_PROGRESS\n")
    repaired = ["--resolution-code", "NETWORK_CABLING", "--resolution-text", "Renewed."]
    assert command.ok("event", problem.reference, "resolve", *repaired).endswith(" RESOLVED\n")
    kcis = supplier.kcis(problem)
    assert [kci["reasonCode"] for kci in kcis] == ["COMMITTED", "DELAY", "RESUMED", "RESOLVED"]
    told = kcis[1]
    assert (told["problemCode"], told["text"]) == ("ACCESS_ISSUE", "No key.")
    assert told["supplierCodes"] == ["313"]
    assert told["supplierNotes"][0]["note"] == "Came twice."
    details = kcis[3]["serviceProblemResolution"]["resolutionDetails"]
    assert details == {"resolutionCode": "NETWORK_CABLING", "resolutionText": "Renewed."}


@on_sqlite
def test_a_change_is_decided_by_hand(supplier: Supplier, command: Command) -> None:
    assert supplier.create(problem_request(), tenant=DEFERRED).status_code == 202
    reference = supplier.stored(23467, DEFERRED).reference
    assert command.ok("event", reference, "accept", "--commit").endswith(" IN_PROGRESS\n")
    supplier.deliver()
    body = {"id": 7, "serviceProblemId": 23467, "notes": "Ring twice."}
    change = supplier.amend(body, tenant=DEFERRED).get_json()["supplierReference"]
    said = command.ok("event", reference, "accept-change", "--change", change)
    assert said == f"{reference} IN_PROGRESS\n"
    assert supplier.stored(23467, DEFERRED).document["notes"] == "Ring twice."


@on_sqlite
def test_an_event_with_an_id_happens_once(supplier: Supplier, command: Command) -> None:
    problem = supplier.opened()
    for _ in range(2):
        assert command.ok("event", problem.reference, "start", "--id", "EV-1")
    assert supplier.told(problem) == ["1 COMMITTED/IN_PROGRESS"]
    # Without an id of its own each is another event.
    for _ in range(2):
        command.ok("event", problem.reference, "note")
    assert len(supplier.told(problem)) == 3


@on_sqlite
def test_a_refused_event_exits_with_1_and_says_what_is_possible(
    supplier: Supplier, command: Command
) -> None:
    problem = supplier.opened()
    result = command("event", problem.reference, "complete")
    assert result.exit_code == 1
    assert "complete is not possible while the problem is ACKNOWLEDGED" in result.stderr
    assert "possible now: start, hold, " in result.stderr
    result = command("event", problem.reference, "hold")
    assert result.exit_code == 1
    assert "hold needs --problem-code" in result.stderr
    assert command.ok("event", problem.reference, "start")
    for more in ((), ("--resolution-text", "Mended.")):
        result = command("event", problem.reference, "resolve", *more)
        assert "resolve needs --resolution-code" in result.stderr
    result = command("event", "SP_UNKNOWN01", "start")
    assert result.exit_code == 1
    assert "no such problem" in result.stderr
    supplier.resolved(problem)
    result = command("event", problem.reference, "reopen")
    assert "reopen needs --text" in result.stderr
    assert command.ok("event", problem.reference, "reopen", "--text", "It has failed again.")
    assert supplier.told(problem) == [
        "1 COMMITTED/IN_PROGRESS",
        "2 RESOLVED/RESOLVED",
        "3 RESUMED/IN_PROGRESS",
    ]
