"""Personal data and free text are gone after their time: from every row, and from the files."""

import re
import subprocess
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import JSON, LargeBinary, String, Text, cast, delete, make_url, select, update

from supplier_api.contract.personal import PERSONAL_FIELDS, STORED
from supplier_api.db import UnitOfWork, tables
from supplier_api.db.operator_actions import ERASED, Operator, OperatorActionRepository
from supplier_api.delivery.message_admin import MessageAdmin
from supplier_api.delivery.model import Meaning, Reply
from supplier_api.delivery.pause_admin import PauseAdmin, PauseScope
from supplier_api.operations.privacy import erase
from supplier_api.operations.retention import RetentionChore, RetentionPolicy
from supplier_api.outbox.repository import LaneRepository
from supplier_api.problems.inbox_repository import InboxRepository, InboxState
from supplier_api.problems.incidents import Incidents
from supplier_api.problems.repository import ProblemRepository
from supplier_api.problems.services import GATEWAY
from supplier_api.problems.snapshot import Snapshot, TicketState, Wanted
from supplier_api.problems.ticket_repository import TicketRepository
from supplier_api.problems.timer_repository import Timer, TimerRepository
from supplier_api.problems.view import show
from supplier_api.rules.model import Operation
from supplier_api.sandbox.scenarios.catalogue import DEFAULT
from supplier_api.sandbox.scenarios.model import Play
from supplier_api.sandbox.scenarios.source import ScenarioRepository
from supplier_api.settings import Settings
from tests import postgresql
from tests.integration.journey import MARKER, Journey
from tests.supplier import DEFERRED, Problem, Supplier

MARKED = re.compile(MARKER.encode(), re.IGNORECASE)
PATIENCE = 20.0  # seconds of real time
SAID = {
    "problemCode": "OTHER",
    "text": f"{MARKER} was out",
    "note": {"note": f"{MARKER} called", "type": f"{MARKER}'s note"},
}


def contents(url: str) -> bytes:
    """Return all bytes that are kept of a database: its files, or what pg_dump writes."""
    if url.startswith("sqlite"):
        file = Path(make_url(url).database or "")
        return b"".join(each.read_bytes() for each in file.parent.glob(f"{file.name}*"))
    plain = url.replace("postgresql+psycopg://", "postgresql://")
    words = [postgresql.program("pg_dump"), "--inserts", f"--dbname={plain}"]
    return subprocess.run(words, check=True, capture_output=True).stdout


def changes(journey: Journey) -> Problem:
    """Ask for changes that are left open; one is refused, one done, and the last ends it."""
    supplier, problem = journey.supplier, journey.opened(DEFERRED)
    for ask, request, event in (
        (supplier.amend, journey.amendment, "reject-change"),
        (supplier.amend, journey.amendment, "accept-change"),
        (supplier.cancel, journey.cancellation, "accept-change"),
    ):
        asked = journey.expect(202, ask(request(problem), tenant=DEFERRED)).get_json()
        reference = asked["supplierReference"]
        said = supplier.event(problem.reference, event, changeReference=reference, **SAID)
        journey.expect(200, said)
        supplier.deliver()
    return problem


def course(journey: Journey) -> Problem:
    """Say all that a back office may say, mend what the gateway refuses, settle it twice."""
    supplier, problem = journey.supplier, journey.opened()
    repair = MessageAdmin(supplier.services)
    why = Operator("jo", f"{MARKER} rang")
    refused = Reply(Meaning.REFUSED, "422", 422, refusal={"messages": [MARKER]})
    pausing = PauseAdmin(supplier.services, timedelta(seconds=60))
    pausing.pause(PauseScope(problem=problem.reference), "jo", f"{MARKER} rang")
    pausing.resume(PauseScope(problem=problem.reference), "jo", f"{MARKER} rang")
    for event in ("hold", "ask-information", "ask-appointment", "warn", "note"):
        number = len(supplier.kcis(problem)) + 1
        supplier.answers[number] = refused
        journey.expect(200, supplier.event(problem.reference, event, **SAID))
        supplier.deliver()
        del supplier.answers[number]
        name = f"{problem.reference}#{number}"
        if event == "hold":
            repair.skip(GATEWAY, name, why)
        else:
            repair.edit(name, lambda body: {**body, "text": f"{MARKER} again"}, why)
        supplier.deliver()
    fixed = {"resolutionCode": "OTHER", "resolutionText": f"{MARKER} is happy"}
    for word in ("REJECTED", "ACCEPTED"):
        said = supplier.event(problem.reference, "resolve", resolution=fixed, **SAID)
        journey.expect(200, said)
        supplier.deliver()
        reference = supplier.kcis(problem)[-1]["serviceProblemResolution"]["supplierReference"]
        note = {"tenantNotes": f"{MARKER} says {word}"}
        journey.expect(200, supplier.settle(reference, word, **note))
    return problem


