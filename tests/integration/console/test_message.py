"""A message's page: what is masked, who opens it, and what is done with it."""

import json
import re
from typing import Any

import pytest

from supplier_api.console.access import Role
from supplier_api.db.operator_actions import Action, OperatorActionRepository
from supplier_api.delivery.model import Meaning, Reply
from tests.integration.console.pages import Console
from tests.integration.console.test_delivery import PERSON, problem
from tests.supplier import REPAIRED, Problem, Supplier, on_sqlite

__all__ = ["problem"]

WHY = {"reason": "not for the tenant"}


@pytest.fixture
def page(supplier: Supplier, problem: Problem) -> str:
    """Return the path of the page of the dead letter."""
    return path_of(supplier, problem, 2)


def path_of(supplier: Supplier, problem: Problem, number: int) -> str:
    return f"delivery/{supplier.kcis(problem)[number - 1]['id']}"


def actions(supplier: Supplier, problem: Problem) -> list[Action]:
    problem_id = supplier.stored(problem.id).id
    return supplier.services.store.read(lambda uow: OperatorActionRepository(uow).of(problem_id))


def edited(supplier: Supplier, problem: Problem, number: int = 2, **changes: Any) -> str:
    """Return the body of a KCI with these fields changed."""
    return json.dumps({**supplier.kcis(problem)[number - 1], **changes})


def seen(console: Console, page: str) -> str:
    """Return what the forms of a page carry of the message as it is."""
    found = re.search('name="seen" value="([^"]*)"', console.html(page))
    assert found
    return found[1]


# -- what is shown


def test_what_is_personal_is_masked_until_it_is_opened(
    supplier: Supplier, console: Console, problem: Problem, page: str
) -> None:
    shown = console.get(page)
    for said in (
        f"KCI {problem.reference}#2 DELAY",
        "422 INVALID_REQUEST",
        "status 422 [personal]",
        '"text": "[personal]"',
        "#3 RESUMED queued parked",
    ):
        assert said in shown
    assert "MARKER" not in shown
    assert "open the message first" in console.get(f"{page}/opened", 403)

    opened = console.done(f"{page}/open", page, reason="a complaint")
    assert opened.count(PERSON) == 3  # what was said of it, as it is, as it may be sent
    [action] = actions(supplier, problem)
    assert (action.who, action.action, action.reason) == ("ann", "kci open", "a complaint")

    console.be("bob", Role.OPERATOR)
    assert "open the message first" in console.get(f"{page}/opened", 403)
    console.be("ann", Role.ADMIN)
    supplier.machine.advance(3601)
    assert "open the message first" in console.get(f"{page}/opened", 403)


def test_a_work_order_is_shown_and_skipped_and_replayed(
    supplier: Supplier, console: Console, problem: Problem
) -> None:
    listed = console.html("delivery/?destination=back-office&state=queued")
    found = re.search(r'href="/console/(delivery/[0-9a-f-]{36})"', listed)
    assert found
    page = found[1]
    shown = console.get(page)
    assert f"work order {problem.reference}#1 problem" in shown
    assert '"problemText": "[personal]"' in shown
    assert "Edit" not in shown

    skipped = console.done(f"{page}/skip", page, **WHY)
    assert "is not sent; the problem is marked: back office not told" in skipped
    assert supplier.stored(problem.id).back_office_untold
    assert f"{problem.reference}#1 is skipped" in skipped  # why it is not skipped again
    replayed = console.done(f"{page}/replay", page, **WHY)
    assert "skipped -> queued again, due now" in replayed
    opened = console.done(f"{page}/open", page, **WHY)
    assert "The service keeps dropping" in opened or "problemText" in opened
    assert "Send the edited KCI" not in opened


def test_what_is_not_possible_says_why(
    supplier: Supplier, console: Console, problem: Problem
) -> None:
    delivered = console.get(path_of(supplier, problem, 1))
    assert f"{problem.reference}#1 is delivered (on" in delivered
    assert "no replay; possible: show" in delivered
    parked = console.get(path_of(supplier, problem, 3))
    behind = f"{problem.reference}#3 waits behind {problem.reference}#2, which is refused"
    assert f"{behind}; replay, edit or skip that" in parked


