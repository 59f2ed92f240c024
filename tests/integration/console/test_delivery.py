"""The page Delivery: lists, windows and pauses."""

import re

import pytest

from supplier_api.console.access import Role
from supplier_api.db.operator_actions import OperatorActionRepository
from supplier_api.delivery.model import Meaning, Reply
from supplier_api.outbox.pauses import PauseRepository
from supplier_api.problems.services import GATEWAY
from tests.integration.console.pages import Console, plain
from tests.supplier import Problem, Supplier, on_sqlite

PERSON = "Mrs MARKER is not in"
REFUSED = Reply(
    Meaning.REFUSED, "422 INVALID_REQUEST", 422, refusal={"status": 422, "messages": [PERSON]}
)


@pytest.fixture
def problem(supplier: Supplier) -> Problem:
    """Return a problem of which number 2 (DELAY) was refused; number 3 is parked behind it."""
    problem = supplier.opened()
    supplier.event(problem.reference, "start")
    supplier.deliver()
    supplier.event(problem.reference, "hold", problemCode="ACCESS_ISSUE", text=PERSON)
    supplier.answers[2] = REFUSED
    supplier.deliver()
    supplier.machine.advance(3600)
    supplier.event(problem.reference, "resume")
    supplier.answers.clear()
    supplier.machine.advance(60)
    return problem


def names(html: str) -> list[str]:
    """Return the messages that a page lists."""
    return re.findall(r'<th scope="row"><a href="[^"]*">([^<]*#\d+)</a>', html)


def action(supplier: Supplier, name: str) -> tuple[str, str] | None:
    """Return who last did something of that name, and why."""
    found = supplier.services.store.read(lambda uow: OperatorActionRepository(uow).last(name))
    return (found.who, found.reason) if found else None


# -- the list


def test_dead_letters_and_what_is_parked_are_listed(
    supplier: Supplier, console: Console, problem: Problem
) -> None:
    second, third = f"{problem.reference}#2", f"{problem.reference}#3"
    order = f"{problem.reference}#1"
    for query, expected in {
        "": [second, third],
        "?state=dead": [second],
        "?state=parked": [third],
        "?state=refused&kind=DELAY": [second],
        "?state=expired": [],
        "?destination=back-office": [],
        "?destination=back-office&state=queued": [order],
        "?state=queued": [order, third],
        "?since=30m": [third],
        "?until=30m": [second],
    }.items():
        assert names(console.html(f"delivery/{query}")) == expected, query
    page = console.get("delivery/?state=dead")
    assert "422 INVALID_REQUEST" in page
    assert "MARKER" not in page
    supplier.opened(id=7, serviceId="SI0000000000099", tenant="TENANT2")
    assert "Nothing fits this filter" in console.get("delivery/?tenant=TENANT2")
    assert "holds a NUL" in console.get("delivery/?tenant=TENANT2%00", 400)


