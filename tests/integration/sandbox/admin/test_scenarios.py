"""What testers are shown of the scenarios, and what they can set for a tenant."""

import re

import pytest

from supplier_api.contract import load_kci
from tests.integration.sandbox.admin.target import Target
from tests.samples import problem_request
from tests.supplier import TENANT, Supplier, on_sqlite


def create(supplier: Supplier, number: int, conversation: str = "conversation-1") -> int:
    """Raise a problem of TENANT1 in a conversation; return the answer's status."""
    answer = supplier.client.post(
        "/service-problems",
        json=problem_request(id=number, serviceId=f"SI{number + 1000:013}"),
        headers={**supplier.headers(), "X-Conversation-ID": conversation},
    )
    return answer.status_code


def test_every_scenario_is_listed_with_what_it_does(supplier: Supplier) -> None:
    answer = supplier.client.get("/admin/scenarios")

    assert answer.status_code == 200
    by_name = {each["name"]: each for each in answer.get_json()["scenarios"]}
    delayed = by_name["SERVICE_PROBLEM_DELAYED"]
    assert delayed["about"] == "problem"
    assert (delayed["answer"], delayed["status"]) == (201, "ACKNOWLEDGED")
    assert delayed["updates"][1] == "DELAY/HELD"
    parameters = {each["name"]: each for each in delayed["parameters"]}
    assert parameters["steps"]["default"] == 1
    assert parameters["problemCode"]["default"] == "UNKNOWN_FAULT"
    pending = by_name["SERVICE_PROBLEM_PENDING"]
    assert pending["asks"] == "information"
    assert pending["updatesOnceAnswered"][0] == "RESUMED/ACKNOWLEDGED"


def test_what_is_set_for_a_tenant_is_played_until_it_is_deleted(supplier: Supplier) -> None:
    path = "/admin/scenarios/TENANT1"
    assert supplier.client.get(path).get_json() == {"scenarios": []}
    names = {"scenarios": ["SERVICE_PROBLEM_DEFERRED?delay=1", "CANCELLATION_REJECTED"]}
    assert supplier.client.put(path, json=names).get_json() == names
    assert supplier.client.get(path).get_json() == names
    assert create(supplier, 1) == 202

    assert supplier.client.delete(path).status_code == 204
    assert supplier.client.delete(path).status_code == 204
    assert supplier.client.get(path).get_json() == {"scenarios": []}
    assert create(supplier, 2) == 201


def test_it_can_be_set_for_one_conversation(supplier: Supplier) -> None:
    path = "/admin/scenarios/TENANT1?conversation=conversation-7"
    names = {"scenarios": ["SERVICE_PROBLEM_REJECTED"]}
    assert supplier.client.put(path, json=names).status_code == 200

    assert supplier.client.get("/admin/scenarios/TENANT1").get_json() == {"scenarios": []}
    assert create(supplier, 1, "conversation-7") == 422
    assert create(supplier, 2, "conversation-8") == 201


@pytest.mark.parametrize(
    ("path", "body", "status", "message"),
    [
        ("TENANT1", {}, 400, "scenarios: missing"),
        ("TENANT1", {"scenarios": "SERVICE_PROBLEM_PENDING"}, 400, "scenarios: expected an array"),
        ("TENANT1", {"scenarios": ["NO_SUCH"]}, 422, "scenarios[0]: unknown scenario; expected"),
        (
            "TENANT1",
            {"scenarios": ["AMENDMENT_REJECTED", "AMENDMENT_PENDING"]},
            422,
            "scenarios: expected at most one for each of problem, amendment, cancellation",
        ),
        ("tenant%201", {"scenarios": []}, 422, "tenant: expected to match [!-~]{1,255}"),
        (
            f"TENANT1?conversation={'x' * 256}",
            {"scenarios": []},
            422,
            "conversation: expected 1 to 255 printable characters",
        ),
    ],
)
def test_what_cannot_be_set_is_refused(
    supplier: Supplier, path: str, body: dict[str, object], status: int, message: str
) -> None:
    answer = supplier.client.put(f"/admin/scenarios/{path}", json=body)

    assert answer.status_code == status
    assert answer.get_json()["messages"][0].startswith(message)


@on_sqlite
@pytest.mark.parametrize("also", [{"BACKOFFICE__PACE": "1"}])
def test_the_longest_texts_are_within_the_contract(worked: Target) -> None:
    """A scenario plays what a gateway takes, or is refused when it is chosen."""
    target, played = worked, 0
    for number, scenario in enumerate(target.done(200, "GET", "/scenarios")["scenarios"], 1):
        longest = {
            parameter["name"]: int(most[1])
            for parameter in scenario["parameters"]
            if (most := re.fullmatch(r"1 to (\d+) characters", parameter["type"]))
        }
        if not longest:
            continue

        def chosen(
            more: int, lengths: dict[str, int] = longest, name: str = scenario["name"]
        ) -> str:
            words = [f"{each}={'x' * (most + more)}" for each, most in lengths.items()]
            return f"{name}?{'&'.join(words)}"

        wrong = {"scenarios": [chosen(1)]}
        assert target.admin("PUT", f"/scenarios/{TENANT}", wrong).status_code == 422
        target.done(200, "PUT", f"/scenarios/{TENANT}", {"scenarios": [chosen(0)]})
        body = problem_request(id=number, serviceId=f"SI{number + 10**6:013}")
        raised = target.call("/service-problems", body)
        if scenario["about"] != "problem":
            change = {"id": number, "serviceProblemId": number, "notes": "x", "reasonCode": "OTHER"}
            change |= {"supplierServiceProblemReference": raised.get_json()["supplierReference"]}
            target.call(f"/service-problem-{scenario['about']}s", change)
        target.move(tenant=TENANT, advanceSeconds=100)
        told = target.told(number)
        for kci in told:
            assert load_kci(kci) == kci
        played += sum(any("xxx" in str(value) for value in kci.values()) for kci in told)
    assert played >= 10
