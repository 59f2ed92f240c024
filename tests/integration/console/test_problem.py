"""One problem's page: its story, what may happen next, and what is personal."""

import re
from html import unescape

import pytest
from werkzeug.test import TestResponse

from supplier_api.console.access import Role
from supplier_api.console.event_forms import LABELS
from supplier_api.console.pages import problem as page_of_problem
from supplier_api.db.operator_actions import ERASED, Action, OperatorActionRepository
from supplier_api.delivery.model import Meaning, Reply
from supplier_api.problems.lifecycle import BACK_OFFICE_EVENTS
from tests.integration.console.pages import Console, plain
from tests.samples import amendment_request, cancellation_request, problem_request
from tests.supplier import DEFERRED, Problem, Supplier, on_sqlite

MARKER = "Marguerite"
WHY = "They rang."
LARGEST = 100_000  # characters of a page


def shown(console: Console, problem: Problem) -> str:
    """Return the page of a problem as text."""
    return console.get(f"problems/{problem.reference}")


def form_of(html: str, event: str) -> dict[str, str]:
    """Return the hidden fields of an event's form."""
    [form] = [
        each
        for each in re.findall(r"<form method=\"post\".*?</form>", html, re.DOTALL)
        if f'name="event" value="{event}"' in each
    ]
    fields = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', form)
    return {name: unescape(value) for name, value in fields}


def say(console: Console, problem: Problem, form: dict[str, str], **fields: str) -> TestResponse:
    """Send the form of an event."""
    path = f"problems/{problem.reference}"
    return console.send(f"{path}/events", path, **{"reason": WHY, **form, **fields})


def said(console: Console, problem: Problem, event: str, **fields: str) -> TestResponse:
    """Open the page and send the form of an event."""
    form = form_of(console.html(f"problems/{problem.reference}"), event)
    return say(console, problem, form, **fields)


def acts(supplier: Supplier, problem: Problem) -> list[Action]:
    """Return what operators did to a problem."""
    problem_id = supplier.stored(problem.id, problem.tenant).id
    return supplier.services.store.read(lambda uow: OperatorActionRepository(uow).of(problem_id))


# -- the story


def test_the_page_tells_what_happened(supplier: Supplier, console: Console) -> None:
    problem = supplier.opened()
    supplier.machine.advance(60)
    supplier.event(problem.reference, "start")
    supplier.deliver()
    supplier.machine.advance(60)
    supplier.resolved(problem)
    page = shown(console, problem)
    for told in (
        "The tenant raised the problem ; we accepted it by the rule default (201).",
        "The back office started work ; it is IN_PROGRESS.",
        "KCI 1 COMMITTED tells the gateway that it is IN_PROGRESS: taken (204, 0 ms).",
        "Waits for the tenant: to accept or reject the resolution",
        "it closes by itself.",
        "KCIs to the gateway 2 delivered",
        "Work orders to the back office 1 waiting",
        "ACKNOWLEDGED 2026-01-05 12:00:00 for 1 min",
    ):
        assert told in page, told
    assert "already-open: not matched" in page
    kci = supplier.kcis(problem)[0]["id"]
    assert f"/console/delivery/{kci}" in console.html(f"problems/{problem.reference}")


def test_what_holds_it_up_leads_to_where_it_is_mended(supplier: Supplier, console: Console) -> None:
    problem = supplier.opened()
    supplier.event(problem.reference, "start")
    supplier.answers[1] = Reply(Meaning.REFUSED, "422 INVALID_REQUEST", 422)
    supplier.deliver()
    supplier.event(problem.reference, "resolve", resolution={"resolutionCode": "OTHER"})
    page = shown(console, problem)
    dead = f"{problem.reference}#1"
    assert f"{dead} was not taken: the later KCIs wait behind it. Mend it" in page
    assert f"an operator: the tenant was not told, for {dead} was not taken Look at {dead}" in page
    assert "1 parked behind a dead letter, 1 refused" in page
    assert "refused it (422 INVALID_REQUEST); it is a dead letter" in page
    assert "supplier-api" not in page.replace("supplier_api", "")


@on_sqlite
def test_a_long_story_is_told_piece_by_piece(supplier: Supplier, console: Console) -> None:
    problem = supplier.opened()
    for number in range(45):
        supplier.event(problem.reference, "note", text=f"Note {number}.")
    html = console.html(f"problems/{problem.reference}")
    assert len(html) < LARGEST
    before = 1 + 1 + 2 * 45 - page_of_problem.ENTRIES
    assert f"The {before} before these" in html
    older = console.get(f"problems/{problem.reference}?until={before}")
    assert f"The {page_of_problem.ENTRIES} after these" in older
    assert f"The {before - page_of_problem.ENTRIES} before these" in older
    assert "The tenant raised the problem" in console.get(f"problems/{problem.reference}?until=12")


