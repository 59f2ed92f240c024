"""The page Back office: adapter, tickets apart, inbox, mapping, comparison, incidents."""

from collections.abc import Callable, Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from supplier_api.backoffice.mapping_values import MappingFailed
from supplier_api.backoffice.port import AdapterOptions, OrderAnswer, UnknownAdapter, WorkOrder
from supplier_api.console.access import Role
from supplier_api.console.context import EXTENSION, ConsoleContext
from supplier_api.db import UnitOfWork
from supplier_api.db.operator_actions import Action, OperatorActionRepository
from supplier_api.operations.processes import (
    RECONCILED,
    Process,
    ProcessKind,
    ProcessRepository,
)
from supplier_api.problems.backoffice_events import BackOfficeEvents
from supplier_api.problems.inbox_repository import InboxRepository, InboxState
from supplier_api.problems.repository import ProblemRepository
from supplier_api.problems.snapshot import Snapshot, TicketState, Wanted
from supplier_api.problems.snapshots import SnapshotResult, Snapshots
from tests.integration.console.pages import Console, plain
from tests.supplier import Problem, Supplier, on_sqlite

PERSON = "Mrs MARKER is not in"
WHY = {"reason": "it is mended"}
TICKETS = "back-office/tickets"
COMPARE = "back-office/comparison"


class Desk:
    """A ticket system; `tickets` are what they are now, `fault` is raised by every call."""

    def __init__(self) -> None:
        self.tickets: dict[str, Snapshot] = {}
        self.fault: Exception | None = None

    def submit(self, order: WorkOrder) -> OrderAnswer:  # noqa: ARG002 - the port's
        return OrderAnswer()

    def ping(self) -> str:
        self._fail()
        return "desk 7"

    def read(self, ticket: str) -> Snapshot | None:
        self._fail()
        return self.tickets.get(ticket)

    def parse(self, headers: Mapping[str, str], body: bytes) -> list[Snapshot]:  # noqa: ARG002
        if body == b"[]":
            raise MappingFailed("ticket", "there is no ticket")
        return [Snapshot("T-1", 3, "Working", Wanted(TicketState.HELD, text=PERSON))]

    def _fail(self) -> None:
        if self.fault:
            raise self.fault


class Plain:
    """An adapter that can do nothing but take orders."""

    submit = Desk.submit


@pytest.fixture
def give(app: Flask) -> Iterator[Callable[[Callable[[], object]], None]]:
    """Return a function that gives the console another adapter."""
    context: ConsoleContext = app.extensions["console"].extensions[EXTENSION]
    own = context.back_office
    yield lambda load: object.__setattr__(context, "back_office", load)
    object.__setattr__(context, "back_office", own)


@pytest.fixture
def desk(give: Callable[[Callable[[], object]], None]) -> Desk:
    """Return the ticket system that the console's adapter works with."""
    desk = Desk()
    give(lambda: desk)
    return desk


@pytest.fixture
def problem(supplier: Supplier) -> Problem:
    """Return a problem whose order the desk has taken, with the ticket T-1."""
    problem = supplier.opened()

    def work(uow: UnitOfWork) -> None:
        stored = ProblemRepository(uow).lock(supplier.stored(problem.id).id)
        stored.back_office_id = "T-1"
        ProblemRepository(uow).save(stored)
        uow.connection.exec_driver_sql("UPDATE message SET state = 'delivered'")

    supplier.services.store.write(work)
    return problem


def snapshot(version: int, state: TicketState, **more: Any) -> Snapshot:
    return Snapshot("T-1", version, state.title(), Wanted(state, **more), url="https://desk/T-1")


def last_action(supplier: Supplier, name: str) -> Action | None:
    return supplier.services.store.read(lambda uow: OperatorActionRepository(uow).last(name))


def received(supplier: Supplier, body: bytes, *, failed: bool = False) -> int:
    """Put a webhook into the inbox; return its number."""
    now = supplier.machine.now()

    def work(uow: UnitOfWork) -> int:
        inbox = InboxRepository(uow)
        assert inbox.add("desk", sha256(body).hexdigest(), {"x-event": "changed"}, body, now)
        webhook = inbox.newest(None, 1)[0]
        if failed:
            inbox.settle(webhook, InboxState.FAILED, now, "not understood: status: is empty")
        return webhook.id

    return supplier.services.store.write(work)


