"""Network incidents at the back office's door: declared, ended, listed, and what is refused."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import TestResponse

from supplier_api.problems.backoffice_events import BackOfficeEvents
from supplier_api.problems.incidents import Incidents
from supplier_api.problems.timers import DueTimerHandlers
from tests.supplier import Supplier, refusal

PATH = "/back-office/v1/incidents"
JOINED = "1 DELAY/NETWORK_INCIDENT"


def send(supplier: Supplier, method: str, path: str = PATH, body: Any = None) -> TestResponse:
    headers = {"Authorization": f"Bearer {supplier.token('back-office')}"}
    return supplier.client.open(path, method=method, json=body, headers=headers)


def work(supplier: Supplier) -> None:
    """Let the workers do what is due."""
    services = supplier.services
    timers = DueTimerHandlers(services, BackOfficeEvents(services), Incidents(services))
    for _ in range(10):
        supplier.business.advance(10)
        timers.run_due()


def listed(supplier: Supplier) -> list[dict[str, Any]]:
    answer = send(supplier, "GET")
    assert answer.status_code == 200
    return list(answer.get_json()["incidents"])


def test_an_incident_is_declared_listed_and_ended(supplier: Supplier) -> None:
    first = supplier.opened(id=1, serviceId="SI0000000000101")
    second = supplier.opened(id=2, serviceId="SI0000000000102")
    body = {
        "id": "INC0000042",
        "problems": [first.reference],
        "services": [supplier.stored(2).service_id],
        "text": "A cable was cut.",
    }
    declared = send(supplier, "POST", body=body)
    assert declared.status_code == 201
    assert declared.get_json() == {
        "id": "INC0000042",
        "text": "A cable was cut.",
        "source": "declared",
        "declared": "2026-01-05T12:00:00.000Z",
        "ended": None,
        "scopes": [],
        "services": 2,
        "linked": 0,
        "underWay": True,
        "notLinked": [first.reference, second.reference],
    }
    work(supplier)
    assert [(each["linked"], each["notLinked"]) for each in listed(supplier)] == [(2, [])]
    assert supplier.told(first) == supplier.told(second) == [JOINED]
    again = send(supplier, "POST", body=body)
    assert (again.status_code, again.get_json()["linked"]) == (200, 2)

    ended = send(supplier, "DELETE", f"{PATH}/INC0000042")
    assert ended.status_code == 200
    assert (ended.get_json()["ended"], ended.get_json()["linked"]) == (
        "2026-01-05T12:00:00.000Z",
        2,
    )
    assert [each["id"] for each in listed(supplier)] == ["INC0000042"]
    work(supplier)
    assert supplier.told(first) == [JOINED, "2 RESUMED/ACKNOWLEDGED"]
    assert listed(supplier) == []
    assert send(supplier, "DELETE", f"{PATH}/INC0000042").get_json()["linked"] == 0


def test_a_problem_whose_state_forbids_it_is_listed_as_not_linked(supplier: Supplier) -> None:
    problem = supplier.opened()
    for code in ("INC1", "INC2"):
        body = {"id": code, "problems": [problem.reference]}
        assert send(supplier, "POST", body=body).status_code == 201
        work(supplier)
    shown = {each["id"]: each for each in listed(supplier)}
    assert (shown["INC1"]["linked"], shown["INC1"]["notLinked"]) == (1, [])
    assert (shown["INC2"]["linked"], shown["INC2"]["notLinked"]) == (0, [problem.reference])
    assert not shown["INC2"]["underWay"]


def test_a_new_problem_is_part_of_it_at_once(supplier: Supplier) -> None:
    send(supplier, "POST", body={"id": "INC1", "services": ["SI0000000000100"]})
    problem = supplier.opened(serviceId="SI0000000000100")
    assert supplier.told(problem) == [JOINED]


@pytest.mark.parametrize(
    ("body", "status", "messages"),
    [
        ({"services": ["SI1"]}, 400, ["id: missing"]),
        ({"id": "INC1", "services": "SI1"}, 400, ["services: expected an array"]),
        ({"id": "INC1", "problems": [7]}, 400, ["problems[0]: expected a string"]),
        ({"id": "INC 1", "services": ["SI1"]}, 422, ["id: expected to match [A-Za-z0-9._:-]+"]),
        ({"id": "I" * 65, "services": ["SI1"]}, 422, ["id: expected 1 to 64 characters"]),
        (
            {"id": "INC1"},
            422,
            ["services: expected a service, a problem in problems, or a scope in scopes"],
        ),
        (
            {"id": "INC1", "scopes": [{"kind": "city", "value": "LEEDS"}]},
            422,
            ["scopes[0].kind: expected one of area, exchange, specification"],
        ),
        (
            {"id": "INC1", "scopes": [{"kind": "exchange"}]},
            400,
            ["scopes[0].value: missing"],
        ),
        (
            {"id": "INC1", "scopes": [{"kind": "exchange", "value": ""}]},
            422,
            ["scopes[0].value: expected 1 to 255 characters"],
        ),
        (
            {"id": "INC1", "scopes": [{"kind": "area", "value": "N"}] * 101},
            422,
            ["scopes: expected at most 100 items"],
        ),
        (
            {"id": "INC1", "services": ["SI1", ""]},
            422,
            ["services[1]: expected 1 to 50 characters"],
        ),
        (
            {"id": "INC1", "services": ["SI1"], "text": "x" * 1001},
            422,
            ["text: expected 1 to 1000 characters"],
        ),
        (
            {"id": "INC1", "problems": ["SP_UNKNOWN01", "SP_UNKNOWN02"]},
            422,
            [
                "problems[0]: no such problem; expected our reference",
                "problems[1]: no such problem; expected our reference",
            ],
        ),
        (
            {"id": "INC1", "services": ["S"] * 10_001},
            422,
            ["services: expected at most 10000 items"],
        ),
    ],
)
def test_what_is_refused_names_the_field_and_stores_nothing(
    supplier: Supplier, body: dict[str, Any], status: int, messages: list[str]
) -> None:
    answer = send(supplier, "POST", body=body)
    code = "MALFORMED_REQUEST" if status == 400 else "INVALID_REQUEST"
    assert refusal(answer) == (status, code, messages)
    assert listed(supplier) == []


def test_a_scope_is_declared_listed_and_ended(supplier: Supplier) -> None:
    scopes = [{"kind": "specification", "value": "ftthl2r"}]
    declared = send(supplier, "POST", body={"id": "INC1", "scopes": scopes})
    assert (declared.status_code, declared.get_json()["scopes"]) == (201, scopes)
    assert declared.get_json()["services"] == 0
    problem = supplier.opened()
    assert supplier.told(problem) == [JOINED]
    again = send(supplier, "POST", body={"id": "INC1", "scopes": scopes * 2})
    assert (again.status_code, again.get_json()["linked"]) == (200, 1)
    assert send(supplier, "DELETE", f"{PATH}/INC1").status_code == 200
    work(supplier)
    assert supplier.told(problem) == [JOINED, "2 RESUMED/ACKNOWLEDGED"]


def test_the_example_of_the_documentation_is_one(supplier: Supplier) -> None:
    page = (Path(__file__).parents[4] / "docs" / "back-office.md").read_text(encoding="utf-8")
    section = page.partition("\n## Network incidents\n")[2].partition("\n## ")[0]
    (example,) = re.findall(r"```json\n(.*?)```", section, re.DOTALL)
    declared = send(supplier, "POST", body=json.loads(example))
    assert declared.status_code == 201
    assert declared.get_json()["scopes"] == [
        {"kind": "area", "value": "NORTH"},
        {"kind": "exchange", "value": "LEEDS"},
    ]


def test_an_id_stands_for_one_incident(supplier: Supplier) -> None:
    body = {"id": "INC1", "services": ["SI0000000000100"]}
    assert send(supplier, "POST", body=body).status_code == 201
    other = send(supplier, "POST", body={"id": "INC1", "services": ["SI0000000000101"]})
    told = "id: INC1 was declared on 2026-01-05T12:00:00.000Z; expected a new id"
    assert refusal(other) == (422, "INVALID_REQUEST", [told])


@pytest.mark.parametrize("name", ["INC9", "%00", "a%2Fb"])
def test_an_unknown_one_cannot_be_ended(supplier: Supplier, name: str) -> None:
    status, code, _ = refusal(send(supplier, "DELETE", f"{PATH}/{name}"))
    assert (status, code) == (404, "NOT_FOUND")


@pytest.mark.parametrize(
    ("method", "path"), [("POST", PATH), ("GET", PATH), ("DELETE", f"{PATH}/INC1")]
)
def test_only_the_back_office_comes_in(supplier: Supplier, method: str, path: str) -> None:
    assert supplier.client.open(path, method=method, json={}).status_code == 401
    headers = {"Authorization": f"Bearer {supplier.token()}"}
    assert supplier.client.open(path, method=method, json={}, headers=headers).status_code == 403


def test_it_is_described_as_the_others_are(supplier: Supplier) -> None:
    paths = supplier.client.get("/openapi.json").get_json()["paths"]
    one = paths[f"{PATH}/{{id}}"]
    assert [each["name"] for each in one["parameters"]] == ["id"]
    for described in (paths[PATH]["get"], paths[PATH]["post"], one["delete"]):
        assert {"401", "403", "500", "503"} <= described["responses"].keys()
