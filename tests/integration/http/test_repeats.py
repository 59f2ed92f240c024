"""The same request again gets the stored answer, and nothing is done twice."""

import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from supplier_api.app.services import ClockPair
from supplier_api.app.web import create_app
from supplier_api.clock import ManualBusinessClock, ManualMachineClock
from supplier_api.outbox.repository import LaneRepository
from supplier_api.problems.decision_repository import DecisionRepository
from supplier_api.settings import Settings
from tests.samples import amendment_request, cancellation_request, problem_request
from tests.supplier import DEFERRED, Problem, Supplier, refusal

from .calls import RESOLUTION, Call, every_call


def messages(supplier: Supplier, gateway_id: int, tenant: str = "TENANT1") -> int:
    """Count what was sent about a problem, work orders included."""
    problem_id = supplier.stored(gateway_id, tenant).id
    return len(
        supplier.services.store.read(lambda uow: LaneRepository(uow).messages_of(problem_id))
    )


@every_call
@pytest.mark.parametrize("tenant", ["TENANT1", DEFERRED])
def test_a_repeat_gets_the_same_bytes_and_does_nothing(
    call: Call, tenant: str, supplier: Supplier
) -> None:
    path, body = call.prepare(supplier, tenant)
    first = supplier.call(call.method, path, body, tenant=tenant)
    sent = messages(supplier, 23467, tenant)
    supplier.pass_days(1)
    for again in (body, dict(reversed(body.items())), {**body, "externalIdentifier": "DS-1"}):
        answer = supplier.call(call.method, path, again, tenant=tenant)
        assert (answer.status_code, answer.data) == (first.status_code, first.data)
        assert answer.headers.get("Content-Type") == first.headers.get("Content-Type")
    assert messages(supplier, 23467, tenant) == sent
    assert supplier.problems() == 1


@every_call
def test_another_request_under_the_same_id_is_told_so(call: Call, supplier: Supplier) -> None:
    path, body = call.prepare(supplier, "TENANT1")
    first = supplier.call(call.method, path, body)
    other = {"status": "REJECTED"} if call is RESOLUTION else changed(body)
    status, code, texts = refusal(supplier.call(call.method, path, other))
    assert (status, code) == (422, "INVALID_REQUEST")
    noun = call.scope.removeprefix("service-problem-").removesuffix("s")
    today = "2026-01-05T12:00:0"
    if call is RESOLUTION:
        assert texts[0].startswith(f"status: already ACCEPTED on {today}")
    else:
        noun = noun.removeprefix("service-")
        assert texts[0].startswith(f"id: 23467 was used for another {noun} on {today}")
    assert len(texts) == 1
    # That was not kept, and the first answer is given as before.
    assert supplier.call(call.method, path, body).data == first.data


def changed(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the request with another text."""
    return {**body, "notes": "Other notes."} if "notes" in body else {**body, "text": "Other."}


def test_a_rejection_by_the_rules_is_kept(supplier: Supplier) -> None:
    first = supplier.opened()
    rejected = supplier.create(problem_request(id=2))
    assert rejected.status_code == 422
    assert supplier.cancel(first.named(cancellation_request())).status_code == 201
    # Nothing stands in the way any more, but the answer has been given.
    assert supplier.create(problem_request(id=2)).data == rejected.data
    assert supplier.create(problem_request(id=3)).status_code == 201


def test_a_rejection_of_a_change_is_kept(supplier: Supplier) -> None:
    problem = supplier.opened()
    reference = supplier.resolved(problem)
    amendment = problem.named(amendment_request())
    rejected = supplier.amend(amendment)
    assert refusal(rejected)[2] == [
        "serviceProblemId: problem 23467 is RESOLVED; accept or reject the resolution instead"
    ]
    assert supplier.settle(reference, "REJECTED").status_code == 200
    assert supplier.amend(amendment).data == rejected.data


def test_what_was_not_read_or_not_found_is_not_kept(supplier: Supplier) -> None:
    change = {"id": 7, "serviceProblemId": 23467, "notes": "Ring twice."}
    assert refusal(supplier.amend({**change, "id": "7"}))[0] == 400
    assert refusal(supplier.amend({**change, "notes": ""}))[0] == 422
    unknown = refusal(supplier.amend(change))
    assert unknown == (422, "NOT_FOUND", ["serviceProblemId: no such service problem"])
    supplier.opened()
    assert supplier.amend(change).status_code == 201


def test_a_failure_is_not_kept(supplier: Supplier, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(DecisionRepository, "answer", lambda *_: 1 / 0)
        assert supplier.create(problem_request()).status_code == 500
    assert supplier.problems() == 0
    assert supplier.create(problem_request()).status_code == 201


def test_each_tenant_and_each_operation_has_ids_of_its_own(supplier: Supplier) -> None:
    first = supplier.create(problem_request())
    second = supplier.create(problem_request(), tenant="TENANT2")
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.get_json()["supplierReference"] != second.get_json()["supplierReference"]
    problem = Problem(23467, first.get_json()["supplierReference"])
    assert supplier.amend(problem.named(amendment_request())).status_code == 201
    assert supplier.cancel(problem.named(cancellation_request())).status_code == 201


@every_call
def test_another_tenants_problem_is_as_if_unknown(call: Call, supplier: Supplier) -> None:
    path, body = call.prepare(supplier, "TENANT1")
    answer = supplier.call(call.method, path, body, tenant="TENANT2")
    if call.scope == "service-problems":
        assert answer.status_code == 201
        return
    status, code, texts = refusal(answer)
    assert (status, code) == (422, "NOT_FOUND")
    unknown = supplier.call(
        call.method,
        "/service-problem-resolutions/SP_UNKNOWN01" if call is RESOLUTION else path,
        body if call is RESOLUTION else {**body, "serviceProblemId": 99},
    )
    assert refusal(unknown)[2] == texts
    # Nothing came of it: the tenant whose problem it is can do it.
    assert supplier.call(call.method, path, body).status_code in (200, 201)


@every_call
def test_twins_on_two_servers_get_one_answer(
    call: Call,
    supplier: Supplier,
    settings: Settings,
    clocks: tuple[ManualMachineClock, ManualBusinessClock, ClockPair],
) -> None:
    path, body = call.prepare(supplier, "TENANT1")
    headers = supplier.headers()
    twin = create_app(settings, clocks[2])
    start = threading.Barrier(4)

    def send(number: int) -> tuple[int, bytes]:
        client = (supplier.app if number % 2 else twin).test_client()
        start.wait()
        answer = client.open(path, method=call.method, json=body, headers=headers)
        return answer.status_code, answer.data

    try:
        with ThreadPoolExecutor(4) as threads:
            answers = set(threads.map(send, range(4)))
    finally:
        twin.extensions["services"].store.close()
    assert len(answers) == 1
    assert answers.pop()[0] in (200, 201)
    assert supplier.problems() == 1
    told = supplier.told(Problem(23467, "", "TENANT1"))
    expected = ["1 RESOLVED/RESOLVED", "2 COMPLETED/COMPLETED"] if call is RESOLUTION else []
    assert told == expected
