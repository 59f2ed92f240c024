"""Scenarios at the desk: which answers they choose, and what stands above them."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from supplier_api.problems.decision_repository import DecisionRepository
from supplier_api.problems.services import BACK_OFFICE, Caller, RequestAnswer
from supplier_api.problems.work import WorkOrder
from supplier_api.rules.model import Operation
from supplier_api.sandbox.scenarios.choice import CHOSEN, read_choice
from supplier_api.sandbox.scenarios.source import ScenarioRepository, ScenarioSource, chosen_with
from tests.integration.problems.conftest import BOOK, supplied_inventory
from tests.integration.problems.rig import TENANT, Rig, problem

REFUSED = "The supplier cannot take this service problem. (UNKNOWN_FAULT)"
SCENARIO_SERVICE = "SCENARIO_SERVICE_PROBLEM_IN_PROGRESS-1"


class Played(Rig):
    """A desk at which testers may choose; `headers` are those of every further request."""

    headers: dict[str, str]

    def caller(self, tenant: str = TENANT, age: float = 0.0) -> Caller:
        CHOSEN.set(read_choice(self.headers))
        return super().caller(tenant, age)

    def create_on(self, service_id: str, **changes: Any) -> RequestAnswer:
        """Raise a problem on a service that may choose by its name."""
        caller = super().caller()
        CHOSEN.set(read_choice(self.headers, service_id))
        return self.intake.raise_problem(caller, problem(serviceId=service_id, **changes))

    def chosen(self, order: WorkOrder) -> Mapping[str, Any]:
        """Return what was chosen with the request that the order comes from."""
        return self.store.read(lambda uow: chosen_with(uow, order))


@pytest.fixture
def played(upgraded_url: str) -> Iterator[Played]:
    """Yield a desk at which testers may choose."""
    rig = Played(upgraded_url, BOOK, supplied_inventory(), outcomes=ScenarioSource())
    rig.headers = {}
    yield rig
    rig.store.close()


def choose(rig: Played, name: str, **more: str) -> None:
    """Let every further request carry this X-Scenario."""
    rig.headers = {"X-Scenario": name, **more}


def messages(answer: RequestAnswer) -> list[str]:
    """Return the messages of a 422."""
    assert answer.status == 422
    assert answer.body
    found: list[str] = answer.body["messages"]
    return found


def orders(rig: Rig) -> list[WorkOrder]:
    """Return the work orders about problem 1."""
    return [WorkOrder.from_body(row["uuid"], row["body"]) for row in rig.messages(BACK_OFFICE)]


def decision(rig: Rig) -> dict[str, Any]:
    """Return the newest decision about problem 1 as it is stored."""
    problem_id = rig.problem().id
    return dict(rig.store.read(lambda uow: DecisionRepository(uow).of(problem_id))[-1])


@pytest.mark.parametrize(
    ("name", "status", "stands"),
    [
        ("SERVICE_PROBLEM_SUCCESSFUL", 201, "ACKNOWLEDGED"),
        ("SERVICE_PROBLEM_IN_PROGRESS", 201, "IN_PROGRESS"),
        ("SERVICE_PROBLEM_DEFERRED", 202, "UNDECIDED"),
        ("SERVICE_PROBLEM_NETWORK_INCIDENT", 201, "NETWORK_INCIDENT"),
    ],
)
@pytest.mark.parametrize("book_says", ["none", "defer", "commit"])
def test_a_scenario_decides_instead_of_the_book(
    played: Played, name: str, status: int, stands: str, book_says: str
) -> None:
    choose(played, name)
    answer = played.create(book_says)

    assert answer.status == status
    assert played.problem().state.beneath == stands
    assert decision(played)["rule"] == f"scenario {name}"
    assert decision(played)["trace"][-1]["rule"] == f"scenario {name}"


def test_what_the_book_refuses_stays_refused(played: Played) -> None:
    choose(played, "SERVICE_PROBLEM_SUCCESSFUL")

    assert messages(played.create("reject")) == ["notes: it was asked to be refused"]


def test_a_scenarios_refusal_is_listed_with_the_books(played: Played) -> None:
    choose(played, "SERVICE_PROBLEM_REJECTED")

    assert messages(played.create("reject")) == ["notes: it was asked to be refused", REFUSED]
    assert messages(played.create(id=2)) == [REFUSED]


def test_a_delay_alone_leaves_the_answer_to_the_book(played: Played) -> None:
    played.headers = {"X-Kci-Delay": "7"}

    assert played.create("defer").status == 202
    (order,) = orders(played)
    assert played.chosen(order) == {
        "problem": {"name": "SERVICE_PROBLEM_SUCCESSFUL", "values": {"delay": 7.0}}
    }


def test_where_there_are_no_scenarios_nothing_chooses_one(rig: Rig) -> None:
    assert rig.create(serviceId=SCENARIO_SERVICE).status == 201
    assert rig.problem().state.beneath == "ACKNOWLEDGED"
    assert rig.store.read(lambda uow: ScenarioRepository(uow).kept(TENANT, "problem", 1)) == {}
    (order,) = rig.messages(BACK_OFFICE)
    assert "scenario" not in json.loads(order["body"])
    assert "already open" in messages(rig.create(id=2, serviceId=SCENARIO_SERVICE))[0]


def test_a_service_that_chooses_is_never_already_open(played: Played) -> None:
    answers = [played.create_on(SCENARIO_SERVICE, gateway_id=number) for number in (1, 2)]

    assert [answer.status for answer in answers] == [201, 201]
    assert played.problem(2).state.beneath == "IN_PROGRESS"


def test_a_repeat_gets_the_first_answer_whatever_it_chooses(played: Played) -> None:
    choose(played, "SERVICE_PROBLEM_REJECTED")
    first = played.create()
    choose(played, "SERVICE_PROBLEM_SUCCESSFUL")

    assert played.create() == first


def test_what_a_create_chooses_for_changes_is_kept_for_them(played: Played) -> None:
    choose(played, "AMENDMENT_PENDING_REJECTED", **{"X-Problem-Code": "COST_ISSUE"})
    assert played.create().status == 201
    played.headers = {}
    assert played.amend().status == 202

    order = orders(played)[-1]
    assert (order.kind, order.decide) == (Operation.AMENDMENT, True)
    values = {"delay": 30.0, "problemCode": "COST_ISSUE"}
    assert played.chosen(order) == {
        "amendment": {"name": "AMENDMENT_PENDING_REJECTED", "values": values}
    }
    assert played.say("reject-change", **rejection(played)).status == 200
    played.take()
    assert played.cancel().status == 201


def test_the_header_of_a_change_beats_what_was_kept_for_it(played: Played) -> None:
    choose(played, "AMENDMENT_REJECTED")
    assert played.create().status == 201
    assert played.amend().status == 422
    choose(played, "AMENDMENT_ACCEPTED")
    assert played.amend(102).status == 201
    choose(played, "SERVICE_PROBLEM_DELAYED")
    assert played.amend(103).status == 422


def test_a_changes_refusal_is_listed_with_the_books(played: Played) -> None:
    assert played.create().status == 201
    choose(played, "CANCELLATION_REJECTED?text=Not+now&problemCode=OTHER")

    told = messages(played.cancel(text="reject"))
    assert told == ["text: it was asked to be refused", "Not now (OTHER)"]
    assert messages(played.cancel(202)) == ["Not now (OTHER)"]


def test_what_the_lifecycle_forbids_no_scenario_allows(played: Played) -> None:
    assert played.create().status == 201
    assert played.resolve().status == 200
    choose(played, "AMENDMENT_ACCEPTED")

    assert "no amendment is possible" in messages(played.amend())[0]


@pytest.mark.parametrize("kind", ["AMENDMENT", "CANCELLATION"])
def test_a_change_of_an_undecided_problem_is_done_at_once(played: Played, kind: str) -> None:
    choose(played, "SERVICE_PROBLEM_DEFERRED")
    assert played.create().status == 202
    choose(played, f"{kind}_PENDING")

    answer = played.amend() if kind == "AMENDMENT" else played.cancel()
    assert answer.status == 201
    assert orders(played)[-1].decide is False


def test_a_change_behind_an_update_that_was_not_taken_is_answered_202(played: Played) -> None:
    assert played.create().status == 201
    assert played.say("start").status == 200
    choose(played, "AMENDMENT_ACCEPTED")

    assert played.amend().status == 202
    assert played.kci_lines() == ["1 COMMITTED/IN_PROGRESS", "2 AMENDED/IN_PROGRESS + A COMPLETED"]


def test_the_problems_own_scenario_comes_with_the_amendment_that_may_answer(played: Played) -> None:
    choose(played, "SERVICE_PROBLEM_PENDING?delay=3")
    assert played.create().status == 201
    played.headers = {}
    assert played.amend().status == 201
    asked = {"problem_code": "OTHER", "text": "Which lights are on?"}
    assert played.say("ask-information", **asked).status == 200
    played.take()
    assert played.amend(102).status == 201

    _, before, answering = orders(played)
    assert played.chosen(before) == {}
    assert played.chosen(answering)["problem"]["name"] == "SERVICE_PROBLEM_PENDING"


def test_a_conversations_default_beats_its_tenants(played: Played) -> None:
    def put(conversation: str, *names: str) -> None:
        played.store.write(lambda uow: ScenarioRepository(uow).put("TENANT1", conversation, names))

    def forget(conversation: str) -> None:
        played.store.write(lambda uow: ScenarioRepository(uow).delete("TENANT1", conversation))

    put("", "SERVICE_PROBLEM_REJECTED", "CANCELLATION_REJECTED")
    put("conversation-1", "SERVICE_PROBLEM_IN_PROGRESS")
    put("conversation-2", "SERVICE_PROBLEM_DEFERRED")

    assert played.create().status == 201
    assert played.problem().state.beneath == "IN_PROGRESS"
    assert played.cancel().status == 422
    assert played.create(id=2, tenant="TENANT2").status == 201
    choose(played, "SERVICE_PROBLEM_DEFERRED")
    assert played.create(id=3).status == 202
    played.headers = {}
    for conversation in ("", "conversation-1"):
        forget(conversation)
    assert played.create(id=4).status == 201
    assert played.problem(4).state.beneath == "ACKNOWLEDGED"


def rejection(rig: Rig) -> dict[str, Any]:
    """Return what the back office has to say to refuse the open change."""
    return {
        "change_reference": rig.change_reference(),
        "problem_code": "COST_ISSUE",
        "text": "Too dear.",
    }