@on_sqlite
def test_any_name_leads_to_the_page_and_no_name_to_none(
    supplier: Supplier, console: Console
) -> None:
    problem = supplier.opened()
    assert f"/console/problems/{problem.reference}" in console.html("problems/23467", 302)
    supplier.opened(tenant="TENANT2")
    assert "/console/problems/?q=23467" in console.html("problems/23467", 302)
    for name in ("SP_UNKNOWN01", "9" * 300):
        console.html(f"problems/{name}", 404)
    console.html("problems/%00", 400)


@on_sqlite
def test_a_ticket_is_a_link_where_a_browser_may_be_led_to_it(
    supplier: Supplier, console: Console
) -> None:
    problem = supplier.opened()
    for number, (url, is_link) in enumerate(
        (("https://tickets.example/1", True), ("javascript:alert(1)", False))
    ):
        ticket = {"backOfficeId": f"INC{number}", "backOfficeUrl": url}
        assert supplier.event(problem.reference, "note", **ticket).status_code == 200
        html = console.html(f"problems/{problem.reference}")
        assert (f'href="{url}"' in html) is is_link
        assert f"INC{number}" in html


# -- events


def test_an_event_is_said_as_the_back_office_would(supplier: Supplier, console: Console) -> None:
    problem = supplier.opened()
    answer = said(console, problem, "hold", problemCode="ACCESS_ISSUE", text="No key.")
    assert answer.status_code == 303
    page = shown(console, problem)
    assert "You put the work on hold; it is HELD now." in page
    assert "ann put the work on hold ; it is HELD. Because: They rang." in page
    [told] = supplier.kcis(problem)
    assert (told["reasonCode"], told["problemCode"], told["text"]) == (
        "DELAY",
        "ACCESS_ISSUE",
        "No key.",
    )
    [act] = acts(supplier, problem)
    assert (act.who, act.action, act.reason) == ("ann", "event hold", WHY)
    assert act.detail
    assert (act.detail["before"], act.detail["after"]) == ("ACKNOWLEDGED", "HELD")


def test_each_form_has_the_fields_that_its_event_needs(
    supplier: Supplier, console: Console
) -> None:
    words = {"text": "Words.", "problemCode": "OTHER", "resolutionCode": "OTHER", "note": "Noted."}
    for number, event in enumerate(("start", "hold", "ask-information", "resolve", "cancel"), 1):
        problem = supplier.opened(id=number, serviceId=f"SI{number + 100:013d}")
        answer = said(console, problem, event, **words)
        assert answer.status_code == 303, plain(answer.text)
    resolved = supplier.opened(id=9, serviceId="SI0000000000109")
    for event in ("resolve", "reopen", "note", "warn", "resolve", "complete"):
        answer = said(console, resolved, event, **words)
        assert answer.status_code == 303, plain(answer.text)
    assert supplier.stored(9).state.terminal
    assert "Nothing: it is over." in shown(console, resolved)


@on_sqlite
def test_an_undecided_problem_is_accepted(supplier: Supplier, console: Console) -> None:
    assert supplier.create(problem_request(), tenant=DEFERRED).status_code == 202
    problem = Problem(23467, supplier.stored(23467, DEFERRED).reference, DEFERRED)
    assert said(console, problem, "accept", commit="yes").status_code == 303
    assert supplier.told(problem) == ["1 ACKNOWLEDGED/ACKNOWLEDGED", "2 COMMITTED/IN_PROGRESS"]


def test_what_is_not_possible_says_why_in_the_words_of_the_refusal(
    supplier: Supplier, console: Console
) -> None:
    problem = supplier.opened()
    page = shown(console, problem)
    assert "complete is not possible while the problem is ACKNOWLEDGED" in page
    form = form_of(console.html(f"problems/{problem.reference}"), "start") | {"event": "complete"}
    answer = say(console, problem, form)
    assert answer.status_code == 409
    assert "complete is not possible while the problem is ACKNOWLEDGED" in plain(answer.text)
    assert LABELS.keys() == BACK_OFFICE_EVENTS


@pytest.mark.parametrize(
    ("event", "fields", "messages"),
    [
        ("hold", {}, "problemCode: missing; hold must carry it"),
        ("hold", {"problemCode": "NONSENSE"}, "problemCode:"),
        ("start", {"reason": " "}, "reason: expected some words on why"),
        ("resolve", {"resolutionText": "Renewed."}, "resolution.resolutionCode:"),
    ],
)
def test_an_incomplete_event_does_nothing(
    supplier: Supplier, console: Console, event: str, fields: dict[str, str], messages: str
) -> None:
    problem = supplier.opened()
    answer = said(console, problem, event, **fields)
    assert answer.status_code == 422
    assert messages in plain(answer.text)
    assert supplier.kcis(problem) == []
    assert acts(supplier, problem) == []


