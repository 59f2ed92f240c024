"""The headers by which testers choose: read where there are scenarios, and nowhere else."""

from collections.abc import Callable

import pytest
from flask import Flask

from supplier_api.sandbox.scenarios.choice import NOTHING, read_choice
from tests.integration.http.gateway.conftest import HEADERS, FakeUseCases, token
from tests.samples import amendment_request, cancellation_request, problem_request

CHOSEN = {
    "X-Scenario": "SERVICE_PROBLEM_DELAYED?steps=2",
    "X-Problem-Code": "COST_ISSUE",
    "X-Kci-Delay": "5",
}
CALLS = {
    "/service-problems": problem_request(),
    "/service-problem-amendments": amendment_request(),
    "/service-problem-cancellations": cancellation_request(),
}
MakeApp = Callable[..., Flask]


@pytest.mark.parametrize("path", CALLS)
def test_what_they_choose_is_handed_to_the_use_case(
    make_app: MakeApp, use_cases: FakeUseCases, path: str
) -> None:
    client = make_app(scenarios=True).test_client()
    headers = {**HEADERS, "Authorization": f"Bearer {token(client)}"}
    client.post(path, json=CALLS[path], headers={**headers, **CHOSEN})
    client.post(path, json=CALLS[path], headers=headers)

    choices = use_cases.chosen
    assert choices == [read_choice(CHOSEN), read_choice({})]


def test_a_service_can_choose_by_its_name(make_app: MakeApp, use_cases: FakeUseCases) -> None:
    client = make_app(scenarios=True).test_client()
    headers = {**HEADERS, "Authorization": f"Bearer {token(client)}"}
    service = "SCENARIO_SERVICE_PROBLEM_DELAYED-1"
    client.post("/service-problems", json=problem_request(serviceId=service), headers=headers)

    assert use_cases.chosen == [read_choice({}, service)]


def test_what_is_wrong_with_them_is_told_with_all_that_is_wrong(
    make_app: MakeApp, use_cases: FakeUseCases
) -> None:
    client = make_app(scenarios=True).test_client()
    headers = {**HEADERS, "Authorization": f"Bearer {token(client)}", "X-Kci-Delay": "soon"}
    broken = problem_request(problemText="short")
    invalid = client.post("/service-problems", json=broken, headers=headers)
    malformed = client.post("/service-problems", json={}, headers=headers)

    assert invalid.status_code == 422
    assert invalid.get_json()["messages"] == [
        "problemText: expected 10 to 80 characters",
        "X-Kci-Delay: expected seconds, 0 to 604800",
    ]
    assert malformed.status_code == 400
    assert not [each for each in malformed.get_json()["messages"] if "X-Kci" in each]
    assert not use_cases.asked


def test_where_there_are_no_scenarios_they_are_not_read(
    make_app: MakeApp, use_cases: FakeUseCases
) -> None:
    client = make_app().test_client()
    headers = {**HEADERS, "Authorization": f"Bearer {token(client)}"}
    client.post("/service-problems", json=problem_request(), headers={**headers, **CHOSEN})

    assert use_cases.chosen == [NOTHING]


def test_they_are_described_where_they_are_read(make_app: MakeApp) -> None:
    described = make_app(scenarios=True).test_client().get("/openapi.json").get_json()

    for path in CALLS:
        named = [each["name"] for each in described["paths"][path]["parameters"]]
        assert named == list(CHOSEN)