# -- the adapter


def test_the_adapter_says_what_it_can_and_what_it_is_given(console: Console) -> None:
    page = console.get("back-office/")
    assert "Adapter simulated Package built in Pace of the simulated one manual" in page
    assert "ping no its system can be tried" in page
    assert "problem yes" in page
    assert "change-closed no, it does not want them" in page
    assert "Ping Calls" not in page
    assert "no `ping`" in console.refused("back-office/ping", TICKETS, 409)


@pytest.mark.usefixtures("desk")
def test_what_it_can_is_shown_and_it_is_pinged(console: Console, desk: Desk) -> None:
    assert "read yes a single ticket can be looked at" in console.get("back-office/")
    assert "The back office answers: desk 7" in console.done("back-office/ping", "back-office/")
    desk.fault = ConnectionRefusedError(PERSON)
    refused = console.refused("back-office/ping", "back-office/", 502)
    assert "connection refused" in refused
    assert PERSON not in refused
    console.be("vic", Role.VIEWER)
    assert "Calls the back office" not in console.get("back-office/")
    console.refused("back-office/ping", TICKETS, 403)


@on_sqlite
def test_an_adapter_that_cannot_be_loaded_is_told(
    console: Console, give: Callable[[Callable[[], object]], None]
) -> None:
    for fault, told in (
        (UnknownAdapter("backoffice.adapter: x is not published"), "x is not published"),
        (RuntimeError(PERSON), "the adapter simulated raised RuntimeError"),
    ):

        def load(fault: Exception = fault) -> object:
            raise fault

        give(load)
        page = console.get("back-office/")
        assert told in page
        assert PERSON not in page
        assert told in console.refused("back-office/ping", TICKETS, 409)


@on_sqlite
def test_its_options_are_shown_with_secrets_masked(app: Flask, console: Console) -> None:
    class Options(AdapterOptions):
        url: str = "https://jo:hush@desk.example/api"
        seconds: float = 3

    context: ConsoleContext = app.extensions["console"].extensions[EXTENSION]
    back_office = context.settings.backoffice.model_copy(update={"options": Options()})
    settings = context.settings.model_copy(update={"backoffice": back_office})
    own = context.settings
    object.__setattr__(context, "settings", settings)
    try:
        page = console.get("back-office/")
    finally:
        object.__setattr__(context, "settings", own)
    assert "url https://jo:********@desk.example/api seconds 3" in page


# -- tickets apart


@pytest.fixture
def apart(supplier: Supplier, problem: Problem) -> Problem:
    """Return a problem whose ticket says what does not fit, and what somebody wrote."""
    events = BackOfficeEvents(supplier.services)
    taken = Snapshots(supplier.services, events).take(
        snapshot(2, TicketState.REJECTED, text=PERSON)
    )
    assert taken is SnapshotResult.APART
    return problem


def test_a_ticket_apart_is_shown_masked_with_its_problem(console: Console, apart: Problem) -> None:
    html = console.html(TICKETS)
    assert "T-1" in html
    assert 'href="https://desk/T-1"' in html
    assert f'href="/console/problems/{apart.reference}"' in html
    assert PERSON not in html
    assert "[personal]" in html
    assert "1 ticket is apart" in console.get("back-office/")


def test_a_ticket_that_fits_now_is_together_again(
    supplier: Supplier, console: Console, apart: Problem, desk: Desk
) -> None:
    assert "no ticket T-1 any more" in console.refused(TICKETS, TICKETS, 409, ticket="T-1", **WHY)
    desk.tickets["T-1"] = snapshot(2, TicketState.REJECTED, text=PERSON)
    assert "The ticket T-1 is still apart." in console.done(TICKETS, TICKETS, ticket="T-1", **WHY)
    desk.tickets["T-1"] = snapshot(3, TicketState.IN_PROGRESS)
    assert "T-1 is followed now" in console.done(TICKETS, TICKETS, ticket="T-1", **WHY)
    assert str(supplier.stored(apart.id).state) == "IN_PROGRESS"
    found = last_action(supplier, "ticket read")
    assert found
    assert (found.who, found.reason, found.tenant) == ("ann", "it is mended", apart.tenant)
    assert found.detail == {"ticket": "T-1", "was": "no-way", "result": "applied"}
    # Somebody else was quicker: nothing is done twice.
    refused = console.refused(TICKETS, TICKETS, 409, ticket="T-1", **WHY)
    assert "the ticket T-1 is not apart any more" in refused


