"""The page Delivery in a browser: each of its acts."""

import re

import pytest
from playwright.sync_api import Locator, expect

from tests.system.console.browser import ConsolePage
from tests.system.console.conftest import OpenConsole
from tests.system.console.refusing import (
    NAMED,
    RefusedKci,
    more_settings,
    refused,
    refusing_gateway,
)
from tests.system.gateway import Gateway

__all__ = ["more_settings", "refused", "refusing_gateway"]

pytestmark = pytest.mark.slow


def act(console: ConsolePage, button: str | re.Pattern[str], reason: str = "for a test") -> None:
    """Give the reason for an act, and press its button."""
    pressed = console.page.get_by_role("button", name=button, exact=True)
    form = console.page.locator("form", has=pressed)
    form.get_by_label("Reason").fill(reason)
    pressed.click()


def notice(console: ConsolePage) -> Locator:
    return console.page.locator("main > .notice").first


def test_a_list_follows_and_a_dead_letter_is_skipped(
    console: ConsolePage, refused: RefusedKci
) -> None:
    console.open("delivery/?state=dead")
    listed = console.page.get_by_role("link", name=refused.name, exact=True)
    expect(listed).to_be_visible()
    console.check()
    listed.click()
    act(console, "Skip", "not for the tenant")
    expect(notice(console)).to_contain_text("queued again (withdrawn), due now")
    refused.wait_for([204, 422, 204])
    sent = refused.arrivals()[-1].document
    assert sent["text"] == "update 2 was withdrawn: not for the tenant"
    expect(console.page.locator(".standing")).to_contain_text("delivered")
    console.check()
    console.open("delivery/?state=dead")
    expect(listed).to_have_count(0)


def test_a_dead_letter_is_replayed(console: ConsolePage, refused: RefusedKci) -> None:
    console.open("delivery/")
    console.click(refused.name)
    act(console, "Replay")
    expect(notice(console)).to_contain_text("queued again, due now")
    refused.wait_for([204, 422, 422])  # it names him still
    attempts = console.page.get_by_role("region", name="Attempts").get_by_role("row")
    expect(attempts).to_have_count(4)  # the first, what was done, the second, and their head
    console.check()
    console.page.reload()
    act(console, "Skip")
    refused.wait_for([204, 422, 422, 204])


def test_a_window_is_shown_and_replayed(
    console: ConsolePage, refused: RefusedKci, refusing_gateway: Gateway
) -> None:
    page = console.open("delivery/")
    window = page.locator("form", has=page.get_by_role("button", name="Show what would be done"))
    window.get_by_label("Made since").fill("1h")
    console.click("Show what would be done")
    expect(page.get_by_role("row", name=refused.name)).to_contain_text("queued again, due now")
    console.check()
    act(console, re.compile(r"Replay \d+"))
    expect(notice(console)).to_contain_text("replayed")
    refused.wait_for([204, 422, 422])
    assert refusing_gateway.arrivals(refused.gateway_id)[-1].number == 2
    console.check()
    page.get_by_role("link", name=refused.name, exact=True).click()
    act(console, "Skip")
    refused.wait_for([204, 422, 422, 204])


def test_delivery_is_paused_and_resumed(open_console: OpenConsole, refused: RefusedKci) -> None:
    console = open_console()
    page = console.open("delivery/")
    console.click("Pause delivery")
    console.check()
    page.get_by_label("Destination").select_option("gateway")
    act(console, "Pause", "their release")
    expect(notice(console)).to_contain_text("Paused: gateway")
    expect(page.get_by_role("region", name="Pauses in force")).to_contain_text("their release")
    console.check()
    console.click(refused.name)
    act(console, "Skip")
    expect(page.locator(".standing")).to_contain_text("queued")
    other = open_console()
    other.open(page.url)
    console.open("delivery/")
    page.get_by_role("link", name="Resume gateway").click()
    console.check()
    act(console, "Resume", "they are back")
    expect(notice(console)).to_contain_text("Delivery goes on")
    expect(page.locator("#pauses")).to_contain_text("no pause is in force")
    refused.wait_for([204, 422, 204])
    expect(other.page.get_by_text("This message has changed since")).to_be_visible()
    other.check()
    other.click("Load it again")
    no_more = other.page.get_by_role("button", name="Replay", exact=True)
    expect(no_more).to_be_disabled()
    expect(no_more).to_have_accessible_description(re.compile("is delivered .*no replay"))
    other.check()


def test_it_works_without_javascript_on_a_phone(
    open_console: OpenConsole, refused: RefusedKci
) -> None:
    phone = {"width": 390, "height": 844}
    console = open_console(java_script_enabled=False, viewport=phone)
    page = console.open("delivery/?state=dead")
    console.click(refused.name)
    act(console, "Open and edit")
    body = page.get_by_label("The new body, as JSON")
    body.fill(body.input_value().replace(NAMED, ""))
    console.click("Check")
    expect(page.locator("#findings")).to_contain_text("resolutionText: expected")
    expect(page.locator("#body")).not_to_contain_text(NAMED)
    body.fill(page.locator("#body").input_value().replace('Text": ""', 'Text": "A cable."'))
    console.click("Check")
    expect(page.locator("#findings")).to_contain_text("This may be sent")
    act(console, "Send the edited KCI")
    expect(notice(console)).to_contain_text("queued again (edited), due now")
    refused.wait_for([204, 422, 204])
