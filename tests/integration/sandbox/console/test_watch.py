"""A problem on its way: what is drawn of it, and what both sides see."""

import re

from supplier_api.contract.personal import PLACEHOLDER
from supplier_api.delivery.model import Meaning, Reply
from supplier_api.operations.processes import Process, ProcessKind, ProcessRepository
from tests.integration.sandbox.console.conftest import SandboxPages
from tests.integration.sandbox.console.tenants_gateway import TenantsGateway
from tests.samples import problem_request
from tests.supplier import REPAIRED, TENANT, Supplier

RAISED = (
    "the gateway sends POST /service-problems, the supplier answers 201 ACKNOWLEDGED, by the rule"
    " default"
)
SECRET = "Her name is Mrs Smith."


def steps_in(html: str) -> list[str]:
    """Return the sentences of the drawing, in order."""
    return re.findall(r'<span class="words [a-z]+">([^<]*)</span>', html)


def test_it_is_where_the_console_begins(supplier: Supplier, pages: SandboxPages) -> None:
    begun = supplier.client.get("/console/")

    assert begun.headers["Location"] == "/console/sandbox/"
    assert "There is no problem yet." in pages.get("")


def test_each_message_is_an_arrow_with_its_answer(supplier: Supplier, pages: SandboxPages) -> None:
    problem = supplier.opened(id=23)
    supplier.machine.advance(1)
    supplier.event(23, "start")
    supplier.deliver()
    supplier.event(23, "resolve", resolution=REPAIRED)

    html = pages.html(f"?tenant={TENANT}&id=23")

    assert steps_in(html) == [
        f"The tenant raises a problem: {RAISED}.",
        "The supplier gives the back office a work order, problem: waiting.",
        "The back office says start: IN_PROGRESS.",
        "The supplier tells the gateway KCI 1 COMMITTED: 204 taken; the tenant sees IN_PROGRESS.",
        "The back office says resolve: RESOLVED.",
        "The supplier tells the gateway KCI 2 RESOLVED: waiting.",
    ]
    assert html.count("<svg") == 7
    assert f"/console/problems/{problem.reference}" in html
    assert re.search(r"/console/sandbox/journal\?tenant=TENANT1&amp;id=[0-9a-f-]{36}", html)
    assert "style=" not in html
    assert len(html) < 100_000


def test_the_newest_is_shown_where_none_is_named(supplier: Supplier, pages: SandboxPages) -> None:
    supplier.opened(id=23)
    newest = supplier.opened(id=24, serviceId="SI0000000000024")

    assert f"ACKNOWLEDGED {newest.reference} {TENANT}, gateway's id 24" in pages.get("")


def test_a_refused_request_is_drawn_too(supplier: Supplier, pages: SandboxPages) -> None:
    headers = {**supplier.headers(), "X-Scenario": "SERVICE_PROBLEM_REJECTED"}
    supplier.client.post("/service-problems", json=problem_request(id=23), headers=headers)

    page = pages.get(f"?tenant={TENANT}&id=23")

    assert "the supplier answers 422 refused" in page
    assert "Only that it refused the request." in page
    assert "Nothing more: it is over." in page


def test_of_a_long_way_the_end_is_drawn(supplier: Supplier, pages: SandboxPages) -> None:
    supplier.opened(id=23)
    for number in range(60):
        assert supplier.event(23, "note", note={"note": f"Note {number}."}).status_code == 200

    html = pages.html(f"?tenant={TENANT}&id=23")

    assert len(steps_in(html)) == 40
    assert "The first 82 steps are on" in html
    assert '<ol class="steps" start="83">' in html
    assert "KCI 60 " in steps_in(html)[-1]
    assert len(html) < 100_000


def test_what_the_gateway_did_not_take_is_said(supplier: Supplier, pages: SandboxPages) -> None:
    supplier.opened(id=23)
    supplier.event(23, "start")
    supplier.answers[1] = Reply(Meaning.REFUSED, "422 INVALID_REQUEST", 422)
    supplier.deliver()

    page = pages.get(f"?tenant={TENANT}&id=23")

    assert "KCI 1 COMMITTED: 422 refused for good (422 INVALID_REQUEST)." in page
    assert "was not taken: the later KCIs wait behind it" in page


def test_the_tenants_side_is_the_gateways_word_with_its_texts_masked(
    supplier: Supplier, pages: SandboxPages, gateway: TenantsGateway
) -> None:
    supplier.opened(id=23)
    update = {
        "sequenceNumber": 1,
        "updateType": "ACTION_REQUIRED",
        "receivedOn": "2026-01-05T12:00:00.000Z",
        "action": {"type": "INFORMATION_REQUIRED", "code": "UNKNOWN_FAULT", "text": SECRET},
    }
    gateway.problem = {"id": 23, "status": "PENDING", "notes": SECRET, "updates": [update]}

    page = pages.get(f"?tenant={TENANT}&id=23")

    assert f"INFORMATION_REQUIRED UNKNOWN_FAULT: {PLACEHOLDER}" in page
    assert SECRET not in page


def test_a_gateway_that_is_away_is_said_and_the_rest_stands(
    supplier: Supplier, pages: SandboxPages, gateway: TenantsGateway
) -> None:
    supplier.opened(id=23, tenant="TENANT9")

    page = pages.get("?tenant=TENANT9&id=23")

    assert "TENANT9 is no tenant of the sandbox gateway." in page
    assert "the supplier answers 201 ACKNOWLEDGED" in page
    assert gateway.calls == []


def test_it_is_plain_that_nothing_moves_without_a_worker(
    supplier: Supplier, pages: SandboxPages
) -> None:
    assert "No worker runs" in pages.get("")

    now = supplier.machine.now()
    worker = Process("worker-1", ProcessKind.WORKER, "0", None, now, now)
    supplier.services.store.write(lambda uow: ProcessRepository(uow).save(worker))

    page = pages.get("")
    assert "No worker runs" not in page
    assert "The simulated back office waits for you" in page


def test_the_drawing_follows_what_happens(supplier: Supplier, pages: SandboxPages) -> None:
    supplier.opened(id=23)
    news = re.search(r'hx-get="/console/sandbox/(way[^"]*)"', pages.html("?tenant=TENANT1&id=23"))
    assert news
    address = news[1].replace("&amp;", "&")
    assert pages.html(address, 204) == ""

    supplier.event(23, "start")

    assert "The back office says start" in pages.get(address)


def test_who_waits_for_a_first_problem_sees_it_come(
    supplier: Supplier, pages: SandboxPages
) -> None:
    news = re.search(r'hx-get="/console/sandbox/(way[^"]*)"', pages.html(""))
    assert news

    first = supplier.opened(id=23)

    assert f"ACKNOWLEDGED {first.reference}" in pages.get(news[1])


def test_what_comes_next_by_the_clock_is_said(supplier: Supplier, pages: SandboxPages) -> None:
    supplier.resolved(supplier.opened(id=23))

    page = pages.get(f"?tenant={TENANT}&id=23")

    assert "Next by the clock closure notice at 2026-01-09" in page


def test_a_name_that_is_none_is_refused(pages: SandboxPages) -> None:
    assert "id: expected the gateway's id of a problem" in pages.get("?tenant=TENANT1&id=x", 404)
    assert "The supplier knows nothing of it so far." in pages.get("?tenant=TENANT1&id=99")
