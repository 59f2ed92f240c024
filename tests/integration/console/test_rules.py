"""The page Rules: the book, what it did, a request to try, a draft to judge."""

import json
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from supplier_api.app.rule_upkeep import RuleUpkeep
from supplier_api.console.access import Role
from supplier_api.console.context import EXTENSION, ConsoleContext
from supplier_api.console.pages.rules import draft as draft_page
from supplier_api.db import UnitOfWork
from supplier_api.db.tables import decision
from supplier_api.operations.processes import (
    NOT_LOADED,
    Process,
    ProcessKind,
    ProcessRepository,
)
from supplier_api.settings import Settings
from tests.integration.console.pages import Console, plain
from tests.samples import problem_request
from tests.supplier import Supplier, on_sqlite

CEASED = "SI0000000000001"
NO_CPE = """
  - id: no-cpe
    description: Trouble with equipment is not ours.
    applies_to: [problem]
    when: request.problemType == "CPE"
    then: reject
    code: REJECTION
    message: "problemType: {request.problemType} is not ours"
"""


@pytest.fixture
def history(supplier: Supplier) -> None:
    """Have three requests decided on, of which one is refused."""
    supplier.opened(id=1, problemType="CPE", serviceId="SI0000000000011")
    supplier.create(problem_request(id=2, problemType="CPE", serviceId=CEASED))
    supplier.opened(id=3, problemType="OUTAGE", serviceId="SI0000000000016")


def book_text(settings: Settings) -> str:
    return settings.rules.file.read_text(encoding="utf-8")


def stored(supplier: Supplier) -> int:
    """Return how many decisions are stored."""
    return supplier.services.store.read(
        lambda uow: len(uow.connection.execute(decision.select()).all())
    )


# -- the book


@pytest.mark.usefixtures("history")
def test_the_book_is_shown_as_it_is_read(supplier: Supplier, console: Console) -> None:
    page = console.get("rules/")
    upkeep: RuleUpkeep = supplier.app.extensions["upkeep"]
    assert upkeep.rule_evaluator.book_version in page
    assert "service-not-live The service was ceased, or is suspended. problem" in page
    assert 'service.known && service.state != "live" reject INVALID_REQUEST' in page
    assert "counted in the newest 3 decisions" in page
    assert "Only records here: it decides nothing." in page
    # What the test's own tenants are answered is a rule of the book too.
    assert 'commits For a test, work begins at once. problem tenant == "TENANT_COMMITTED"' in page
    assert "problem acknowledge" in page