def test_a_form_that_is_sent_twice_does_one_thing(supplier: Supplier, console: Console) -> None:
    problem = supplier.opened()
    form = form_of(console.html(f"problems/{problem.reference}"), "note")
    for _ in range(2):
        assert say(console, problem, form, text="It goes on.").status_code == 303
    assert supplier.told(problem) == ["1 ADDITIONAL/ACKNOWLEDGED"]
    assert len(acts(supplier, problem)) == 1


def test_a_race_that_is_lost_says_what_happened_meanwhile(
    supplier: Supplier, console: Console
) -> None:
    problem = supplier.opened()
    form = form_of(console.html(f"problems/{problem.reference}"), "resolve")
    supplier.machine.advance(5)
    supplier.resolved(problem)
    answer = say(console, problem, form, resolutionCode="OTHER")
    assert answer.status_code in {409, 412}
    page = plain(answer.text)
    assert f"{problem.reference} has changed meanwhile" in page
    assert "resolve is not possible while the problem is RESOLVED" in page
    assert "The back office resolved the problem" in page
    assert "The tenant raised the problem" not in page
    assert supplier.told(problem) == ["1 RESOLVED/RESOLVED"]
    assert acts(supplier, problem) == []


def test_an_event_that_would_mean_something_else_now_is_not_applied(
    supplier: Supplier, console: Console
) -> None:
    problem = supplier.opened()
    first = supplier.resolved(problem)
    form = form_of(console.html(f"problems/{problem.reference}"), "complete")
    supplier.machine.advance(5)
    assert supplier.settle(first, "REJECTED").status_code == 200
    supplier.resolved(problem)
    answer = say(console, problem, form)
    assert answer.status_code == 412
    assert "The tenant answered the resolution ; it is REJECTED" in plain(answer.text)
    assert not supplier.stored(problem.id).state.terminal


def test_what_does_not_matter_to_an_event_does_not_stop_it(
    supplier: Supplier, console: Console
) -> None:
    problem = supplier.opened()
    supplier.event(problem.reference, "start")
    form = form_of(console.html(f"problems/{problem.reference}"), "resolve")
    supplier.event(problem.reference, "note", backOfficeId="INC1")
    assert supplier.stored(problem.id).version > int(form["version"])
    assert say(console, problem, form, resolutionCode="OTHER").status_code == 303


# -- a change


def deferred(supplier: Supplier) -> Problem:
    """Raise a problem whose changes are left open."""
    return supplier.opened(tenant=DEFERRED)


def test_an_amendment_is_shown_old_beside_new_and_decided(
    supplier: Supplier, console: Console
) -> None:
    problem = deferred(supplier)
    body = problem.named(amendment_request(), notes=MARKER, escalationRequest=True)
    body["appointmentReservationId"] = 777
    assert supplier.amend(body, tenant=DEFERRED).status_code == 202
    page = shown(console, problem)
    assert "The amendment to decide on" in page
    assert "appointmentReservationId none 777" in page
    assert "escalationRequest none True" in page
    assert "notes [personal] [personal]" in page
    assert "The tenant asks for escalation" in page
    assert MARKER not in console.html(f"problems/{problem.reference}")
    assert said(console, problem, "accept-change").status_code == 303
    assert supplier.stored(problem.id, DEFERRED).document["notes"] == MARKER


@on_sqlite
def test_a_cancellation_is_shown_with_its_code(supplier: Supplier, console: Console) -> None:
    problem = deferred(supplier)
    body = problem.named(cancellation_request(), reasonCode="ISSUE_RESOLVED", text=MARKER)
    assert supplier.cancel(body, tenant=DEFERRED).status_code == 202
    page = shown(console, problem)
    assert "The cancellation to decide on" in page
    assert "Because: ISSUE_RESOLVED [personal]" in page
    refused = {"problemCode": "OTHER", "text": "Too late."}
    assert said(console, problem, "reject-change", **refused).status_code == 303


# -- what is personal


def test_what_is_personal_is_shown_once_and_that_is_recorded(
    supplier: Supplier, console: Console
) -> None:
    problem = supplier.opened(notes=f"{MARKER} is at home.")
    path = f"problems/{problem.reference}"
    assert MARKER not in console.html(path)
    answer = console.send(f"{path}/unmasked", path, reason=WHY)
    assert answer.status_code == 200
    assert MARKER in answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    supplier.machine.advance(1)  # the counter of changes is read anew
    assert MARKER not in console.html(path)
    assert "ann looked at what is personal in it . Because: They rang." in shown(console, problem)
    [act] = acts(supplier, problem)
    assert (act.who, act.action, act.reason, act.tenant) == ("ann", "unmask", WHY, "TENANT1")
    assert "reason: expected some words" in console.refused(f"{path}/unmasked", path, 422)


