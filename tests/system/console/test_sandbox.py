"""The page Sandbox as a newcomer uses it: a problem raised, watched, answered; clock and faults."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.system.console.browser import ConsolePage
from tests.system.console.conftest import OpenConsole
from tests.system.installation import Installation
from tests.waiting import PATIENCE

pytestmark = pytest.mark.slow

RESOLUTION = ["--resolution-code", "NETWORK_CABLING", "--resolution-text", "A joint was replaced."]


def raised(console: ConsolePage, button: str = "Raise it, let the rules decide") -> str:
    """Raise a problem by a button; return the gateway's id of it."""
    console.open("sandbox/")
    console.click(button)
    console.page.wait_for_url("**id=*")
    console.check()
    found = re.search(r"[?&]id=(\d+)", console.page.url)
    assert found
    return found[1]


def sees(page: Page, sentence: str) -> None:
    """Wait until the drawing has a step that says this."""
    words = page.locator(".steps .words").get_by_text(sentence)
    expect(words).to_be_attached(timeout=PATIENCE * 1000)


def test_a_problem_travels_before_ones_eyes(
    console: ConsolePage, installation: Installation, shots: Path | None
) -> None:
    console.open("")
    assert console.page.url.endswith("/console/sandbox/")
    number = raised(console)
    page = console.page
    sees(page, "the supplier answers 201 ACKNOWLEDGED")
    expect(page.get_by_text("The simulated back office waits for you")).to_be_visible()

    installation.told("problem", "event", number, "start")
    sees(page, "KCI 1 COMMITTED: 204 taken; the tenant sees IN_PROGRESS")
    expect(page.locator("#tenant").get_by_text("COMMITTED")).to_be_visible()
    installation.told("problem", "event", number, "resolve", *RESOLUTION)
    sees(page, "KCI 2 RESOLVED: 204 taken; the tenant sees RESOLVED")
    console.check()
    if shots:
        page.screenshot(path=shots / "sandbox.png", full_page=True)

    page.get_by_text("Accept or reject the resolution", exact=True).click()
    console.click("Accept")
    expect(page.get_by_text("is ACCEPTED")).to_be_visible()
    sees(page, "The tenant answers the resolution")
    console.check()


def test_a_tenant_amends_and_cancels(console: ConsolePage) -> None:
    raised(console)
    page = console.page
    sees(page, "201 ACKNOWLEDGED")

    page.get_by_text("Amend it", exact=True).click()
    console.click("Amend")
    expect(page.get_by_text("The gateway has it: amendment")).to_be_visible()
    sees(page, "The tenant amends it")
    page.get_by_text("Cancel it", exact=True).click()
    console.click("Cancel the problem")
    expect(page.get_by_text("The gateway has it: cancellation")).to_be_visible()
    sees(page, "The tenant cancels it")
    console.check()


def test_one_click_plays_a_scenario_and_the_journal_shows_its_call(console: ConsolePage) -> None:
    raised(console, "Rejected")
    page = console.page
    sees(page, "the supplier answers 422 refused")
    expect(page.get_by_text("No problem came of it.")).to_be_visible()

    page.locator(".steps a").first.click()
    console.check()
    page.locator(".call h2 a").first.click()
    expect(page.get_by_role("heading", name="Why it was refused")).to_be_visible()
    console.check()


def test_the_clock_takes_a_resolution_to_its_closure(
    console: ConsolePage, installation: Installation
) -> None:
    number = raised(console)
    page = console.page
    sees(page, "201 ACKNOWLEDGED")
    installation.told("problem", "event", number, "resolve", *RESOLUTION)
    sees(page, "the tenant sees RESOLVED")

    console.click("5 days on")

    sees(page, "the tenant sees COMPLETED")
    console.open("sandbox/clock")
    console.click("Stop it")
    expect(page.locator("#clocks").get_by_text("stands at").first).to_be_visible()
    console.check()
    console.click("Let it run")
    expect(page.get_by_text("Every clock: let it run.")).to_be_visible()


def test_a_fault_is_switched_on_and_off(console: ConsolePage) -> None:
    page = console.open("sandbox/faults")
    console.check()
    console.click("duplicate")
    console.click("Switch it on")
    expect(page.get_by_text("duplicate is on for 1 calls of TENANT1.")).to_be_visible()
    console.check()

    console.click("Switch it off")
    expect(page.get_by_text("duplicate is off.")).to_be_visible()
    console.check()


def test_it_is_for_a_phone_and_the_dark_too(open_console: OpenConsole) -> None:
    phone = open_console(viewport={"width": 390, "height": 844}, color_scheme="dark")
    raised(phone)
    expect(phone.page.locator(".steps .words").first).to_be_visible()
    for path in ("sandbox/", "sandbox/clock", "sandbox/faults?kind=in/status", "sandbox/journal"):
        phone.open(path)
        phone.check()


def test_who_has_no_script_can_do_it_as_well(open_console: OpenConsole) -> None:
    plain = open_console(java_script_enabled=False)
    page = plain.open("sandbox/")
    plain.click("Raise it, let the rules decide")
    expect(page.get_by_text("watch it travel.")).to_be_visible()


# The last one: it takes the others' problems away.
def test_everything_begins_anew(console: ConsolePage) -> None:
    raised(console)
    page = console.open("sandbox/clock")
    page.locator("form[action$=reset] select").select_option("all")
    page.get_by_label("Yes, delete it").check()
    console.click("Begin anew")

    expect(page.get_by_text("There is no problem yet.")).to_be_visible()
    console.check()


def test_a_gateway_that_is_away_is_said(console: ConsolePage, installation: Installation) -> None:
    raised(console)
    installation.stop("sandbox")
    page = console.open("sandbox/")

    expect(page.get_by_text("Nothing answers at")).to_be_visible()
    console.check()
    console.expected = {502}
    console.click("Raise it, let the rules decide")
    expect(page.get_by_text("is the sandbox gateway running?")).to_be_visible()