def test_a_long_book_is_shown_in_pieces(console: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("supplier_api.console.pages.rules.book.RULES_AT_ONCE", 5)
    first, second = console.html("rules/"), console.html("rules/?from=5")
    assert 'id="service-unknown"' in first
    assert 'id="service-unknown"' not in second
    assert "/console/rules/?from=5" in first
    assert "Rules before" in plain(second)


def test_who_uses_which_version_and_what_is_refused_is_shown(
    supplier: Supplier, console: Console
) -> None:
    now = supplier.machine.now()
    since = "2026-01-05T12:00:00.000Z"
    refused = {NOT_LOADED: {"rules": {"since": since, "why": "rules.yaml:3:1: no <b>"}}}
    other = Process("b/2", ProcessKind.WORKER, "1", "0ther", now, now)
    kept = Process("a/1", ProcessKind.WEB, "1", "kept", now, now, detail=refused)

    def work(uow: UnitOfWork) -> None:
        ProcessRepository(uow).save(other)
        ProcessRepository(uow).save(kept)

    supplier.services.store.write(work)
    console.be("vic", Role.VIEWER)
    html = console.html("rules/")
    assert "a/1 does not use the new file since 2026-01-05 12:00:00" in plain(html)
    assert "rules.yaml:3:1: no &lt;b&gt;" in html
    assert "worker b/2 0ther another version than here" in plain(html)


# -- what it did


@pytest.mark.usefixtures("history")
def test_hits_are_counted_within_a_span(supplier: Supplier, console: Console) -> None:
    page = console.get("rules/hits")
    assert "3 decisions of the last 7 days: all there are." in page
    assert "service-not-live 1 0 2 0 0" in page
    supplier.machine.advance(2 * 86400)
    assert "0 decisions of the last 1 day" in console.get("rules/hits?days=1")
    assert "most: expected one of 1000, 2000, 10000" in console.get("rules/hits?most=1", 422)


@pytest.mark.usefixtures("history")
def test_the_newest_decisions_count_where_there_are_more(
    console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("supplier_api.console.pages.rules.history.MOST", (1, 2))
    page = console.get("rules/hits?most=1")
    assert "1 decision, the newest: there are more in the last 7 days." in page
    assert "service-not-live 0 0 1 0 0" in page


@pytest.mark.usefixtures("history")
def test_a_rule_that_only_records_tells_what_it_would_have_done(console: Console) -> None:
    page = console.get("rules/audited/has-worked-missing")
    assert "has-worked-missing (reject) would have matched 3 of 3 requests" in page
    assert "201 ACKNOWLEDGED 422 2" in page
    assert "the rule book has no rule has-worked" in console.get("rules/audited/has-worked", 404)


# -- a request to try


def test_a_request_is_tried_and_nothing_is_stored(supplier: Supplier, console: Console) -> None:
    tried = {
        "operation": "problem",
        "tenant": "TENANT1",
        "status": "IN_PROGRESS",
        "request": json.dumps(problem_request(serviceId=CEASED)),
    }
    page = plain(console.send("rules/try", "rules/try", **tried).text)
    assert "problem: reject (422), decided by service-not-live" in page
    assert f"INVALID_REQUEST serviceId: service {CEASED} is ceased" in page
    assert 'service.state = "ceased"' in page
    assert stored(supplier) == 0
    live = {**tried, "request": json.dumps(problem_request()), "open": "SP_1, SP_2"}
    page = plain(console.send("rules/try", "rules/try", **live).text)
    assert 'already-open matched open_problems = ["SP_1", "SP_2"]' in page


def test_a_change_is_tried_in_a_state_of_its_problem(console: Console) -> None:
    html = console.html("rules/try?operation=cancellation")
    assert "CUSTOMER_NETWORK_ISSUE" in html
    tried = {"operation": "cancellation", "tenant": "TENANT1", "status": "RESOLVED"}
    request = {
        "id": 1,
        "serviceProblemId": 2,
        "supplierServiceProblemReference": "SP_123456",
        "reasonCode": "CUSTOMER_NETWORK_ISSUE",
    }
    form = {**tried, "request": json.dumps(request)}
    page = plain(console.send("rules/try", "rules/try", **form).text)
    assert "cancellation: reject (422), decided by problem-resolved" in page


def test_what_breaks_the_contract_is_refused_and_kept_in_the_form(console: Console) -> None:
    tried = {"operation": "problem", "tenant": "T", "status": "HELD", "request": '{"id": "one"}'}
    answer = console.send("rules/try", "rules/try", **tried)
    assert answer.status_code == 422
    assert "no rule is asked, since the request breaks the published contract" in answer.text
    assert "&#34;one&#34;" in answer.text
    for name in ("operation", "tenant", "status"):
        refused = console.send("rules/try", "rules/try", **{**tried, name: ""})
        assert refused.status_code == 422
        assert f"{name}: expected" in refused.text


def test_a_viewer_tries_nothing_and_an_operator_judges_no_draft(console: Console) -> None:
    console.be("vic", Role.VIEWER)
    assert "Try a request" not in console.get("rules/")
    console.get("rules/try", 403)
    console.be("olga", Role.OPERATOR)
    assert "Judge a draft" not in console.get("rules/try")
    console.get("rules/draft", 403)


# -- a draft to judge


def test_a_draft_is_checked_and_its_faults_have_a_place(console: Console) -> None:
    page = console.refused("rules/draft", "rules/draft", 422, draft="version: 1\r\nrules: [{}]\r\n")
    assert "It cannot be used:" in page
    assert "1:1 rule book: default is missing" in page
    many = "version: 1\nrules:\n" + "  - {}\n" * 60
    page = console.refused("rules/draft", "rules/draft", 422, draft=many)
    assert "It cannot be used: 241 errors." in page
    assert "and 141 more" in page
    deep = console.refused("rules/draft", "rules/draft", 422, draft="[" * 10_000)
    assert "1:1 nested too deeply" in deep
    assert "expected a rule book" in console.refused("rules/draft", "rules/draft", 422, draft=" ")


def test_a_draft_tells_what_it_changes(
    settings: Settings, console: Console, supplier: Supplier
) -> None:
    text = book_text(settings).replace("size(open_problems) > 0", "size(open_problems) > 1")
    page = plain(console.send("rules/draft", "rules/draft", draft=text + NO_CPE).text)
    assert "It can be used, with" in page
    assert "no-cpe added" in page
    assert "already-open when size(open_problems) > 0 size(open_problems) > 1" in page
    # Its own example shows that the condition is not what was meant.
    assert "example of already-open problem: expected matched, was not matched" in page
    assert book_text(settings) != text
    upkeep: RuleUpkeep = supplier.app.extensions["upkeep"]
    assert "no-cpe" not in upkeep.rule_evaluator.book.definitions()


def test_the_book_in_use_is_no_change(settings: Settings, app: Flask, console: Console) -> None:
    # The application stands for the session, and the file that it read may be gone.
    context: ConsoleContext = app.extensions["console"].extensions[EXTENSION]
    file = context.settings.rules.file
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(book_text(settings), encoding="utf-8")
    assert "service-unknown" in console.html("rules/draft?current=1")
    page = plain(console.send("rules/draft", "rules/draft", draft=book_text(settings)).text)
    assert "The same rules, in the same order." in page


@pytest.mark.usefixtures("history")
def test_a_draft_is_tried_on_what_was_decided(settings: Settings, console: Console) -> None:
    form = {"draft": book_text(settings) + NO_CPE, "do": "backtest"}
    page = plain(console.send("rules/draft", "rules/draft", **form).text)
    assert "3 decisions of the last 7 days: all there are." in page
    assert "problem: 201 ACKNOWLEDGED before, 422 by the draft: 1 (no-cpe 1)" in page
    assert "problemType: CPE is not ours" in page
    assert "no-cpe 0 2 0" in page


@on_sqlite
def test_one_back_test_at_a_time(
    settings: Settings, console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    form = {"draft": book_text(settings), "do": "backtest"}
    with draft_page.BACKTESTING:
        refused = console.refused("rules/draft", "rules/draft", 409, **form)
    assert "another back-test is running here" in refused
    monkeypatch.setattr(draft_page, "DRAFT_MAX", 10)
    assert "at most 10 characters" in console.refused("rules/draft", "rules/draft", 422, **form)


@on_sqlite
def test_a_draft_may_be_a_file(client: FlaskClient, console: Console, tmp_path: Path) -> None:
    file = tmp_path / "new.yaml"
    file.write_bytes(b"\xff")
    for content, told in ((b"\xff", "expected a text in UTF-8"), (b"rules: 3", "cannot be used")):
        file.write_bytes(content)
        token = console.token("rules/draft")
        with file.open("rb") as opened:
            answer = client.post(
                "/console/rules/draft", data={"csrf_token": token, "file": (opened, "new.yaml")}
            )
        assert answer.status_code == 422
        assert told in plain(answer.text)