def passed_over(journey: Journey) -> Problem:
    """Leave a dead letter behind that later updates have passed."""
    supplier, problem = journey.supplier, journey.opened()
    journey.expect(200, supplier.event(problem.reference, "note", **SAID))
    journey.expect(200, supplier.event(problem.reference, "cancel", **SAID))
    supplier.deliver()
    first = supplier.services.store.read(
        lambda uow: LaneRepository(uow).messages_of(problem_row(uow, problem))
    )
    dead = update(tables.message).where(tables.message.c.id == first[0]["id"])
    values = {"state": "refused", "refusal": {"messages": [MARKER]}}
    supplier.services.store.write(lambda uow: uow.connection.execute(dead.values(values)))
    return problem


def problem_row(uow: UnitOfWork, problem: Problem) -> int:
    found = ProblemRepository(uow).find(problem.tenant, problem.id)
    assert found is not None
    return found


def around(journey: Journey, problem: Problem, hooked: str = MARKER) -> None:
    """Leave what belongs to no course of a problem, or should be gone by itself."""
    supplier = journey.supplier
    journey.expect(422, supplier.create(journey.request(serviceId="SI0000000000001")))
    incidents = Incidents(supplier.services)
    incidents.declare("INC1", ["SI9"], f"{MARKER} cut the cable")
    incidents.end("INC1")
    store, now = supplier.services.store, supplier.business.now("") + timedelta(days=900)

    def leave(uow: UnitOfWork) -> None:
        row = problem_row(uow, problem)
        TimerRepository(uow).add(Timer(row, problem.tenant, "event", now, data={"text": MARKER}))
        scenario = update(tables.service_problem).where(tables.service_problem.c.id == row)
        uow.connection.execute(scenario.values(scenario={"text": MARKER}))
        plays = {Operation.PROBLEM: Play(DEFAULT, {"text": MARKER})}
        said = Snapshot("T-1", 1, "Some", Wanted(TicketState.HELD, text=MARKER))
        TicketRepository(uow, "").set_apart(said, row, "over", "It is over.", now)
        came = supplier.machine.now()
        InboxRepository(uow).add("desk", "1", {}, hooked.encode(), came)
        (webhook,) = InboxRepository(uow).due(came, 1)
        InboxRepository(uow).settle(webhook, InboxState.APPLIED, came)
        ScenarioRepository(uow).keep(problem.tenant, Operation.PROBLEM, problem.id, plays)

    store.write(leave)