def test_a_list_is_paged(
    supplier: Supplier,
    console: Console,
    problem: Problem,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("supplier_api.console.pages.delivery.listed.PAGE", 1)
    first = console.html("delivery/?tenant=TENANT1")
    assert names(first) == [f"{problem.reference}#2"]
    following = re.search(r'href="/console/(delivery/[^"]*)">Next page', first)
    assert following
    second = console.html(following[1].replace("&amp;", "&"))
    assert names(second) == [f"{problem.reference}#3"]
    assert "Next page" not in second
    assert supplier.problems() == 1


@on_sqlite
def test_a_wrong_filter_is_told(console: Console, problem: Problem) -> None:
    for query, said in {
        "state=lost": "state: expected one of dead, parked",
        "destination=moon": "destination: expected one of gateway, back-office",
        "since=soon": "since: expected an age, as in 12h, or a date-time",
        "since=1h&until=2h": "until: expected a time after since",
        "after=x": "after: expected the number",
        f"after={10**20}": "after: expected the number",
    }.items():
        assert said in console.get(f"delivery/?{query}", 422)
    assert problem.tenant == "TENANT1"
    unknown = console.get("delivery/?tenant=TENANT_1")
    assert "tenant TENANT_1 has no problem; these have: TENANT1" in unknown


@on_sqlite
def test_a_list_follows_what_happens(
    supplier: Supplier, console: Console, problem: Problem
) -> None:
    page = console.html("delivery/?state=dead")
    asked = re.search(r'id="messages"[^>]* hx-get="/console/([^"]*)"', page)
    assert asked
    url = asked[1].replace("&amp;", "&")
    console.html(url, 204)
    other = supplier.opened(id=7, serviceId="SI0000000000099")
    supplier.event(other.reference, "start")
    supplier.answers[1] = REFUSED
    supplier.deliver()
    assert names(console.html(url)) == [f"{problem.reference}#2", f"{other.reference}#1"]


# -- a window


def test_a_window_is_shown_and_then_replayed(
    supplier: Supplier, console: Console, problem: Problem
) -> None:
    window = "delivery/window?destination=gateway&since=3h"
    shown = console.get(window)
    for said in (
        "2 to be replayed",
        f"{problem.reference}#2 refused queued again, due now",
        f"{problem.reference}#3 queued queued, due now",
    ):
        assert said in shown
    assert (
        supplier.services.store.read(lambda uow: OperatorActionRepository(uow).last("kci replay"))
        is None
    )
    form = {"destination": "gateway", "since": "3h", "until": "", "after": "0"}
    assert "2 replayed" in console.done("delivery/window", window, reason="mended", **form)
    assert action(supplier, "kci replay") == ("ann", "mended")
    supplier.deliver()
    assert supplier.told(problem)[1:] == ["2 DELAY/HELD", "3 RESUMED/IN_PROGRESS"]
    assert names(console.html("delivery/")) == []


def test_what_of_a_window_waits_behind_a_dead_letter_is_left(
    console: Console, problem: Problem
) -> None:
    window = "delivery/window?destination=gateway&since=30m"
    waits = f"queued, waits behind {problem.reference}#2, which is refused"
    shown = console.get(window)
    assert f"{problem.reference}#3 queued left: {waits}" in shown
    assert "0 to be replayed, 1 left" in shown
    assert "Reason" not in shown


def test_a_large_window_goes_step_by_step(
    supplier: Supplier,
    console: Console,
    problem: Problem,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    other = supplier.opened(id=7, serviceId="SI0000000000099")
    supplier.event(other.reference, "start")
    supplier.machine.advance(60)
    monkeypatch.setattr("supplier_api.console.pages.delivery.windows.STEP", 1)
    window = "delivery/window?destination=gateway&since=3h"
    first = console.html(window)
    assert names(first) == [f"{problem.reference}#2", f"{problem.reference}#3"]
    assert "there are more problems in the window" in plain(first)
    form = {"destination": "gateway", "since": "3h", "reason": "mended"}
    following = console.done("delivery/window", window, **form)
    assert "2 replayed; these are the next of the window" in following
    assert f"{other.reference}#1 queued" in following


@on_sqlite
def test_a_wrong_window_is_told(console: Console) -> None:
    for query, said in {
        "destination=gateway": "since: expected an age or a date-time",
        "destination=moon&since=3h": "destination: expected one of",
        "destination=gateway&since=soon": "since: expected an age, as in 12h",
        "destination=gateway&since=3h&after=-1": "after: expected the number",
    }.items():
        assert said in console.get(f"delivery/window?{query}", 422)


# -- pauses


def test_delivery_is_paused_and_resumed(
    supplier: Supplier, console: Console, problem: Problem
) -> None:
    assert "no pause is in force" in console.get("delivery/")
    form = {"destination": "gateway", "tenant": problem.tenant, "reason": "their release"}
    paused = console.done("delivery/pause", "delivery/pause", **form)
    assert f"gateway {problem.tenant} paused" in paused
    assert "by ann: their release" in paused
    assert action(supplier, "delivery pause") == ("ann", "their release")

    named = f"delivery/resume?destination=gateway&tenant={problem.tenant}"
    assert "by ann: their release" in console.get(named)
    form["reason"] = "they are back"
    resumed = console.done("delivery/resume", named, **form)
    assert "Delivery goes on" in resumed
    assert "no pause is in force" in resumed
    assert action(supplier, "delivery resume") == ("ann", "they are back")
    assert "That is not paused now" in console.get(named)


def test_the_breaker_is_shown_and_tried_at_once(supplier: Supplier, console: Console) -> None:
    assert "Breaker of the gateway (KCIs) closed" in console.get("delivery/")
    now = supplier.machine.now()
    probe_at = supplier.machine.now().replace(year=now.year + 1)
    supplier.services.store.write(
        lambda uow: PauseRepository(uow).open_breaker(
            GATEWAY, reason="9 of 9 problems failed last", who="w", now=now, probe_at=probe_at
        )
    )
    shown = console.get("delivery/")
    assert "Breaker of the gateway (KCIs) open since" in shown
    assert "9 of 9 problems failed last" in shown
    resume = "delivery/resume?destination=gateway"
    assert "one message is tried at once" in console.get(resume)
    console.done("delivery/resume", resume, destination="gateway", reason="they are back")
    [pause] = supplier.services.store.read(lambda uow: PauseRepository(uow).active(now))
    assert pause.probe
    assert pause.probe.at == now


def test_who_resumes_what_another_has_paused_anew_is_told(
    console: Console, problem: Problem
) -> None:
    gateway = {"destination": "gateway", "reason": "their release"}
    named = "delivery/resume?destination=gateway"
    console.done("delivery/pause", "delivery/pause", **gateway)
    seen = re.search('name="seen" value="([^"]*)"', console.html(named))
    assert seen
    console.done("delivery/resume", named, **gateway)
    again = console.refused("delivery/resume", "delivery/pause", 409, **gateway, seen=seen[1])
    assert "gateway is not paused, and nothing is" in again
    console.be("bob", Role.ADMIN)
    console.done("delivery/pause", "delivery/pause", destination="gateway", reason="a fire")
    console.be("ann", Role.ADMIN)
    told = console.refused("delivery/resume", named, 409, **gateway, seen=seen[1])
    assert "what pauses gateway has changed; now it is" in told
    assert "by bob: a fire" in told
    assert "by bob: a fire" in console.get("delivery/")
    assert problem.tenant == "TENANT1"


@on_sqlite
def test_what_does_not_exist_is_not_paused(console: Console, problem: Problem) -> None:
    said = console.refused(
        "delivery/pause", "delivery/pause", 409, tenant="TENANT_1", reason="their release"
    )
    assert "tenant TENANT_1 has no problem" in said
    assert problem.tenant in said
    console.refused("delivery/pause", "delivery/pause", 422, tenant=problem.tenant)


@on_sqlite
def test_each_role_sees_and_does_what_it_may(console: Console, problem: Problem) -> None:
    pause = {"destination": "gateway", "reason": "their release"}
    console.done("delivery/pause", "delivery/pause", **pause)
    window = "delivery/window?destination=gateway&since=3h"
    resume = "delivery/resume?destination=gateway"
    console.be("olga", Role.OPERATOR)
    page = console.get("delivery/")
    assert "Replay a window" in page
    assert "Resume" not in page
    assert "Pause delivery" not in page
    for path in (resume, "delivery/pause"):
        assert "this needs the role admin" in console.get(path, 403)
    for path in ("delivery/resume", "delivery/pause"):
        console.refused(path, window, 403, **pause)
    console.be("vic", Role.VIEWER)
    page = console.get("delivery/")
    assert f"{problem.reference}#2" in page
    assert "by ann: [personal]" in page
    assert "Replay a window" not in page
    assert "this needs the role operator" in console.get(window, 403)
