"""The page Back office in a browser: each of its acts, with a ticket system behind it."""

import json
from collections.abc import Iterator
from itertools import count

import pytest
import requests
from playwright.sync_api import Page, expect

from supplier_api.sandbox.sample_desk.web import RunningDesk
from tests.system.callers import GatewayCaller
from tests.system.console.browser import ConsolePage
from tests.system.installation import Installation
from tests.waiting import PATIENCE, eventually

pytestmark = pytest.mark.slow

HOOK_TOKEN = "token-of-the-desk-s-webhooks"
_numbers = count(101)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDesk]:
    """Yield a ticket system, which sends no webhooks."""
    with RunningDesk(tmp_path_factory.mktemp("desk") / "desk.db") as running:
        yield running


@pytest.fixture(scope="module")
def more_settings(desk: RunningDesk) -> dict[str, object]:
    """Return the settings of an installation whose back office is that ticket system."""
    return {
        "BACKOFFICE__ADAPTER": "sample-desk",
        "BACKOFFICE__OPTIONS__URL": desk.url,
        "BACKOFFICE__HOOK_TOKEN": HOOK_TOKEN,
        # What the desk says is found out by the tests' own hands alone.
        "POLLING__EVERY": 3600,
        "POLLING__RECONCILE_EVERY": 36000,
    }


@pytest.fixture
def ticket(installation: Installation, desk: RunningDesk) -> dict[str, str]:
    """Raise a problem; return its ticket when the desk has made it."""
    reference = GatewayCaller(installation).raise_problem(next(_numbers))
    eventually(lambda: bool(desk.desk.tickets(reference, "")), "the desk to make the ticket")
    found: dict[str, str] = desk.desk.tickets(reference, "")[0]
    return found


def hook(installation: Installation, body: str) -> None:
    """Send a webhook as the desk would."""
    answer = requests.post(
        f"{installation.supplier}/back-office/v1/hooks/sample-desk",
        data=body,
        headers={"Authorization": f"Bearer {HOOK_TOKEN}", "Content-Type": "application/json"},
        timeout=PATIENCE,
    )
    assert answer.status_code == 204, answer.text


def unfold(page: Page, label: str) -> None:
    page.locator("summary", has_text=label).first.click()


def test_the_adapter_is_pinged(console: ConsolePage) -> None:
    page = console.open("back-office/")
    console.check()
    console.click("Ping")
    expect(page.get_by_role("status")).to_contain_text("The back office answers")
    console.check()


def test_the_mapping_is_shown(console: ConsolePage) -> None:
    page = console.open("back-office/mapping")
    unfold(page, "The file, as it is read")
    console.check()


def test_tickets_are_compared_and_applied(
    console: ConsolePage, desk: RunningDesk, ticket: dict[str, str]
) -> None:
    desk.desk.change(ticket["number"], {"status": "Working"})
    page = console.open("back-office/comparison")
    console.click("Compare")
    row = page.locator("tr", has_text=ticket["reference"])
    expect(row).to_contain_text("behind")
    console.check()
    unfold(page, "Compare, and apply what tickets say")
    page.get_by_label("Reason").fill("It was lost on the way.")
    console.click("Compare and apply")
    expect(page.locator("tr", has_text=ticket["reference"])).to_contain_text("applied")
    console.check()


def test_a_ticket_that_is_apart_is_looked_at_again(
    console: ConsolePage, installation: Installation, desk: RunningDesk, ticket: dict[str, str]
) -> None:
    now = desk.desk.change(ticket["number"], {"status": "Rejected", "note": "No."})
    hook(installation, json.dumps({"ticket": now}))
    page = console.open("back-office/tickets")
    expect(page.locator("tr", has_text=ticket["reference"])).to_contain_text("Rejected: REJECTED")
    console.check()
    desk.desk.change(ticket["number"], {"status": "Working"})
    console.click(f"Look at {ticket['number']} again")
    page.get_by_label("Reason").fill("The desk has mended it.")
    console.click("Look again")
    expect(page.get_by_role("status")).to_contain_text(f"The ticket {ticket['number']} is followed")
    expect(page.locator("tr", has_text=ticket["reference"])).to_have_count(0)
    console.check()


def test_a_webhook_that_failed_is_looked_into_replayed_and_skipped(
    console: ConsolePage, installation: Installation
) -> None:
    number = next(_numbers)
    hook(installation, f'{{"caller": "Mrs Smith {number}"}}')
    page = console.open("back-office/inbox")
    first = page.locator("tr", has_text="not understood").first
    # A worker tries it within the moment, and the list follows.
    expect(first).to_contain_text("failed")
    console.check()
    first.get_by_role("link").click()
    expect(page.locator("#body")).not_to_contain_text("Mrs Smith")
    console.check()
    unfold(page, "Show it as it came")
    page.get_by_label("Reason").locator("visible=true").fill("What did they send?")
    console.click("Show it")
    expect(page.locator("#body")).to_contain_text(f"Mrs Smith {number}")
    console.check()
    unfold(page, "Replay it")
    page.get_by_label("Reason").locator("visible=true").fill("The mapping is mended.")
    console.click("Replay")
    expect(page.get_by_role("status")).to_contain_text("failed before")
    unfold(page, "Skip it")
    page.get_by_label("Reason").locator("visible=true").fill("A test of theirs.")
    console.click("Skip")
    expect(page.get_by_role("status")).to_contain_text("skipped now")
    console.check()


def test_an_incident_is_declared_watched_and_ended(
    console: ConsolePage, ticket: dict[str, str]
) -> None:
    code, reference = f"INC{next(_numbers)}", ticket["reference"]
    page = console.open("back-office/incidents")
    page.get_by_label("Its id").fill(code)
    page.get_by_label("Or the services of these problems").fill(reference)
    page.get_by_label("Reason").fill("A cable was cut.")
    console.click("Declare")
    # It joins while somebody watches.
    row = page.locator("tr", has_text=reference)
    expect(row).to_contain_text("NETWORK_INCIDENT")
    expect(row).to_contain_text("delivered")
    console.check()
    unfold(page, "End it")
    page.get_by_label("Reason").fill("It is mended.")
    console.click("End the incident")
    expect(row).to_contain_text("until 20")
    console.check()
    console.open("back-office/incidents")
    console.check()
