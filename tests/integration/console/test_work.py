"""Work for people: taking, handing back, deciding, and being told of others who do so."""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from threading import Barrier

import pytest

from supplier_api.backoffice.contract import settings_of
from supplier_api.backoffice.manual import ManualBackOffice
from supplier_api.clock import to_wire
from supplier_api.console.access import Role
from supplier_api.db import UnitOfWork
from supplier_api.db.operator_actions import Action, OperatorActionRepository
from supplier_api.outbox.repository import LaneRepository
from supplier_api.problems.backoffice_events import BackOfficeEvents
from supplier_api.problems.work import ORDER_KINDS, Notice, OrderKind, WorkOrder
from supplier_api.problems.work_item_repository import WorkItemRepository
from supplier_api.problems.work_items import Doer, WorkItems, WorkRefused
from supplier_api.rules.model import Operation
from tests.integration.console.pages import Console
from tests.samples import amendment_request, cancellation_request, problem_request
from tests.supplier import DEFERRED, Problem, Supplier
from tests.waiting import PATIENCE

HOURS = "SUPPLIER_API__LIFECYCLE__DECISION_DEADLINE"
ANN, BEN = Doer("ann", "mine"), Doer("ben", "mine")


@pytest.fixture
def console(supplier: Supplier) -> Iterator["Later"]:
    """Yield the console, a second later at each look."""
    with closing(Later(supplier)) as console:
        yield console


class Later(Console):
    """The console, looked at by people who take a second for each page."""

    def __init__(self, supplier: Supplier) -> None:
        super().__init__(supplier.app, supplier.client)
        self._machine = supplier.machine

    def html(self, path: str, status: int = 200) -> str:
        """Return a page."""
        self._machine.advance(1)
        return super().html(path, status)

    def rows(self, path: str = "work/") -> list[str]:
        """Return what the queue asks for, from top to bottom."""
        return re.findall(r'id="entry-[^>]*>([^<]+)</a>', self.html(path))


def service(number: int) -> str:
    """Return a service that the inventory has."""
    return f"SI{1000 + number:013}"


def undecided(supplier: Supplier, gateway_id: int = 1) -> str:
    """Raise a problem that is left open; return our reference."""
    body = problem_request(id=gateway_id, serviceId=service(gateway_id))
    assert supplier.create(body, tenant=DEFERRED).status_code == 202
    return supplier.stored(gateway_id, DEFERRED).reference


def to_people(supplier: Supplier, *problems: Problem) -> None:
    """Deliver the orders about problems to people."""
    manual = ManualBackOffice(settings_of("manual"))
    events = BackOfficeEvents(supplier.services)

    def deliver(uow: UnitOfWork) -> None:
        for problem in problems:
            problem_id = supplier.stored(problem.id, problem.tenant).id
            for row in LaneRepository(uow).messages_of(problem_id):
                if row["kind"] in ORDER_KINDS:
                    order = WorkOrder.from_body(row["uuid"], row["body"])
                    events.order_answered(uow, problem_id, order, manual.submit(order))

    supplier.services.store.write(deliver)


def actions(supplier: Supplier, gateway_id: int = 1, tenant: str = DEFERRED) -> list[Action]:
    problem_id = supplier.stored(gateway_id, tenant).id
    return supplier.services.store.read(lambda uow: OperatorActionRepository(uow).of(problem_id))


# -- the queue