@on_sqlite
def test_the_resolution_is_shown_without_its_words(supplier: Supplier, console: Console) -> None:
    problem = supplier.opened()
    resolution = {"resolutionCode": "OTHER", "resolutionText": MARKER}
    supplier.event(problem.reference, "resolve", resolution=resolution)
    supplier.deliver()
    reference = supplier.kcis(problem)[-1]["serviceProblemResolution"]["supplierReference"]
    answer = {"tenantNotes": f"{MARKER} again"}
    assert supplier.settle(reference, "REJECTED", **answer).status_code == 200
    path = f"problems/{problem.reference}"
    page = console.get(path)
    assert f"supplierReference {reference} status REJECTED" in page
    assert "resolutionCode OTHER resolutionText [personal] tenantNotes [personal]" in page
    assert MARKER not in page
    shown_once = plain(console.send(f"{path}/unmasked", path, reason=WHY).text)
    assert f"resolutionText {MARKER} tenantNotes {MARKER} again" in shown_once


@on_sqlite
def test_a_viewer_reads_and_does_nothing(supplier: Supplier, console: Console) -> None:
    problem = supplier.opened()
    path = f"problems/{problem.reference}"
    form = form_of(console.html(path), "start")
    assert say(console, problem, form).status_code == 303
    token = form["csrf_token"]
    console.be("vic", Role.VIEWER)
    html = console.html(path)
    assert '<form method="post"' not in html
    assert "This needs the role operator." in plain(html)
    assert WHY not in html
    assert "ann" not in plain(html).split()
    for act in ("events", "unmasked"):
        answer = console._client.post(  # noqa: SLF001 - no form is shown
            f"/console/{path}/{act}", data={**form, "csrf_token": token, "reason": WHY}
        )
        assert answer.status_code == 403


def test_an_admin_erases_what_is_personal_once_it_is_over(
    supplier: Supplier, console: Console
) -> None:
    problem = supplier.opened(notes=f"{MARKER} is at home.")
    path = f"problems/{problem.reference}"
    stays = f"{problem.reference} is ACKNOWLEDGED: its personal data is erased when it is over"
    assert stays in console.get(path)
    assert "/erased" not in console.html(path)
    assert stays in console.refused(f"{path}/erased", path, 409, reason=WHY)
    supplier.event(problem.reference, "cancel", problemCode="OTHER", text=f"{MARKER} is well.")
    left = f"not all is delivered: KCI {problem.reference}#1 is queued"
    assert left in console.get(path)
    assert left in console.refused(f"{path}/erased", path, 409, reason=WHY)
    supplier.deliver()
    supplier.deliver_orders()
    supplier.machine.advance(1)  # the counter of changes is read anew
    assert f'action="/console/{path}/erased"' in console.html(path)
    assert "reason: expected some words" in console.refused(f"{path}/erased", path, 422)
    assert console.post(f"{path}/erased", reason=WHY).status_code == 400  # it has no token

    page = console.done(f"{path}/erased", path, reason=WHY)

    assert "personal values or texts erased" in page
    assert "ann erased what was personal in it . Because: They rang." in page
    assert MARKER not in console.send(f"{path}/unmasked", path, reason=WHY).text
    erased, looked = acts(supplier, problem)
    assert (erased.who, erased.action, erased.reason) == ("ann", ERASED, WHY)
    assert looked.action == "unmask"
    assert ERASED in console.get("audit/")


@on_sqlite
def test_only_an_admin_is_offered_to_erase(supplier: Supplier, console: Console) -> None:
    problem = supplier.opened()
    path = f"problems/{problem.reference}"
    assert "Erase personal data" in console.get(path)
    for role in (Role.VIEWER, Role.OPERATOR):
        console.be("bob", role)
        assert "Erase personal data" not in console.get(path)


# -- live


def test_the_story_follows_and_says_when_the_forms_are_old(
    supplier: Supplier, console: Console
) -> None:
    problem = supplier.opened()
    html = console.html(f"problems/{problem.reference}")
    news = unescape(re.findall(r'hx-get="/console/([^"]*)"', html)[0])
    console.html(news, 204)
    supplier.event(problem.reference, "note", text="Soon.")
    supplier.machine.advance(1)  # the counter of changes is read anew
    told = console.get(news)
    assert "KCI 1 ADDITIONAL" in told
    assert "Open them anew" not in told
    supplier.event(problem.reference, "start")
    supplier.machine.advance(1)
    assert "Open them anew" in console.get(news)