@pytest.mark.usefixtures("apart")
def test_looking_again_needs_a_reason_a_role_and_an_adapter_that_can(
    console: Console, give: Callable[[Callable[[], object]], None]
) -> None:
    assert "reason: expected" in console.refused(TICKETS, TICKETS, 422, ticket="T-1")
    give(Plain)
    assert "cannot show its tickets" in console.refused(TICKETS, TICKETS, 409, ticket="T", **WHY)
    console.be("vic", Role.VIEWER)
    assert "Look at a ticket again" not in console.get(TICKETS)
    console.refused(TICKETS, TICKETS, 403, ticket="T-1", **WHY)


# -- the inbox


def test_webhooks_are_listed_by_their_state(supplier: Supplier, console: Console) -> None:
    assert "There are none." in console.get("back-office/inbox")
    failed, waits = received(supplier, b"[]", failed=True), received(supplier, b"{}")
    console.be("olga", Role.OPERATOR)
    page = console.get("back-office/inbox")
    assert f"{failed} failed" in page
    assert f"{waits} queued" in page
    assert f"{waits} queued" not in console.get("back-office/inbox?state=failed")
    html = console.html("back-office/inbox?state=all")
    assert html.index(f"/inbox/{waits}") < html.index(f"/inbox/{failed}")
    older = console.html(f"back-office/inbox?state=all&before={waits}")
    assert f"/inbox/{waits}" not in older
    assert "expected one of" in console.get("back-office/inbox?state=x", 422)
    assert "1 webhook could not be applied" in console.get("back-office/")