@pytest.mark.parametrize(
    "more_settings", [{f"{HOURS}__AMENDMENT__HOURS": "4", f"{HOURS}__PROBLEM__HOURS": "8"}]
)
def test_the_next_deadline_stands_first_and_orders_follow(
    supplier: Supplier, console: Later
) -> None:
    worked_on = supplier.opened(id=7)
    to_people(supplier, worked_on)
    undecided(supplier)
    supplier.business.advance(3600)
    amended = supplier.opened(id=2, tenant=DEFERRED, serviceId=service(2))
    amendment = amended.named(amendment_request(id=20, escalationRequest=True))
    assert supplier.amend(amendment, tenant=DEFERRED).status_code == 202
    assert console.rows() == [
        "Accept or reject the amendment",
        "Accept or reject the problem",
        "Work on the problem",
    ]
    text = console.get("work/").replace(" ;", ";")
    assert "2 undecided: 1 of problems, 1 of changes; 1 escalated by the tenant" in text
    supplier.business.advance(4.5 * 3600)
    supplier.opened(id=8, serviceId=service(8))
    assert "1 overdue" in console.get("work/")


def test_the_queue_is_read_page_by_page(
    supplier: Supplier, console: Later, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("supplier_api.console.pages.work.PAGE", 2)
    references = [undecided(supplier, number) for number in range(1, 4)]
    to_people(supplier, supplier.opened(id=7), supplier.opened(id=8, serviceId=service(8)))
    seen, path = [], "work/"
    for _ in range(3):
        html = console.html(path)
        seen += re.findall(r'id="entry-([^"]+)"', html)
        more = re.search(r'id="page-more" href="/console/([^"]+)"', html)
        path = more[1].replace("&amp;", "&") if more else path
    assert more is None
    assert len(seen) == len(set(seen)) == 5
    assert set(references) < set(seen)


def test_what_is_mine_and_what_is_nobodys(supplier: Supplier, console: Later) -> None:
    first, second = undecided(supplier), undecided(supplier, 2)
    items = WorkItems(supplier.services)
    items.take(first, ANN)
    assert first in console.html("work/?by=ann")
    assert second not in console.html("work/?by=ann")
    assert second in console.html("work/?free=1")
    assert first not in console.html("work/?free=1")
    assert console.rows("work/?by=ben") == []


def test_a_page_that_is_no_page_is_the_first(supplier: Supplier, console: Later) -> None:
    undecided(supplier)
    assert len(console.rows("work/?after=nonsense")) == 1


# -- taking


def test_who_takes_something_is_shown_and_recorded(supplier: Supplier, console: Later) -> None:
    reference = undecided(supplier)
    assert f"{reference} is yours." in console.done(f"work/{reference}/take", f"work/{reference}")
    assert "ann since" in console.get("work/")
    (taken,) = actions(supplier)
    assert (taken.who, taken.action, taken.address) == ("ann", "work take", "127.0.0.1")
    assert taken.detail == {"reference": reference, "before": None, "after": "ann"}


def test_of_two_who_take_it_at_once_one_is_told_of_the_other(supplier: Supplier) -> None:
    reference = undecided(supplier)
    items = WorkItems(supplier.services)
    items.take(reference, ANN)
    with pytest.raises(WorkRefused, match=f"{reference}: ann has had it since 2026-"):
        items.take(reference, BEN)
    items.take(reference, ANN)
    assert [each.who for each in actions(supplier)] == ["ann"]


def test_of_two_at_the_same_moment_one_gets_it(supplier: Supplier) -> None:
    reference = undecided(supplier)
    items, together = WorkItems(supplier.services), Barrier(2)

    def take(by: Doer) -> str:
        together.wait(PATIENCE)
        try:
            items.take(reference, by)
        except WorkRefused as error:
            return str(error)
        return by.who

    with ThreadPoolExecutor(2) as threads:
        said = sorted(threads.map(take, (ANN, BEN)), key=len)
    assert said[0] in {"ann", "ben"}
    assert said[1].startswith(f"{reference}: {said[0]} has had it since")
    assert [each.who for each in actions(supplier)] == [said[0]]


def test_what_another_has_is_taken_over_with_a_reason(supplier: Supplier, console: Later) -> None:
    reference = undecided(supplier)
    page = f"work/{reference}"
    WorkItems(supplier.services).take(reference, BEN)
    assert "ben has it. Ask them before you take it over." in console.get(page)
    assert "Accept the problem" not in console.get(page)
    console.refused(f"{page}/take", page, 422, seen="ben")
    console.done(f"{page}/take", page, seen="ben", reason="ben is ill")
    assert "ann since" in console.get(page)
    assert [each.reason for each in actions(supplier)] == ["mine", "ben is ill"]


def test_taking_over_from_somebody_who_has_it_no_more_is_refused(
    supplier: Supplier, console: Later
) -> None:
    reference = undecided(supplier)
    page = f"work/{reference}"
    items = WorkItems(supplier.services)
    items.take(reference, BEN)
    items.take(reference, Doer("cleo", "urgent"), seen="ben")
    refused = console.refused(f"{page}/take", page, 409, seen="ben", reason="ben is ill")
    assert f"{reference}: cleo has had it since" in refused


def test_what_is_handed_back_is_nobodys(supplier: Supplier, console: Later) -> None:
    reference = undecided(supplier)
    page = f"work/{reference}"
    refused = console.refused(f"{page}/hand-back", page, 409, reason="at lunch")
    assert f"nobody has {reference}: take it first" in refused
    console.done(f"{page}/take", page)
    console.done(f"{page}/hand-back", page, reason="at lunch")
    assert console.rows("work/?free=1") == ["Accept or reject the problem"]
    assert actions(supplier)[-1].detail == {"reference": reference, "before": "ann", "after": None}


def test_a_page_that_stands_open_says_who_took_it(supplier: Supplier, console: Later) -> None:
    reference = undecided(supplier)
    console.get(f"work/{reference}")
    WorkItems(supplier.services).take(reference, BEN)
    assert "ben has taken it meanwhile." in console.get(f"work/{reference}/news?holder=")
    supplier.event(reference, "accept")
    assert "was dealt with meanwhile" in console.get(f"work/{reference}/news?holder=ben")


# -- deciding


def test_a_problem_is_accepted_and_work_begins(supplier: Supplier, console: Later) -> None:
    reference = undecided(supplier)
    page = f"work/{reference}"
    said = console.done(
        f"{page}/decide", page, id="e1", event="accept", commit="yes", reason="it is ours"
    )
    assert f"{reference} is decided: the problem is IN_PROGRESS." in said
    assert console.rows() == []
    (decided,) = actions(supplier)
    assert (decided.action, decided.reason) == ("work decide", "it is ours")
    assert decided.detail == {
        "reference": reference,
        "before": None,
        "after": None,
        "event": "accept",
        "state": ["UNDECIDED", "IN_PROGRESS"],
    }
    problem = Problem(1, reference, DEFERRED)
    assert supplier.told(problem) == ["1 ACKNOWLEDGED/ACKNOWLEDGED", "2 COMMITTED/IN_PROGRESS"]


def test_a_rejection_needs_what_its_kci_carries(supplier: Supplier, console: Later) -> None:
    reference = undecided(supplier)
    page = f"work/{reference}"
    fields = {"id": "e1", "event": "reject", "reason": "not ours"}
    assert "problemCode" in console.refused(f"{page}/decide", page, 409, **fields)
    fields |= {"problemCode": "NONSENSE", "text": "No such line."}
    assert "problemCode" in console.refused(f"{page}/decide", page, 422, **fields)
    assert actions(supplier) == []
    console.done(f"{page}/decide", page, **{**fields, "problemCode": "OTHER"})
    assert supplier.told(Problem(1, reference, DEFERRED)) == ["1 REJECTED/REJECTED"]


@pytest.mark.parametrize(
    ("event", "state"), [("accept-change", "CANCELLED"), ("reject-change", "ACKNOWLEDGED")]
)
def test_a_cancellation_is_decided(
    supplier: Supplier, console: Later, event: str, state: str
) -> None:
    problem = supplier.opened(tenant=DEFERRED)
    asked = problem.named(cancellation_request())
    assert supplier.cancel(asked, tenant=DEFERRED).status_code == 202
    (reference,) = re.findall(r'id="entry-([^"]+)"', console.html("work/"))
    page = f"work/{reference}"
    fields = {"problemCode": "OTHER", "text": "Too late."} if event == "reject-change" else {}
    said = console.done(f"{page}/decide", page, id="e", event=event, reason="so it is", **fields)
    assert f"the problem is {state}." in said
    assert console.rows() == []


def test_what_is_decided_meanwhile_is_not_decided_again(supplier: Supplier, console: Later) -> None:
    reference = undecided(supplier)
    page = f"work/{reference}"
    token = console.token(page)
    form = {"csrf_token": token, "id": "e1", "event": "accept", "reason": "ours"}
    assert console.post(f"{page}/decide", **form).status_code == 303
    # The same click again, and somebody else's.
    assert console.post(f"{page}/decide", **form).status_code == 303
    late = console.post(f"{page}/decide", **{**form, "id": "e2"})
    assert late.status_code == 409
    assert "waits for nobody any more: work decide by ann at 2026-" in late.text
    assert "it is ACKNOWLEDGED now" in late.text
    assert len(supplier.kcis(Problem(1, reference, DEFERRED))) == 1
    assert len(actions(supplier)) == 1


def test_who_has_it_not_decides_not(supplier: Supplier, console: Later) -> None:
    reference = undecided(supplier)
    page = f"work/{reference}"
    WorkItems(supplier.services).take(reference, BEN)
    refused = console.refused(
        f"{page}/decide", page, 409, id="e1", event="accept", reason="it is ours"
    )
    assert f"{reference}: ben has had it since" in refused
    assert supplier.kcis(Problem(1, reference, DEFERRED)) == []


def test_personal_data_is_masked(supplier: Supplier, console: Later) -> None:
    page = console.get(f"work/{undecided(supplier)}")
    assert "[personal]" in page
    assert "John Smith" not in page


# -- orders


def test_an_order_waits_until_somebody_is_done(supplier: Supplier, console: Later) -> None:
    problem = supplier.opened()
    to_people(supplier, problem)
    page = f"work/{problem.reference}"
    assert "Work on the problem" in console.get(page)
    refused = console.refused(f"{page}/done", page, 409, reason="a mistake")
    assert "take it first" in refused
    console.done(f"{page}/take", page)
    console.done(f"{page}/done", page, reason="told the field team")
    assert console.rows() == []
    assert [each.action for each in actions(supplier, 23467, "TENANT1")] == [
        "work take",
        "work done",
    ]
    to_people(supplier, problem)


def test_work_that_is_over_leaves_the_queue(supplier: Supplier, console: Later) -> None:
    problem = supplier.opened()
    supplier.amend(problem.named(amendment_request()))
    to_people(supplier, problem)
    assert console.rows() == ["Work on the problem", "Take note: the problem was amended"]
    supplier.event(problem.reference, "start")
    supplier.resolved(problem)
    assert console.rows() == []


def test_what_the_tenant_cancels_is_no_work_any_more(supplier: Supplier, console: Later) -> None:
    problem = supplier.opened()
    supplier.amend(problem.named(amendment_request()))
    to_people(supplier, problem)
    assert supplier.cancel(problem.named(cancellation_request())).status_code == 201
    assert console.rows() == []


def test_what_the_tenant_cancels_undecided_is_no_work_either(
    supplier: Supplier, console: Later
) -> None:
    reference = undecided(supplier)
    problem = Problem(1, reference, DEFERRED)
    to_people(supplier, problem)
    WorkItems(supplier.services).take(reference, ANN)
    cancellation = problem.named(cancellation_request(id=30))
    assert supplier.cancel(cancellation, tenant=DEFERRED).status_code == 201
    assert console.rows() == []


def test_an_order_that_comes_after_the_end_is_no_work(supplier: Supplier, console: Later) -> None:
    problem = supplier.opened()
    supplier.amend(problem.named(amendment_request()))
    supplier.cancel(problem.named(cancellation_request()))
    to_people(supplier, problem)
    assert console.rows() == ["Take note: the tenant cancelled"]


def test_an_order_that_comes_after_the_decision_is_no_work(
    supplier: Supplier, console: Later
) -> None:
    problem = supplier.opened(id=2, tenant=DEFERRED, serviceId=service(2))
    amendment = problem.named(amendment_request(id=20, escalationRequest=True))
    assert supplier.amend(amendment, tenant=DEFERRED).status_code == 202
    accepted = supplier.event(problem.reference, "accept-change", changeReference="20")
    assert accepted.status_code == 200
    to_people(supplier, problem)
    assert console.rows() == ["Work on the problem"]


def test_who_accepts_a_problem_keeps_the_work_on_it(supplier: Supplier, console: Later) -> None:
    reference = undecided(supplier)
    WorkItems(supplier.services).take(reference, ANN)
    to_people(supplier, Problem(1, reference, DEFERRED))
    assert console.rows("work/?by=ann") == ["Accept or reject the problem"]
    page = f"work/{reference}"
    console.done(f"{page}/decide", page, id="e1", event="accept", reason="it is ours")
    assert console.rows("work/?by=ann") == ["Work on the problem"]


def test_an_order_that_waits_does_not_hold_the_next_up(supplier: Supplier) -> None:
    problem = supplier.opened()
    to_people(supplier, problem)
    to_people(supplier, problem)
    found = supplier.services.store.read(lambda uow: WorkItemRepository(uow).waiting(9))
    assert [each.reference for each in found] == [problem.reference]


# -- roles


def test_a_later_order_shows_its_own_kind_but_in_the_place_of_work(supplier: Supplier) -> None:
    """An adapter of one's own may leave orders of every kind to people."""
    problem = supplier.opened()
    stored = supplier.stored(problem.id)
    order = WorkOrder(
        id="order-1",
        kind=Notice.EVENT,
        tenant=problem.tenant,
        reference=problem.reference,
        issued=to_wire(supplier.business.now(problem.tenant)),
        standing="ACKNOWLEDGED",
        decide=False,
        problem={},
    )
    shown = []
    kinds: tuple[OrderKind, ...] = (
        Notice.EVENT,
        Notice.INCIDENT_JOINED,
        Operation.PROBLEM,
        Notice.INCIDENT_LEFT,
    )
    for number, kind in enumerate(kinds):
        later = replace(order, id=f"order-{number}", kind=kind)
        supplier.services.store.write(
            lambda uow, later=later: WorkItemRepository(uow).add(stored.id, later)  # type: ignore[misc]
        )
        found = supplier.services.store.read(
            lambda uow: WorkItemRepository(uow).find(problem.reference)
        )
        assert found is not None
        shown.append((found.message, found.kind))

    assert shown == [
        ("order-0", Notice.EVENT),
        ("order-1", Notice.INCIDENT_JOINED),
        ("order-2", Operation.PROBLEM),
        ("order-3", Operation.PROBLEM),
    ]


def test_a_viewer_looks_and_does_nothing(supplier: Supplier, console: Later) -> None:
    reference = undecided(supplier)
    page = f"work/{reference}"
    console.be("vera", Role.VIEWER)
    assert "What to do" not in console.get(page)
    for act in ("take", "hand-back", "done", "decide"):
        assert "this needs the role operator" in console.refused(f"{page}/{act}", page, 403)
    console.be("olga", Role.OPERATOR)
    console.done(f"{page}/take", page)


def test_what_nobody_waits_for_is_not_found(console: Later) -> None:
    assert "SP_NOTHING waits for nobody" in console.get("work/SP_NOTHING", 404)