@on_sqlite
def test_a_page_that_is_not_up_to_date_says_so(
    supplier: Supplier, console: Console, page: str
) -> None:
    url = re.search(r'id="message"[^>]* hx-get="/console/([^"]*)"', console.html(page))
    assert url
    news = url[1].replace("&amp;", "&")
    console.html(news, 204)
    console.send(f"{page}/replay", page, **WHY)
    supplier.deliver()
    told = console.get(news)
    assert "This message has changed since the page was made" in told
    assert "delivered" in told


@on_sqlite
def test_there_is_no_page_of_what_is_no_message(console: Console, problem: Problem) -> None:
    unknown = "87432dfb-2e47-4532-a1b7-4b113d48867d"
    assert f"there is no message {unknown}" in console.get(f"delivery/{unknown}", 404)
    console.get("delivery/SP_1", 404)
    assert problem.tenant == "TENANT1"


# -- what is done


def test_a_dead_letter_is_replayed_and_what_waits_follows(
    supplier: Supplier, console: Console, problem: Problem, page: str
) -> None:
    assert "refused -> queued again, due now" in console.done(f"{page}/replay", page, **WHY)
    supplier.deliver()
    assert supplier.told(problem)[1:] == ["2 DELAY/HELD", "3 RESUMED/IN_PROGRESS"]
    assert "delivered" in console.get(page)
    [action] = actions(supplier, problem)
    assert (action.who, action.reason) == ("ann", WHY["reason"])


def test_a_kci_is_skipped_with_the_reason_told(
    supplier: Supplier, console: Console, problem: Problem, page: str
) -> None:
    done = console.done(f"{page}/skip", page, **WHY)
    assert "refused -> queued again (withdrawn), due now" in done
    assert supplier.kcis(problem)[1]["text"] == f"update 2 was withdrawn: {WHY['reason']}"
    assert "MARKER" not in console.get(page)  # nor among what differs from the first body


def test_an_edit_is_checked_before_it_is_sent(
    supplier: Supplier, console: Console, problem: Problem, page: str
) -> None:
    assert "open the message first" in console.refused(f"{page}/check", page, 403, body="{}")
    console.done(f"{page}/open", page, **WHY)
    before = supplier.kcis(problem)
    for body, said in {
        "{": "body: ",
        "[]": "body: expected an object",
        edited(supplier, problem, text=""): "text: expected 1 to 1000 characters",
        edited(supplier, problem, sequenceNumber=5): "sequenceNumber: expected 2, as it was",
        edited(supplier, problem, note="x"): "note: not a published field",
    }.items():
        answer = console.send(f"{page}/check", f"{page}/opened", body=body)
        assert answer.status_code == 200
        assert said in answer.text
        assert "This may not be sent" in answer.text
        assert said in console.refused(f"{page}/edit", f"{page}/opened", 422, body=body, **WHY)
    good = edited(supplier, problem, text="No entry.")
    checked = console.send(f"{page}/check", f"{page}/opened", body=good).text
    assert "This may be sent" in checked
    assert "queued again (edited), due now" in checked
    assert "<td>&#34;Mrs MARKER is not in&#34;</td><td>&#34;No entry.&#34;</td>" in checked
    assert supplier.kcis(problem) == before
    assert [each.action for each in actions(supplier, problem)] == ["kci open"]

    done = console.done(f"{page}/edit", f"{page}/opened", body=good, **WHY)
    assert "refused -> queued again (edited), due now" in done
    assert "MARKER" not in done
    assert supplier.kcis(problem)[1]["text"] == "No entry."
    [_, action] = actions(supplier, problem)
    assert action.detail == {"number": 2, "was": "refused", "now": "queued", "changed": ["text"]}


def test_an_edit_is_checked_at_its_place_in_the_order(
    supplier: Supplier, console: Console, problem: Problem, page: str
) -> None:
    supplier.event(problem.reference, "resolve", resolution=REPAIRED)
    console.done(f"{page}/open", page, **WHY)
    entity = {**supplier.kcis(problem)[1]["serviceProblem"], "status": "COMPLETED"}
    body = edited(supplier, problem, serviceProblem=entity)
    checked = console.send(f"{page}/check", f"{page}/opened", body=body).text
    assert "serviceProblem.status: COMPLETED only from RESOLVED" in checked
    assert "update 4 would be refused" in checked