@on_sqlite
def test_long_lists_are_cut(
    supplier: Supplier, console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, last = received(supplier, b"1"), received(supplier, b"2")
    monkeypatch.setattr("supplier_api.console.pages.back_office.inbox.AT_ONCE", 1)
    assert "There are more: the oldest are listed." in console.get("back-office/inbox")
    html = console.html("back-office/inbox?state=all")
    assert f"before={last}" in html
    assert f"/inbox/{first}" not in html


@pytest.mark.usefixtures("desk")
def test_a_webhook_is_shown_without_what_is_written_in_it(
    supplier: Supplier, console: Console
) -> None:
    body = f'{{"caller": ["{PERSON}", 7700900], "open": true}}'.encode()
    number = received(supplier, body)
    page = console.get(f"back-office/inbox/{number}")
    assert '"ticket": "T-1"' in page
    assert '"text": "[personal]"' in page
    assert '"caller": [ "[personal]", "[personal]" ], "open": true' in page
    assert PERSON not in page
    assert "7700900" not in page
    assert "there is no webhook 999" in console.get("back-office/inbox/999", 404)


@pytest.mark.usefixtures("desk")
def test_a_webhook_is_shown_as_it_came_to_who_says_why(
    supplier: Supplier, console: Console
) -> None:
    number = received(supplier, PERSON.encode())
    assert f"{len(PERSON)} bytes: " in console.get(f"back-office/inbox/{number}")
    page = f"back-office/inbox/{number}"
    assert "reason: expected" in console.refused(f"{page}/body", page, 422)
    shown = console.send(f"{page}/body", page, **WHY)
    assert PERSON in shown.text
    assert shown.headers["Cache-Control"] == "no-store"
    found = last_action(supplier, "inbox unmask")
    assert found
    assert (found.who, found.reason) == ("ann", "it is mended")
    console.be("vic", Role.VIEWER)
    console.refused(f"{page}/body", page, 403, **WHY)


@pytest.mark.usefixtures("desk")
def test_webhooks_are_replayed_and_skipped(supplier: Supplier, console: Console) -> None:
    number = received(supplier, b"[]", failed=True)
    page = f"back-office/inbox/{number}"
    assert "there is no ticket" in console.get(page)
    assert "failed before, queued and due now" in console.done(f"{page}/replay", page, **WHY)
    assert "queued before, skipped now" in console.done(f"{page}/skip", page, **WHY)
    assert "Skip it" not in console.get(page)
    refused = console.refused(f"{page}/skip", page, 409, **WHY)
    assert f"webhook {number} is skipped: no skip; possible: show, replay" in refused
    gone = console.refused("back-office/inbox/999/replay", page, 404, **WHY)
    assert "there is no webhook 999" in gone
    found = last_action(supplier, "inbox skip")
    assert found
    assert found.who == "ann"


# -- the mapping


@on_sqlite
def test_the_mapping_is_checked(
    console: Console, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    page = "supplier_api.console.pages.back_office.mapping.configured_mapping"
    monkeypatch.setattr(page, lambda _: None)
    assert "There is no mapping" in console.get("back-office/mapping")
    own = Path("supplier_api/sandbox/sample_desk/mapping.yaml").resolve()
    monkeypatch.setattr(page, lambda _: own)
    shown = console.get("back-office/mapping")
    assert "Working IN_PROGRESS accept (commit) start = resume resume =" in shown
    assert "Approved accepts it" in shown
    assert "samples: none shows New" in shown
    wrong = tmp_path / "mapping.yaml"
    wrong.write_text("version: <b>\n", encoding="utf-8")
    monkeypatch.setattr(page, lambda _: wrong)
    html = console.html("back-office/mapping")
    assert "cannot be used" in html
    assert "version: &lt;b&gt;" in html


# -- the comparison


@pytest.mark.usefixtures("problem")
def test_problems_are_compared_and_what_tickets_say_is_applied(
    supplier: Supplier,
    console: Console,
    problem: Problem,
    desk: Desk,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    desk.tickets["T-1"] = snapshot(5, TicketState.IN_PROGRESS)
    looked = plain(console.send(COMPARE, COMPARE, do="look").text)
    assert "1 problem was compared, the last of those that are open; 1 differs." in looked
    assert f"{problem.reference} ACKNOWLEDGED T-1 In_Progress behind start" in looked
    assert last_action(supplier, "ticket applied") is None
    assert "reason: expected" in console.refused(COMPARE, COMPARE, 422, do="fix")
    with monkeypatch.context() as broken:
        # Without the record nothing is done.
        broken.delattr(OperatorActionRepository, "add")
        console.refused(COMPARE, COMPARE, 502, do="fix", **WHY)
    assert str(supplier.stored(problem.id).state) == "ACKNOWLEDGED"
    fixed = plain(console.send(COMPARE, COMPARE, do="fix", **WHY).text)
    assert "1 differs, of which 1 were mended" in fixed
    assert str(supplier.stored(problem.id).state) == "IN_PROGRESS"
    found = last_action(supplier, "ticket applied")
    assert found
    assert (found.who, found.reason) == ("ann", WHY["reason"])
    assert found.detail == {"ticket": "T-1", "events": ["start"]}
    page = console.get(f"problems/{problem.reference}")
    assert "ann had it compared with its ticket, and what that says applied" in page


@on_sqlite
def test_many_are_compared_part_by_part(
    supplier: Supplier, console: Console, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("supplier_api.console.pages.back_office.comparison.MOST", 1)
    for number in (1, 2):
        supplier.opened(id=number, serviceId=f"SI000000000001{number}")
    first = console.send(COMPARE, COMPARE, do="look").text
    assert "1 problem was compared; " in plain(first)
    behind = first.partition('name="after" value="')[2].partition('"')[0]
    rest = plain(console.send(COMPARE, COMPARE, do="look", after=behind).text)
    assert "1 problem was compared, the last of those that are open" in rest
    assert desk.tickets == {}


@on_sqlite
@pytest.mark.usefixtures("problem")
def test_what_an_adapter_raises_is_told_by_its_name(
    console: Console, desk: Desk, give: Callable[[Callable[[], object]], None]
) -> None:
    desk.fault = RuntimeError(PERSON)
    assert "T-1 unreadable runtime error" in plain(console.send(COMPARE, COMPARE, do="look").text)
    refused = console.refused(TICKETS, TICKETS, 502, ticket="T-1", **WHY)
    assert "the adapter simulated raised RuntimeError" in refused
    assert PERSON not in refused
    give(Plain)
    assert "cannot show its tickets" in console.refused(COMPARE, COMPARE, 409, do="look")


def test_the_last_comparison_of_a_worker_is_shown(supplier: Supplier, console: Console) -> None:
    assert "No worker has compared anything yet." in console.get(COMPARE)
    now = supplier.machine.now()
    finding = {
        "reference": "SP_123456",
        "state": "HELD",
        "drift": "gone",
        "ticket": "T-7",
        "status": None,
        "reason": "",
    }
    last = {"at": "2026-01-05T12:00:00.000Z", "applied": 2, "left": 1, "findings": [finding]}
    worker = Process("w/1", ProcessKind.WORKER, "1", None, now, now, detail={RECONCILED: last})
    supplier.services.store.write(lambda uow: ProcessRepository(uow).save(worker))
    console.be("vic", Role.VIEWER)
    page = console.get(COMPARE)
    assert "Last compared 2026-01-05 12:00:00 : 1 differs, 2 were mended." in page
    assert "SP_123456 HELD T-7 gone" in page
    assert "Compare now" not in page


# -- incidents


def test_an_incident_is_declared_watched_and_ended(supplier: Supplier, console: Console) -> None:
    problem = supplier.opened(id=1, serviceId="SI0000000000011")
    other = supplier.opened(id=2, serviceId="SI0000000000012")
    supplier.deliver()
    form = {
        "id": "INC1",
        "services": "SI0000000000011\r\nSI0000000000099",
        "problems": other.reference,
        "scopes": "exchange=LEEDS\r\n\r\narea=NORTH",
        "reason": "A cable was cut.",
    }
    page = console.done("back-office/incidents", "back-office/incidents", **form)
    assert "INC1 is declared." in page
    assert "problems are joining" in page
    supplier.pass_days(0)
    console.be("olga", Role.OPERATOR)
    page = console.get("back-office/incidents/INC1")
    assert "A cable was cut." in page
    assert f"{problem.reference} TENANT1 SI0000000000011 NETWORK_INCIDENT yes KCI 1" in page
    assert f"{other.reference} TENANT1 SI0000000000012" in page
    again = console.done("back-office/incidents", "back-office/incidents", **form)
    assert "INC1 was declared before." in again
    assert "INC1 lasts" in console.get("back-office/incidents")
    assert "area=NORTH, exchange=LEEDS" in page
    declared = last_action(supplier, "incident declare")
    assert declared
    assert (declared.who, declared.reason) == ("ann", "")
    ended = console.done(
        "back-office/incidents/INC1", "back-office/incidents/INC1", reason="It is mended."
    )
    assert "its problems go on where they stood" in ended
    found = last_action(supplier, "incident end")
    assert found
    assert (found.who, found.reason) == ("olga", "It is mended.")
    supplier.pass_days(0)
    page = console.get("back-office/incidents/INC1")
    for each, service in ((problem, "SI0000000000011"), (other, "SI0000000000012")):
        left = f"{each.reference} TENANT1 {service} ACKNOWLEDGED until 20"
        assert left in page
    refused = console.refused(
        "back-office/incidents/INC1", "back-office/incidents", 409, reason="again"
    )
    assert "INC1 ended on " in refused


@on_sqlite
def test_what_is_no_incident_is_refused(console: Console) -> None:
    incidents = "back-office/incidents"
    assert "there is no incident INC9" in console.get(f"{incidents}/INC9", 404)
    unknown = console.refused(f"{incidents}/INC9", incidents, 404, **WHY)
    assert "there is no incident INC9" in unknown
    for form, told in (
        ({"id": "INC1", **WHY}, "services"),
        ({"id": "INC1", "services": "SI1", "reason": ""}, "reason: expected"),
        ({"id": "INC1", "problems": "SP_NOBODY", **WHY}, "problems"),
        ({"id": "INC1", "scopes": "LEEDS", **WHY}, "scopes[0].kind"),
    ):
        assert told in console.refused(incidents, incidents, 422, **form)
    console.be("vic", Role.VIEWER)
    assert "Declare an incident" not in console.get(incidents)
    console.refused(incidents, incidents, 403, id="INC1", services="SI1", **WHY)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("inbox?before=99999999999999999999", 422),
        ("inbox?before=x", 422),
        ("inbox/99999999999999999999", 404),
        ("incidents/INC%00", 400),
    ],
)
def test_numbers_and_names_that_no_page_wrote_are_refused(
    console: Console, path: str, status: int
) -> None:
    assert "failed" not in console.get(f"back-office/{path}", status).partition("Back office")[2]
