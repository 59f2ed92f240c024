"""The doors that a request passes, and their order."""

import pytest

from tests.samples import problem_request
from tests.supplier import Supplier, on_sqlite, refusal

from .calls import CALLS, Call, every_call

pytestmark = on_sqlite

METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"]
EVENTS = "/back-office/v1/problems/SP_1/events"


@every_call
def test_a_path_knows_one_method(call: Call, supplier: Supplier) -> None:
    path = call.described.replace("{id}", "SP_RESOLUTION1")
    for method in METHODS:
        if method == call.method:
            continue
        answer = supplier.client.open(path, method=method)
        assert answer.status_code == 405
        assert answer.headers["Allow"] == call.method
        if method != "HEAD":
            assert refusal(answer)[1] == "INVALID_REQUEST"


@pytest.mark.parametrize(
    "path",
    ["/", "/service-problems/", "//service-problems", "/service-problems/23467", "/admin"],
)
def test_an_unknown_path_is_not_found(path: str, supplier: Supplier) -> None:
    for method in METHODS:
        answer = supplier.client.open(path, method=method, headers=supplier.headers())
        assert answer.status_code == 404
        if method != "HEAD":
            assert refusal(answer)[1] == "NOT_FOUND"


def test_the_other_doors_speak_in_the_envelope_too(supplier: Supplier) -> None:
    for path, allow in (
        ("/oauth2/token", {"POST"}),
        ("/openapi.json", {"GET", "HEAD"}),
        ("/health/ready", {"GET", "HEAD"}),
        ("/.well-known/jwks.json", {"GET", "HEAD"}),
        (EVENTS, {"POST"}),
    ):
        answer = supplier.client.delete(path)
        assert refusal(answer)[:2] == (405, "INVALID_REQUEST")
        assert set(answer.headers["Allow"].split(", ")) == allow


@pytest.mark.parametrize(
    "more_settings", [{"SUPPLIER_API__SERVER__OPERATIONS": "service-problem-resolutions"}]
)
def test_an_operation_that_is_switched_off_is_told_before_anything_is_read(
    supplier: Supplier,
) -> None:
    for call in CALLS:
        path = call.described.replace("{id}", "SP_RESOLUTION1")
        headers = {"Authorization": f"Bearer {supplier.token()}"}
        answer = supplier.client.open(path, method=call.method, data=b"{", headers=headers)
        on = call.scope == "service-problem-resolutions"
        assert refusal(answer)[:2] == (
            (400, "MALFORMED_REQUEST") if on else (501, "NOT_IMPLEMENTED")
        )


def test_a_request_with_every_fault_is_told_the_first_door_first(supplier: Supplier) -> None:
    def send(headers: dict[str, str], path: str = "/service-problems", method: str = "POST") -> int:
        answer = supplier.client.open(path, method=method, data=b"{", headers=headers)
        return answer.status_code

    assert send({}, "/service-problem", "PUT") == 404
    assert send({}, method="PUT") == 405
    assert send({}) == 401
    assert send({"Authorization": f"Bearer {supplier.token('back-office')}"}) == 403
    answer = supplier.client.post(
        "/service-problems",
        json=problem_request(id="1", problemText="short"),
        headers={"Authorization": f"Bearer {supplier.token()}", "Tenant": "x" * 256},
    )
    # Headers and body together; nothing of what is merely wrong while something is missing.
    expected = ["X-Request-ID: missing", "X-Conversation-ID: missing", "id: expected a number"]
    assert refusal(answer) == (400, "MALFORMED_REQUEST", expected)


def test_headers_and_body_are_invalid_together(supplier: Supplier) -> None:
    headers = {**supplier.headers(), "Tenant": "x" * 256}
    body = problem_request(problemText="short")
    answer = supplier.client.post("/service-problems", json=body, headers=headers)
    status, code, messages = refusal(answer)
    assert (status, code) == (422, "INVALID_REQUEST")
    assert [message.split(":")[0] for message in messages] == ["Tenant", "problemText"]


def test_a_stored_answer_comes_before_the_rules(supplier: Supplier) -> None:
    body = problem_request()
    assert supplier.create(body).status_code == 201
    # Judged afresh it would be refused: a problem is open on the service now.
    assert supplier.create(body).status_code == 201
    messages = refusal(supplier.create(problem_request(id=2)))[2]
    assert messages == ["serviceId: a problem is already open on SI2345432345345: 23467"]


def test_a_token_opens_only_what_it_was_asked_for(supplier: Supplier) -> None:
    narrow = supplier.token(scope="service-problem-amendments")
    headers = {**supplier.headers(), "Authorization": f"Bearer {narrow}"}
    answer = supplier.client.post("/service-problems", json=problem_request(), headers=headers)
    assert answer.status_code == 403
    assert answer.data == b""
    assert 'error="insufficient_scope"' in answer.headers["WWW-Authenticate"]
    assert 'scope="service-problems"' in answer.headers["WWW-Authenticate"]


def test_a_token_expires(supplier: Supplier) -> None:
    headers = supplier.headers()
    supplier.machine.advance(3600)
    answer = supplier.client.post("/service-problems", json=problem_request(), headers=headers)
    assert refusal(answer)[:2] == (401, "NOT_AUTHORISED")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer ")


NO_BEARER = [
    "",
    "Bearer",
    "Basic Z2F0ZXdheTpzZWNyZXQ=",
    "Bearer a b",
    "Bearer \xe9",
    "Bearer a.b.c",
    "Bearer e30.e30.e30",
    "Bearer bnVsbA.e30.e30",
    "Bearer eyJhbGciOiJSUzI1NiIsImtpZCI6WzFdfQ.e30.e30",
    "Bearer eyJhbGciOiJSUzI1NiIsImtpZCI6Ilx1ZDgwMCJ9.e30.e30",
    f"Bearer {'e30.' * 5000}",
]


@pytest.mark.parametrize("value", NO_BEARER)
def test_what_is_no_bearer_token_opens_nothing(supplier: Supplier, value: str) -> None:
    headers = {**supplier.headers(), "Authorization": value}
    answer = supplier.client.post("/service-problems", json=problem_request(), headers=headers)
    assert refusal(answer)[:2] == (401, "NOT_AUTHORISED")


@pytest.mark.parametrize("more_settings", [{"SUPPLIER_API__SERVER__PREFIX": "/supplier/v1"}])
def test_the_calls_stand_below_the_prefix(supplier: Supplier) -> None:
    assert supplier.create(problem_request()).status_code == 404
    answer = supplier.call("POST", "/supplier/v1/service-problems", problem_request())
    assert answer.status_code == 201
    described = supplier.client.get("/openapi.json").get_json()["paths"]
    assert {f"/supplier/v1{call.described}" for call in CALLS} <= described.keys()