def test_nothing_personal_is_left_in_any_row_or_file(
    supplier: Supplier, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    journey = Journey(supplier, monkeypatch)
    problems = [changes(journey), course(journey), passed_over(journey)]
    around(journey, problems[0])
    supplier.deliver_orders()
    url = settings.database.url
    held = marked_columns(supplier)
    # Traces, facts and these answers hide it by themselves.
    hides = {"decision.trace", "decision.facts", "back_office_event.body"}
    assert held == {it.column for it in STORED} - hides

    supplier.machine.advance(91 * 86400)
    counts = RetentionChore(supplier.services, RetentionPolicy.of(settings)).run()

    assert counts["thinned"] == 3
    assert counts["incidents_thinned"] == 1
    assert marked_columns(supplier) == set()
    kept = contents(url)
    assert [kept[at.start() - 99 : at.end() + 99] for at in MARKED.finditer(kept)] == []
    # People still see what there was, and what cannot be sent again is not offered.
    for problem in problems:
        stored = supplier.stored(problem.id, problem.tenant)
        shown = supplier.services.store.read(partial(show, problem=stored))
        assert len(shown["timeline"]) > 2
        assert stored.document["serviceSpecification"]["id"] == "ftthl2r"
        assert not stored.document.keys() & PERSONAL_FIELDS


def test_nothing_personal_is_left_of_erased_problems_in_any_row_or_file(
    supplier: Supplier, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    journey = Journey(supplier, monkeypatch)
    problems = [changes(journey), course(journey), passed_over(journey)]
    webhook = f'{{"ticket": "{problems[0].reference}", "says": "{MARKER}"}}'
    around(journey, problems[0], webhook)
    supplier.deliver_orders()
    unreadable = {**journey.request(), "id": problems[1].id, "problemType": 7}
    journey.expect(400, supplier.create(unreadable))
    assert supplier.app.extensions["recorder"].flush(PATIENCE)
    # What is about no problem goes by its age alone.
    of_none = update(tables.incident).values(text=None)
    supplier.services.store.write(lambda uow: uow.connection.execute(of_none))
    entry = cast(tables.journal.c.entry, Text)
    refused = delete(tables.journal).where(entry.contains("SI0000000000001"))
    supplier.services.store.write(lambda uow: uow.connection.execute(refused))
    held = marked_columns(supplier)
    assert {"message.body", "inbox.body", "journal.entry", "operator_action.reason"} <= held

    done = []
    for problem in problems:
        stored = supplier.stored(problem.id, problem.tenant)
        done.append(erase(supplier.services, stored.id, Operator("dpo", "request 17")))

    assert held <= {column for each in done for column in each.removed}
    assert all(each.emptied for each in done)
    assert marked_columns(supplier) == set()
    kept = contents(settings.database.url)
    assert [kept[at.start() - 99 : at.end() + 99] for at in MARKED.finditer(kept)] == []
    # The record says who, why and how much.
    acts = supplier.services.store.read(
        lambda uow: OperatorActionRepository(uow).recent(action=ERASED, limit=9)
    )
    assert [(each.who, each.reason) for _, each in acts] == [("dpo", "request 17")] * 3
    assert [each.detail for _, each in reversed(acts)] == [{"removed": it.removed} for it in done]


def marked_columns(supplier: Supplier) -> set[str]:
    """Return the columns in which the marker stands."""

    def look(uow: UnitOfWork) -> set[str]:
        return {
            f"{table.name}.{name}"
            for table in tables.metadata.sorted_tables
            for row in uow.connection.execute(select(table)).mappings()
            for name, value in row.items()
            if MARKED.search(str(value).encode())
        }

    return supplier.services.store.read(look)


# Columns of texts and documents in which nothing personal and no free text of others can stand.
PLAIN = {
    "decision.reasons",  # the rule book's words, which may name no personal field
    "fault.operations",
    "fault.parameters",  # of testers, for the future
    "inbox.error",  # words of ours
    "inbox.headers",  # ids and signatures
    "message.log",  # codes and words of ours: test_privacy
    "metric_sample.counts",  # numbers
    "operator_action.detail",
    "process.detail",
    "resolution.sla_violation",  # codes
    "scenario_default.scenarios",  # of testers, for the future
    "service_problem.left_out",  # words of ours
    "signing_key.private_pem",
    "switch.reason",  # while it is on
    "tenant_setting.destination",
    "ticket_apart.reason",  # words of ours; it goes with its row
    "journal.ids",
}


def test_every_column_of_texts_is_known_to_retention() -> None:
    texts = {
        f"{table.name}.{column.name}"
        for table in tables.metadata.sorted_tables
        for column in table.columns
        if isinstance(column.type, JSON | LargeBinary | Text) and not isinstance(column.type, str)
        if not (isinstance(column.type, String) and column.type.length)
    }
    listed = {each.column for each in STORED}
    assert texts == listed | PLAIN
    assert not listed & PLAIN
