"""The pages of problems in a browser: found, watched, acted upon."""

from itertools import count

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.system.callers import BackOffice, GatewayCaller
from tests.system.console.browser import ConsolePage
from tests.system.console.conftest import OpenConsole
from tests.system.installation import Installation

pytestmark = pytest.mark.slow

PHONE = {"width": 390, "height": 844}
PERSONAL = "The service keeps dropping between 6pm and 9pm every evening."
_numbers = count(101)


@pytest.fixture
def reference(installation: Installation) -> str:
    """Raise a problem and return our reference of it."""
    return GatewayCaller(installation).raise_problem(next(_numbers))


def unfolded(page: Page, label: str) -> Locator:
    """Unfold the form of that label and return it."""
    page.locator("summary", has_text=label).first.click()
    return page.locator("details[open]", has=page.locator("summary", has_text=label)).locator(
        "form"
    )


def sent(page: Page, label: str, reason: str = "They rang.", **fields: str) -> None:
    """Unfold the form of that label, fill it in and send it."""
    form = unfolded(page, label)
    for name, value in fields.items():
        field = form.locator(f"[name={name}]")
        if name.endswith("Code"):
            field.select_option(value)
        else:
            field.fill(value)
    form.locator("[name=reason]").fill(reason)
    form.get_by_role("button").click()


def test_a_problem_is_found(console: ConsolePage, reference: str) -> None:
    page = console.open("problems/")
    page.get_by_label("Any name of a problem").fill(reference)
    console.click("Find")
    expect(page.get_by_role("heading", level=1)).to_contain_text(reference)
    console.check()

    page = console.open("problems/")
    console.click("Not over")
    expect(page.get_by_role("link", name=reference)).to_be_visible()
    page.locator("summary", has_text="Filter").click()
    page.get_by_label("State").select_option("HELD")
    page.get_by_label("Tenant").fill("NOBODY")
    page.get_by_role("button", name="Filter").click()
    expect(page.get_by_text("No problem fits these filters.")).to_be_visible()
    console.check()

    page = console.open("problems/")
    sent(page, "Search what tenants wrote", text="DROPPING evening")
    expect(page.get_by_role("link", name=reference)).to_be_visible()
    assert "dropping" not in page.url.lower()
    console.check()


def test_its_story_follows_and_the_next_event_is_said(
    console: ConsolePage, installation: Installation, reference: str
) -> None:
    page = console.open(f"problems/{reference}")
    BackOffice(installation).say(reference, "start")
    expect(page.get_by_role("link", name="KCI 1 COMMITTED", exact=True)).to_be_visible()
    expect(page.get_by_text("has changed since the forms")).to_be_visible()
    console.check()
    console.click("Open them anew")

    sent(page, "Put on hold", problemCode="ACCESS_ISSUE", text="The gate is locked.")
    expect(page.get_by_role("status")).to_have_text("You put the work on hold; it is HELD now.")
    expect(page.get_by_text("Because: They rang.")).to_be_visible()
    expect(page.locator(".lane li.delivered", has_text="DELAY")).to_be_visible()
    console.check()

    page.locator("summary", has_text="not possible now").click()
    why = "complete is not possible while the problem is HELD"
    expect(page.get_by_text(why)).to_be_visible()
    sent(page, "Resolve", resolutionCode="NETWORK_CABLING", resolutionText="A joint was renewed.")
    waits_for = "the tenant: to accept or reject the resolution"
    expect(page.get_by_text(waits_for, exact=True)).to_be_visible()
    console.check()


def test_a_race_that_is_lost_does_nothing(
    console: ConsolePage, installation: Installation, reference: str
) -> None:
    page = console.open(f"problems/{reference}")
    form = unfolded(page, "Start work")
    form.locator("[name=reason]").fill("They rang.")
    BackOffice(installation).say(reference, "cancel", problemCode="OTHER")
    console.expected = {409, 412}
    form.get_by_role("button").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(f"{reference} has changed meanwhile")
    expect(page.get_by_text("The back office cancelled the problem")).to_be_visible()
    console.check()
    console.click("Open the problem anew")
    expect(page.get_by_text("Nothing: it is over.")).to_be_visible()
    console.check()


def test_what_is_personal_is_shown_once(console: ConsolePage, reference: str) -> None:
    page = console.open(f"problems/{reference}")
    expect(page.get_by_text(PERSONAL)).to_have_count(0)
    sent(page, "Show what is personal")
    expect(page.get_by_text(PERSONAL)).to_be_visible()
    console.check()
    page = console.open(f"problems/{reference}")
    expect(page.get_by_text(PERSONAL)).to_have_count(0)
    expect(page.get_by_text("looked at what is personal in it")).to_be_visible()


def test_what_is_personal_is_erased_once_all_is_delivered(
    console: ConsolePage, installation: Installation, reference: str
) -> None:
    page = console.open(f"problems/{reference}")
    page.locator("summary", has_text="Erase personal data").click()
    expect(page.get_by_text("its personal data is erased when it is over")).to_be_visible()
    console.check()
    BackOffice(installation).say(reference, "cancel", problemCode="OTHER", text=PERSONAL)
    expect(page.locator(".lane li.delivered", has_text="CANCELLED")).to_be_visible()
    expect(page.locator(".lane", has_text="waiting")).to_have_count(0)

    page = console.open(f"problems/{reference}")
    sent(page, "Erase personal data", "request 17")

    expect(page.get_by_role("status")).to_contain_text("personal values or texts erased")
    expect(page.get_by_text("erased what was personal in it")).to_be_visible()
    console.check()
    sent(page, "Show what is personal")
    expect(page.get_by_text(PERSONAL)).to_have_count(0)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_pages_are_fit_for_a_phone(
    open_console: OpenConsole, reference: str, scheme: str
) -> None:
    console = open_console(viewport=PHONE, color_scheme=scheme)
    console.open("problems/")
    console.check()
    page = console.open(f"problems/{reference}")
    page.locator("summary", has_text="Put on hold").click()
    console.check()


def test_what_one_reads_stays_open_and_focused_when_news_come(
    console: ConsolePage, installation: Installation, reference: str
) -> None:
    page = console.open(f"problems/{reference}")
    read = page.locator("details", has_text="What the rules read").first
    summary = read.locator("summary").first
    summary.click()
    expect(read).to_have_attribute("open", "")
    BackOffice(installation).say(reference, "start")
    expect(page.locator("main")).to_contain_text("The back office started work")
    expect(read).to_have_attribute("open", "")
    expect(summary).to_be_focused()
