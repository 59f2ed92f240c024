"""The overview: whether everything is well, and the way to what is not."""

import re
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient

from supplier_api.console.pages.overview import DELIVERY, MENDS
from supplier_api.db import StoreUnavailable, UnitOfWork
from supplier_api.delivery.model import Meaning, Reply
from supplier_api.operations import status
from supplier_api.operations.metric_samples import MetricSampleRepository
from supplier_api.operations.metrics import MetricSample
from supplier_api.outbox.pauses import PauseRepository
from supplier_api.settings import Settings
from tests.samples import problem_request
from tests.supplier import DEFERRED, Supplier
from tests.waiting import PATIENCE

OVERVIEW = "/console/overview/"
DEADLINE = "SUPPLIER_API__LIFECYCLE__DECISION_DEADLINE"
REFUSED = Reply(Meaning.REFUSED, "422", 422, refusal={"messages": ["no"]})


@pytest.fixture
def app(own_app: Flask) -> Flask:
    """Return an application of the test's own: parts of its pages are kept by its clock."""
    return own_app


def page(supplier: Supplier) -> str:
    """Return the page, a second later."""
    supplier.machine.advance(1)
    answer = supplier.client.get(OVERVIEW)
    assert answer.status_code == 200, answer.text
    assert len(answer.data) < 100_000
    return answer.text


def mended(text: str, line: str) -> str:
    """Return where the link leads that mends a line."""
    found = re.search(rf'href="([^"]+)">Mend {line}</a>', text)
    assert found, text
    return found[1]


def test_what_is_not_well_comes_first_with_what_mends_it(supplier: Supplier) -> None:
    supplier.answers[2] = REFUSED
    problem = supplier.opened()
    supplier.event(problem.reference, "start")
    supplier.event(problem.reference, "resolve", resolution={"resolutionCode": "OTHER"})
    supplier.deliver()
    text = page(supplier)
    assert mended(text, "dead letters") == "/console/delivery/?state=dead"
    assert mended(text, "parked KCIs") == "/console/delivery/?state=parked"
    # Nothing runs in a test but this.
    assert "<code>supplier-api worker</code>" in text
    assert text.index(">dead letters</th>") < text.index(">parked KCIs</th>")
    assert re.search(r"3 things are bad, \d more needs? a look\.\s+\d+ are as they should be", text)


def test_problems_are_counted_by_their_state(supplier: Supplier) -> None:
    supplier.create(problem_request(), tenant=DEFERRED)
    supplier.create(problem_request(id=2, serviceId="SI0000000001002"))
    supplier.create(problem_request(id=3, serviceId="SI0000000001003"))
    supplier.event(3, "start")
    supplier.event(3, "cancel", problemCode="OTHER", text="It was no fault.")
    text = page(supplier)
    counted = re.findall(r'problems/\?state=(\w+)"><span[^>]*>\w+</span></a></dt><dd>(\d+)', text)
    assert dict(counted) == {"UNDECIDED": "1", "ACKNOWLEDGED": "1"}
    assert "CANCELLED" not in text


@pytest.mark.parametrize(
    "more_settings",
    [{"SUPPLIER_API__LIFECYCLE__DECISION_DEADLINE__PROBLEM__HOURS": "8"}],
    ids=["deadline"],
)
def test_undecided_requests_are_shown_with_their_deadlines(supplier: Supplier) -> None:
    supplier.create(problem_request(id=1), tenant=DEFERRED)
    reference = supplier.stored(1, DEFERRED).reference
    due = supplier.business.now(DEFERRED) + timedelta(hours=8)
    text = page(supplier)
    assert f'/console/work/{reference}">{reference}</a> problem' in text
    assert "due <time" in text
    assert f"{due:%Y-%m-%d %H:%M:%S}</time>" in text
    supplier.business.advance(9 * 3600)
    supplier.opened(id=2, serviceId="SI0000000001002")
    assert "overdue</span>" in page(supplier)
    assert mended(page(supplier), "undecided") == "/console/work/"


def test_an_open_breaker_is_shown(supplier: Supplier) -> None:
    now = supplier.machine.now()
    supplier.services.store.write(
        lambda uow: PauseRepository(uow).open_breaker(
            "gateway", reason="5 lanes failed", who="worker", now=now, probe_at=now
        )
    )
    assert mended(page(supplier), "breaker") == "/console/delivery/"


def test_charts_show_what_was_counted(supplier: Supplier) -> None:
    counts = {"answer.201": 30, "answer.422": 6, "ms.20": 36, "gateway.delivered": 12}

    def counted(uow: UnitOfWork) -> None:
        at = supplier.machine.now() - timedelta(minutes=20)
        MetricSampleRepository(uow).add("web-1", "web", [MetricSample(at, 10.0, counts)])

    assert "No request of the gateway." in page(supplier)
    supplier.services.store.write(counted)
    supplier.machine.advance(11)
    text = page(supplier)
    assert text.count("Requests of the gateway: 36.") == 2
    assert "Answered 201: 30, 422: 6." in re.sub(r"\s+", " ", text)
    assert "budget 3 s." in text
    assert "delivered: 0 at last, 12 at most." in text


def test_charts_are_not_made_anew_for_each_commit(
    supplier: Supplier, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    supplier.create(problem_request())
    made = []
    between = MetricSampleRepository.between

    def watched(*given: object) -> list[tuple[object, dict[str, int]]]:
        made.append(given)
        return between(*given)  # type: ignore[arg-type, return-value]

    monkeypatch.setattr(MetricSampleRepository, "between", watched)
    page(supplier)
    first = len(made)
    for number in range(2, 5):
        supplier.create(problem_request(id=number))
        supplier.machine.advance(2)
        client.get("/console/overview/charts?seen=x")
    assert len(made) == first
    supplier.machine.advance(10)
    supplier.create(problem_request(id=5))
    client.get("/console/overview/charts?seen=x")
    assert len(made) == 2 * first


def test_looking_writes_nothing(
    supplier: Supplier, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    supplier.create(problem_request())
    # The journal of that is written by a thread of its own.
    assert supplier.app.extensions["recorder"].flush(PATIENCE)

    def refuse(*_given: object, **_more: object) -> None:
        raise AssertionError("the page wrote something")

    monkeypatch.setattr(supplier.services.store, "write", refuse)
    page(supplier)
    assert client.get("/console/overview/news?seen=x").status_code == 200


def test_a_database_that_could_not_be_written_is_said(supplier: Supplier) -> None:
    assert "All that was looked at" in page(supplier)
    store = supplier.services.store
    store.note_failure(StoreUnavailable("the database is locked"))
    assert "the database is locked" in page(supplier)


def test_each_line_that_has_a_page_is_a_line_of_the_status(
    supplier: Supplier, settings: Settings
) -> None:
    names = {line.name for line in status.observed(supplier.services, settings)}
    assert MENDS.keys() <= names
    assert set(DELIVERY) <= MENDS.keys()
