"""Updates that break the contract: what the gateway gets, and what the sandbox's answers."""

import json
from typing import Any

import pytest

from supplier_api.sandbox.fault_injection.mutations import MUTATIONS, Mutation
from tests.integration.delivery.sink import Sink, answer, refusal
from tests.integration.sandbox.fault_injection.conftest import Faulty, numbers
from tests.integration.sandbox.gateway.conftest import TENANT_PROBLEM
from tests.integration.sandbox.gateway.test_with_supplier import Chain
from tests.logs import Lines
from tests.supplier import TENANT, Problem, on_sqlite

pytestmark = on_sqlite

every_mutation = pytest.mark.parametrize(
    "mutation", MUTATIONS, ids=[mutation.name for mutation in MUTATIONS]
)


def event_for(mutation: Mutation) -> tuple[str, dict[str, str]]:
    """Return an event that makes a KCI of which the copy can be made."""
    if mutation.name == "after-terminal":
        return "cancel", {"problemCode": "OTHER"}
    return "start", {}


@every_mutation
def test_the_real_one_is_sent_as_it_is_beside_the_copy(
    faulty: Faulty, sink: Sink, mutation: Mutation
) -> None:
    problem = faulty.opened()
    event, fields = event_for(mutation)
    assert faulty.event(problem.reference, event, **fields).status_code == 200
    faulty.set(mutation.name)
    sink.kci_reactions.append(refusal(422, "INVALID_REQUEST"))
    if mutation.after:
        sink.kci_reactions.appendleft(answer(204))
    faulty.deliver()

    first, second = sink.kcis
    real, copy = (first, second) if mutation.after else (second, first)
    (stored,) = faulty.messages(problem)
    authorization = real.headers["authorization"]
    assert (real.body.decode(), authorization) == (stored["body"], "Bearer token-1")
    assert (copy.body, copy.headers.get("authorization")) != (real.body, authorization)
    assert copy.headers["x-request-id"] != real.headers["x-request-id"]
    assert stored["state"] == "delivered"
    assert f"{mutation.name}: answered 422" in stored["log"][0]["detail"]
    assert len(sink.tokens) == 1


@pytest.mark.parametrize("kind", [mutation.name for mutation in MUTATIONS if mutation.after])
def test_no_copy_follows_what_the_gateway_did_not_take(
    faulty: Faulty, sink: Sink, kind: str
) -> None:
    problem = faulty.opened()
    assert faulty.event(problem.reference, "cancel", problemCode="OTHER").status_code == 200
    faulty.set(kind)
    sink.kci_reactions.append(refusal(503, "GATEWAY_FAULT"))
    faulty.deliver()
    assert numbers(sink) == [1]
    assert faulty.states(problem) == ["queued"]


@every_mutation
def test_the_sandbox_gateway_answers_as_the_contract_expects(
    chain: Chain, logged: Lines, mutation: Mutation
) -> None:
    chain.ask("/service-problems", TENANT_PROBLEM)
    supplier, breach = chain.supplier, mutation.breach
    assert isinstance(supplier, Faulty)
    assert breach is not None
    supplier.set(mutation.name)
    logged()
    event, fields = event_for(mutation)
    chain.event(event, **fields)

    (answered,) = [line for line in logged() if line["event"] == "fault.answered"]
    assert answered["status"] in breach.statuses
    (stored,) = supplier.messages(Problem(1, "", TENANT))
    assert f" answered {answered['status']} {breach.code or ''}" in stored["log"][0]["detail"]
    # The real one has its effect, and the problem goes on.
    assert stored["state"] == "delivered"
    assert chain.told() == ["ACKNOWLEDGED", "1 CANCELLED" if fields else "1 COMMITTED"]
    if not fields:
        chain.event("note", text="It goes on.")
        assert chain.told()[-1] == "2 ADDITIONAL"


@pytest.mark.parametrize(
    ("kind", "events", "reason"),
    [
        # A problem that is resolved cannot be refused any more.
        ("illegal-jump", ["resolve", "note"], "REJECTED"),
        ("illegal-jump", ["start"], "COMPLETED"),
    ],
)
def test_the_jump_is_one_that_is_never_legal(
    chain: Chain, kind: str, events: list[str], reason: str
) -> None:
    chain.ask("/service-problems", TENANT_PROBLEM)
    supplier = chain.supplier
    assert isinstance(supplier, Faulty)
    *before, last = events
    fields: dict[str, dict[str, Any]] = {
        "resolve": {"resolution": {"resolutionCode": "OTHER"}},
        "note": {"text": "A word."},
    }
    for event in before:
        chain.event(event, **fields.get(event, {}))
    supplier.set(kind)
    chain.event(last, **fields.get(last, {}))
    detail = supplier.messages(Problem(1, "", TENANT))[-1]["log"][0]["detail"]
    assert "answered 422 INVALID_REQUEST" in detail
    assert reason not in [told.split()[-1] for told in chain.told()]


def test_a_copy_about_another_tenants_problem_moves_nothing_there(chain: Chain) -> None:
    chain.ask("/service-problems", TENANT_PROBLEM)
    mine = chain.party
    chain.tenant("tenant2")
    chain.ask("/service-problems", TENANT_PROBLEM | {"serviceTestId": 4711})
    theirs, chain.party = chain.party, mine
    supplier = chain.supplier
    assert isinstance(supplier, Faulty)
    # Whose it is comes first, whatever number the other one's KCIs have by now.
    reference = supplier.stored(2, "TENANT2").reference
    assert supplier.event(reference, "start").status_code == 200
    supplier.deliver()
    before = theirs.problem(2)
    assert before["status"] == "IN_PROGRESS"
    supplier.set("foreign-problem", parameters={"serviceProblemId": 2})
    chain.event("start")
    (stored,) = supplier.messages(Problem(1, "", TENANT))
    assert "answered 422 NOT_FOUND" in stored["log"][0]["detail"]
    assert theirs.problem(2) == before


@pytest.mark.parametrize(("scenario", "hits"), [("ACKNOWLEDGED", 1), ("DEFERRED", 0)])
def test_acknowledged_once_more_is_of_problems_answered_201(
    faulty: Faulty, sink: Sink, scenario: str, hits: int
) -> None:
    problem = faulty.opened(serviceId=f"SCENARIO_SERVICE_PROBLEM_{scenario}")
    assert faulty.event(problem.reference, "start").status_code == 200
    faulty.set("acknowledged-after-201")
    faulty.deliver()
    assert faulty.fault()["hit"] == hits
    reasons = [json.loads(kci.body)["reasonCode"] for kci in sink.kcis]
    assert reasons == ["ACKNOWLEDGED", "COMMITTED"]
