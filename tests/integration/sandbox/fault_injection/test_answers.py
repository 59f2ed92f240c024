"""Our answers as a gateway gets them where a tester wants others: each as it says, or none."""

from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from supplier_api.sandbox.fault_injection.catalogue import ANSWERS
from supplier_api.sandbox.fault_injection.model import CALLS
from tests.integration.sandbox.fault_injection.conftest import Faulty
from tests.samples import problem_request
from tests.supplier import TENANT, on_sqlite, refusal

pytestmark = on_sqlite
HTML = "<html><body><h1>502 Bad Gateway</h1></body></html>"
DEFERRED = "SCENARIO_SERVICE_PROBLEM_DEFERRED"


def new(faulty: Faulty) -> dict[str, Any]:
    number = next(faulty.serial)
    return problem_request(id=number, serviceId=f"SI{number + 10**6:013}")


def raised(faulty: Faulty, **changes: str) -> TestResponse:
    return faulty.create(new(faulty) | changes)


def knows(faulty: Faulty, gateway_id: int) -> bool:
    return faulty.client.get(f"/admin/problems/{gateway_id}").status_code == 200


@pytest.mark.parametrize(
    ("parameters", "status", "content_type", "body"),
    [
        ({"code": 404}, 404, None, ""),
        ({"code": 409, "body": '{"code": "CONFLICT"}'}, 409, "application/json", None),
        ({"code": 502, "type": "text/html", "body": HTML}, 502, "text/html", HTML),
        ({"code": 202, "body": '{"id": 1}'}, 202, "application/json", '{"id": 1}'),
        ({"code": 204}, 204, None, ""),
        ({"code": 418, "type": "text/plain", "body": "a pot"}, 418, "text/plain", "a pot"),
    ],
)
@pytest.mark.parametrize("when", ["before", "after"])
def test_any_status_with_any_body(
    faulty: Faulty,
    parameters: dict[str, Any],
    status: int,
    content_type: str | None,
    body: str | None,
    when: str,
) -> None:
    faulty.set("status", "in", parameters={**parameters, "when": when})
    request = new(faulty)
    answer = faulty.create(request)
    assert answer.status_code == status
    if body is not None and (body or when == "before" or status == 204):
        assert answer.get_data(as_text=True) == body
        assert answer.headers.get("Content-Type") == content_type
    assert knows(faulty, request["id"]) is (when == "after")
    assert faulty.create(request).status_code == 201


def test_a_good_answer_with_another_status(faulty: Faulty) -> None:
    request = new(faulty)
    faulty.set("status", "in", parameters={"code": 200, "when": "after"})
    other, usual = faulty.create(request), faulty.create(request)
    assert (other.status_code, usual.status_code) == (200, 201)
    assert other.get_json() == usual.get_json()
    assert knows(faulty, request["id"])


@pytest.mark.parametrize(
    ("kind", "status", "code"), [("403", 403, None), ("501", 501, "NOT_IMPLEMENTED")]
)
@pytest.mark.parametrize("when", ["before", "after"])
def test_the_published_answers(
    faulty: Faulty, kind: str, status: int, code: str | None, when: str
) -> None:
    faulty.set(kind, "in", parameters={"when": when})
    request = new(faulty)
    answer = faulty.create(request)
    assert answer.status_code == status
    assert (answer.get_json()["code"] if answer.data else None) == code
    assert knows(faulty, request["id"]) is (when == "after")


@pytest.mark.parametrize("kind", ["before-201", "malformed", "truncated", "off-contract"])
def test_what_needs_another_answer_strikes_none(faulty: Faulty, kind: str) -> None:
    """A problem's 202 has no body, and is not the answer that must come before the KCIs."""
    faulty.set(kind, "out" if kind == "before-201" else "in")
    answer = raised(faulty, serviceId=DEFERRED)
    assert (answer.status_code, answer.data) == (202, b"")
    fault = faulty.fault()
    assert (fault["seen"], fault["hit"], fault["active"]) == (0, 0, True)
    if kind != "before-201":  # it would wait for what nobody sends here
        raised(faulty)
        assert faulty.fault()["hit"] == 1


def test_a_final_status_is_that_of_a_new_problem(faulty: Faulty) -> None:
    faulty.set("off-contract", "in", parameters={"how": "final-status"}, calls=9)
    problem = faulty.opened()  # its answer is not looked at
    asked = problem.named({"id": 1, "notes": "x"})
    assert "status" not in faulty.amend(asked).get_json()
    assert faulty.fault()["seen"] == 1


@pytest.mark.parametrize(
    ("more", "messages"),
    [
        (
            {
                "parameters": {"how": "final-status"},
                "operations": ["service-problems", "service-problem-amendments"],
            },
            ["operations[1]: with how=final-status expected one of service-problems"],
        ),
        (
            {"parameters": {"how": "other-id"}, "operations": ["service-problem-resolutions"]},
            [f"operations[0]: with how=other-id expected one of {', '.join(CALLS[:3])}"],
        ),
        (
            {"kind": "status", "parameters": {"code": 204, "body": "x"}},
            ["parameters.body: expected none with code 204 (RFC 9110)"],
        ),
        (
            {"kind": "status", "parameters": {"code": 101}},
            ["parameters.code: expected a whole number, 200 to 599"],
        ),
        (
            {"kind": "status", "parameters": {"type": "a\nb"}},
            ["parameters.type: expected a text of at most 100 characters"],
        ),
        (
            {"kind": "over-long-body", "direction": "out", "parameters": {"bytes": 1000}},
            ["parameters.bytes: expected a whole number, 1001 to 10000000"],
        ),
    ],
)
def test_what_cannot_be_is_refused(
    faulty: Faulty, more: dict[str, Any], messages: list[str]
) -> None:
    answer = faulty.put(**{"kind": "off-contract", "direction": "in", **more})
    assert refusal(answer)[::2] == (422, messages)


@pytest.mark.parametrize("kind", [kind.name for kind in ANSWERS if kind.name != "hang"])
def test_the_journal_tells_how_it_was_set_and_which_clause(
    faulty: Faulty, client: FlaskClient, kind: str
) -> None:
    chosen = {"latency": {"seconds": 0}, "503": {"retryAfter": 7}}.get(kind, {})
    faulty.set(kind, "in", parameters=chosen)
    raised(faulty)
    (entry,) = client.get(f"/admin/journal?tenant={TENANT}").get_json()["entries"]
    told = entry["deliberate"]
    assert told["clause"].startswith(("Supplier API 1.15, ", "RFC "))
    assert told.get("parameters", {}) == faulty.fault()["parameters"]
    why = client.get(f"/admin/journal/{entry['cursor']}/why").get_json()
    if why["refused"]:
        assert [cause["kind"] for cause in why["causes"]] == ["deliberate"]
        assert why["causes"][0]["section"]
