"""The overview and the queue of work for people, driven in a browser."""

import pytest
from playwright.sync_api import Page, expect

from tests.system.console.browser import ConsolePage
from tests.system.installation import Installation

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", autouse=True)
def people(installation: Installation) -> None:
    """Have work orders go to people."""
    installation.kill("worker")
    installation.give("worker", BACKOFFICE__ADAPTER="manual")
    installation.start("worker")


def raised(installation: Installation, *options: str) -> None:
    """Have a tenant raise a problem."""
    installation.told("sandbox", "raise", *options)


def pressed(console: ConsolePage, label: str, **fields: str) -> Page:
    """Unfold a form if it is folded, fill it in, and send it."""
    page = console.page
    folded = page.locator("summary", has_text=label)
    if folded.count():
        folded.click()
    form = page.locator("form", has=page.get_by_role("button", name=label, exact=True))
    for name, value in fields.items():
        field = form.locator(f'[name="{name}"]')
        if field.evaluate("each => each.tagName") == "SELECT":
            field.select_option(value)
        else:
            field.fill(value)
    form.get_by_role("button", name=label, exact=True).click()
    return page


def test_a_decision_is_found_taken_handed_back_and_made(
    console: ConsolePage, installation: Installation
) -> None:
    raised(installation, "--scenario", "SERVICE_PROBLEM_DEFERRED")
    page = console.open("overview/")
    console.check()
    page.get_by_role("link", name="Answered 202 and undecided").click()
    page.get_by_role("link", name="Accept or reject the problem").first.click()
    pressed(console, "Take")
    expect(page.get_by_text("is yours.")).to_be_visible()
    console.check()
    pressed(console, "Hand back", reason="my shift is over")
    expect(page.get_by_text("is nobody's now.")).to_be_visible()
    pressed(console, "Take")
    console.check()
    pressed(
        console,
        "Reject the problem",
        problemCode="OTHER",
        text="No such line is known.",
        reason="looked at the records",
    )
    expect(page.get_by_text("is decided: the problem is REJECTED.")).to_be_visible()
    expect(page.get_by_text("There is nothing to do here.")).to_be_visible()
    console.check()


def test_an_accepted_problem_is_worked_on_and_done(
    console: ConsolePage, installation: Installation
) -> None:
    raised(installation, "--scenario", "SERVICE_PROBLEM_DEFERRED")
    page = console.open("work/")
    page.get_by_role("link", name="Accept or reject the problem").first.click()
    pressed(console, "Take")
    pressed(console, "Accept the problem", reason="it is ours")
    expect(page.get_by_text("is decided: the problem is ACKNOWLEDGED.")).to_be_visible()
    page.get_by_role("link", name="Work on the problem").first.click()
    console.check()
    pressed(console, "Done", reason="told the field team")
    expect(page.get_by_text("is done.")).to_be_visible()
    console.check()


def test_the_queue_follows_what_is_raised(console: ConsolePage, installation: Installation) -> None:
    page = console.open("work/?free=1")
    before = page.locator("tbody th").count()
    raised(installation)
    expect(page.locator("tbody th")).to_have_count(before + 1)
    console.check()


def test_the_overview_counts_what_is_raised(
    console: ConsolePage, installation: Installation
) -> None:
    page = console.open("overview/")
    raised(installation, "--scenario", "SERVICE_PROBLEM_DEFERRED")
    expect(page.get_by_role("link", name="UNDECIDED", exact=True)).to_be_visible()
    page.get_by_text("All that was looked at").click()
    console.check()
