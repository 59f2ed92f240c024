"""The rule book that is supplied: what a tenant of the sandbox, or of production, is answered."""

from pathlib import Path
from typing import Any

import pytest

from supplier_api.clock import SystemMachineClock
from supplier_api.rules.book import RuleBook
from supplier_api.rules.facts import Facts, ProblemFacts
from supplier_api.rules.inventory import CsvInventory
from supplier_api.rules.loading import load_book
from supplier_api.rules.model import Decision, Operation, Outcome
from tests.samples import amendment_request, cancellation_request, problem_request

CONFIG = Path(__file__).parents[3] / "config"


@pytest.fixture(scope="module", params=["sandbox", "production"])
def profile(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def book(profile: str) -> RuleBook:
    return load_book(CONFIG / "rules.yaml", profile)


def decide_problem(book: RuleBook, *, any_live: bool = True, **changes: Any) -> Decision:
    request = problem_request(**changes)
    inventory = CsvInventory(CONFIG / "services.csv", any_live=any_live)
    given = Facts(
        request=request,
        tenant="TENANT1",
        now=SystemMachineClock().now(),
        service=inventory.find("TENANT1", request["serviceId"]),
        open_problems=(),
        incidents=(),
    )
    return book.decide(Operation.PROBLEM, given, {})


def decide_change(book: RuleBook, operation: Operation, problem: ProblemFacts) -> Decision:
    requests = {
        Operation.AMENDMENT: amendment_request(),
        Operation.CANCELLATION: cancellation_request(),
    }
    given = Facts(
        request=requests[operation],
        tenant="TENANT1",
        now=SystemMachineClock().now(),
        problem=problem,
    )
    return book.decide(operation, given, {})


def audited(decision: Decision) -> list[str]:
    return [trace.rule for trace in decision.trace if trace.verdict == "audited"]


def test_it_has_no_doubts_and_its_examples_show_every_rule_from_both_sides(book: RuleBook) -> None:
    tried = book.try_examples()
    assert book.warnings == ()
    assert [each.example.place for each in tried if not each.passed] == []
    assert [each.rule for each in book.coverage(tried) if not each.complete] == []


def test_it_reads_only_what_its_rules_name(book: RuleBook) -> None:
    assert book.groups(Operation.PROBLEM) == {"request", "service", "open_problems", "incidents"}
    assert book.groups(Operation.AMENDMENT) == {"request", "problem"}
    assert book.groups(Operation.CANCELLATION) == {"request", "problem"}


def test_the_documented_example_is_accepted_in_the_sandbox() -> None:
    decision = decide_problem(load_book(CONFIG / "rules.yaml", "sandbox"))
    assert (decision.outcome, decision.rule) == (Outcome.ACKNOWLEDGE, "default")
    assert audited(decision) == ["has-worked-missing"]


def test_in_production_the_characteristics_are_mandatory() -> None:
    book = load_book(CONFIG / "rules.yaml", "production")
    assert [each.rule for each in decide_problem(book).reasons] == ["has-worked-missing"]
    worked = [{"name": "SERVICE_HAS_WORKED", "value": "true"}]
    decision = decide_problem(book, characteristics=worked)
    assert [each.rule for each in decision.reasons] == ["last-worked-missing"]
    worked.append({"name": "SERVICE_LAST_WORKED", "value": "2024-04-30T12:00:00.000Z"})
    assert decide_problem(book, characteristics=worked).outcome is Outcome.ACKNOWLEDGE


NEVER_WORKED = [{"name": "SERVICE_HAS_WORKED", "value": "false"}]


@pytest.mark.parametrize(
    ("service_id", "specification", "messages"),
    [
        ("SI0000000000001", "ftthl2r", ["serviceId: service SI0000000000001 is ceased"]),
        ("SI0000000000002", "ftthl2r", ["serviceId: service SI0000000000002 is suspended"]),
        (
            "SI0000000000003",
            "x",
            ["serviceSpecification.id: service SI0000000000003 is of specification fttcl2r, not x"],
        ),
        ("SI0000000000004", "ftthl2r", ["address.id: service SI0000000000004 is not at UPRN 1"]),
        ("UNHEARD_OF", "ftthl2r", ["serviceId: UNHEARD_OF is not a service of ours"]),
    ],
)
def test_the_services_of_the_sandbox_are_refused_for_what_they_are(
    book: RuleBook, service_id: str, specification: str, messages: list[str]
) -> None:
    decision = decide_problem(
        book,
        serviceId=service_id,
        address={"id": "1", "type": "UPRN"},
        serviceSpecification={"id": specification},
        characteristics=NEVER_WORKED,
    )
    assert [each.message for each in decision.reasons] == messages


def test_a_missing_appointment_is_refused(book: RuleBook) -> None:
    request: dict[str, Any] = {"serviceId": "SI0000000000006", "characteristics": NEVER_WORKED}
    reserved = decide_problem(book, **request, appointmentReservationId=345)
    assert reserved.outcome is Outcome.ACKNOWLEDGE
    without = problem_request(**request)
    service = CsvInventory(CONFIG / "services.csv", any_live=True).find("T", "SI0000000000006")
    now = SystemMachineClock().now()
    given = Facts(without, "T", now, service=service, open_problems=(), incidents=())
    decision = book.decide(Operation.PROBLEM, given, {})
    assert [each.rule for each in decision.reasons] == ["appointment-missing"]


def test_a_known_incident_is_acknowledged(book: RuleBook) -> None:
    decision = decide_problem(book, serviceId="SI0000000000005", characteristics=NEVER_WORKED)
    assert (decision.outcome, decision.rule) == (Outcome.ACKNOWLEDGE, "known-incident")


def test_a_scenario_matches_any_specification_and_address(book: RuleBook) -> None:
    decision = decide_problem(
        book,
        serviceId="SCENARIO_SERVICE_PROBLEM_SUCCESSFUL-1",
        serviceSpecification={"id": "whatever"},
        characteristics=NEVER_WORKED,
    )
    assert decision.outcome is Outcome.ACKNOWLEDGE


def test_every_reason_is_told(book: RuleBook) -> None:
    given = Facts(
        problem_request(characteristics=NEVER_WORKED),
        "TENANT1",
        SystemMachineClock().now(),
        service=None,
        open_problems=["SP_7K2M9QX4"],
        incidents=(),
    )
    decision = book.decide(Operation.PROBLEM, given, {})
    assert [each.message for each in decision.reasons] == [
        "serviceId: SI2345432345345 is not a service of ours",
        "serviceId: a problem is already open on SI2345432345345: SP_7K2M9QX4",
    ]


def test_an_inventory_that_gives_no_answer_makes_it_a_202(book: RuleBook) -> None:
    given = Facts(
        problem_request(characteristics=NEVER_WORKED), "TENANT1", SystemMachineClock().now()
    )
    decision = book.decide(Operation.PROBLEM, given, {})
    assert (decision.outcome, decision.rule) == (Outcome.DEFER, "fallback")


@pytest.mark.parametrize("operation", [Operation.AMENDMENT, Operation.CANCELLATION])
@pytest.mark.parametrize(
    ("problem", "rule"),
    [
        (ProblemFacts("SP_12345", "COMPLETED", "COMPLETED", terminal=True), "problem-closed"),
        (ProblemFacts("SP_12345", "RESOLVED", "RESOLVED", open=False), "problem-resolved"),
        (ProblemFacts("SP_12345", "UNDECIDED", "UNDECIDED", open=False), "default"),
        (ProblemFacts("SP_12345", "PENDING", "ACKNOWLEDGED", "PENDING", "information"), "default"),
    ],
)
def test_a_change_of_what_is_over_is_refused(
    book: RuleBook, operation: Operation, problem: ProblemFacts, rule: str
) -> None:
    decision = decide_change(book, operation, problem)
    assert decision.rule == rule
    assert decision.outcome is (Outcome.COMMIT if rule == "default" else Outcome.REJECT)
    assert "SP_12345" not in "".join(reason.message for reason in decision.reasons)