def test_the_record_is_mended_with_a_kci(
    supplier: Supplier, console: Console, problem: Problem, page: str
) -> None:
    console.done(f"{page}/open", page, **WHY)
    entity = {**supplier.kcis(problem)[1]["serviceProblem"], "notes": "Ring first."}
    form = {"body": edited(supplier, problem, serviceProblem=entity), "and_record": "yes"}
    checked = console.send(f"{page}/check", f"{page}/opened", **form).text
    assert "In the record: serviceProblem.notes: " in checked
    assert "-&gt; &#34;Ring first.&#34;" in checked
    assert supplier.stored(problem.id).document["notes"] != "Ring first."
    done = console.done(f"{page}/edit", f"{page}/opened", **form, **WHY)
    assert "in the record too: serviceProblem.notes" in done
    assert supplier.stored(problem.id).document["notes"] == "Ring first."
    own = {"body": edited(supplier, problem, text="No entry."), "and_record": "yes"}
    checked = console.send(f"{page}/check", f"{page}/opened", **own).text
    assert "nothing of this edit is kept in the record" in checked


# -- a race that was lost


def test_who_comes_second_is_told_what_happened_meanwhile(
    supplier: Supplier, console: Console, problem: Problem, page: str
) -> None:
    old = seen(console, page)
    console.done(f"{page}/open", page, **WHY)
    body = edited(supplier, problem, text="No entry.")
    console.be("bob", Role.OPERATOR)
    console.done(f"{page}/replay", page, reason="they mended it")
    supplier.deliver()
    console.be("ann", Role.ADMIN)
    before = supplier.kcis(problem)
    for act, token_page, form in (
        ("skip", f"{page}/opened", WHY),
        ("replay", f"{page}/opened", WHY),
        ("edit", f"{page}/opened", {**WHY, "body": body}),
    ):
        told = console.refused(f"{page}/{act}", token_page, 409, **form, seen=old)
        assert f"{problem.reference}#2 has changed since this page was made" in told
        assert "it is delivered now" in told
        assert "kci replay by bob: they mended it" in told
        assert "delivered 204" in told
    checked = console.send(f"{page}/check", f"{page}/opened", body=body, seen=old).text
    assert "kci replay by bob: they mended it" in checked
    assert supplier.kcis(problem) == before
    assert [each.who for each in actions(supplier, problem)] == ["ann", "bob"]


def test_a_second_press_does_nothing(
    supplier: Supplier, console: Console, problem: Problem, page: str
) -> None:
    old = seen(console, page)
    console.done(f"{page}/replay", page, **WHY)
    told = console.refused(f"{page}/replay", page, 409, **WHY, seen=old)
    assert f"kci replay by ann: {WHY['reason']}" in told
    assert len(actions(supplier, problem)) == 1


def test_an_attempt_that_failed_meanwhile_does_not_hinder(
    supplier: Supplier, console: Console, problem: Problem, page: str
) -> None:
    console.done(f"{page}/replay", page, **WHY)
    console.done(f"{page}/open", page, **WHY)
    old = seen(console, f"{page}/opened")
    supplier.answers[2] = Reply(Meaning.FAILED, "503", 503)
    supplier.deliver()
    assert "503" in console.get(page)
    body = edited(supplier, problem, text="No entry.")
    done = console.done(f"{page}/edit", f"{page}/opened", body=body, seen=old, **WHY)
    assert "queued -> queued (edited)" in done


@on_sqlite
@pytest.mark.parametrize("wrong", ["", "refused", "refused-1-x-00"])
def test_a_form_without_what_was_seen_is_refused(console: Console, page: str, wrong: str) -> None:
    said = console.refused(f"{page}/replay", page, 422, **WHY, seen=wrong)
    assert "seen: expected what the page wrote; open it again" in said
    assert "reason: expected some words on why" in console.refused(f"{page}/replay", page, 422)


@on_sqlite
def test_a_viewer_sees_it_masked_and_does_nothing(console: Console, page: str) -> None:
    token_page = "delivery/pause"
    console.be("vic", Role.VIEWER)
    shown = console.get(page)
    assert "[personal]" in shown
    assert "What can be done" not in shown
    assert "this needs the role operator" in console.get(f"{page}/opened", 403)
    for act in ("open", "check", "edit", "replay", "skip"):
        console.be("ann", Role.ADMIN)
        token = console.token(token_page)
        console.be("vic", Role.VIEWER)
        answer = console.post(f"{page}/{act}", csrf_token=token, **WHY)
        assert answer.status_code == 403
        assert "this needs the role operator" in answer.text
