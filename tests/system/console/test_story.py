"""What an operator lives through: an update that was refused, and a race that was lost."""

import json

import pytest
from playwright.sync_api import expect

from tests.system.console.browser import ConsolePage
from tests.system.console.conftest import OpenConsole, on_both_engines
from tests.system.console.refusing import (
    NAMED,
    UNNAMED,
    RefusedKci,
    more_settings,
    refused,
    refusing_gateway,
)
from tests.system.gateway import Arrival
from tests.system.installation import Installation

__all__ = ["more_settings", "refused", "refusing_gateway"]

pytestmark = [pytest.mark.slow, on_both_engines]

DETAILS = "serviceProblemResolution.resolutionDetails"


def resolution_text(kci: Arrival) -> str:
    return str(kci.document["serviceProblemResolution"]["resolutionDetails"]["resolutionText"])


def open_to_edit(console: ConsolePage, name: str) -> None:
    """Go to the message from the list, and open it."""
    console.page.get_by_role("link", name=name, exact=True).click()
    acts = console.page.get_by_role("region", name="What can be done")
    edit = acts.locator("form", has=console.page.get_by_role("button", name="Open and edit"))
    edit.get_by_label("Reason").fill("the gateway refused it")
    console.click("Open and edit")


def test_a_refused_resolved_is_found_edited_and_sent_and_the_record_mended(
    console: ConsolePage, refused: RefusedKci
) -> None:
    page = console.open("overview/")
    page.get_by_role("link", name="Mend dead letters").click()
    page.get_by_role("link", name=refused.name, exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_contain_text(f"{refused.name} RESOLVED")
    expect(page.locator("main")).not_to_contain_text("Mr Smith")
    console.check()

    page.go_back()
    open_to_edit(console, refused.name)
    expect(page.locator("main")).to_contain_text("text: not what the tenant may be told")
    body = page.get_by_label("The new body, as JSON")
    body.fill(body.input_value().replace(NAMED, ""))
    findings = page.locator("#findings")
    expect(findings).to_contain_text("This may not be sent")  # an empty text, seen as one types
    body.fill(body.input_value().replace('"resolutionText": ""', f'"resolutionText": "{UNNAMED}"'))
    expect(findings).to_contain_text("This may be sent")
    page.get_by_label("Mend the record too").check()
    expect(findings).to_contain_text(f'In the record: {DETAILS}.resolutionText: "{NAMED}" -> ')
    console.check()
    page.get_by_label("Reason").fill("it named a person")
    console.click("Send the edited KCI")

    expect(page.locator(".notice").first).to_contain_text("queued again (edited), due now")
    expect(page.locator(".standing")).to_contain_text("delivered")  # as it is, without a click
    console.check()
    # The next update shows the record: it is without the fault.
    refused.back_office.say(refused.reference, "complete")
    refused.wait_for([204, 422, 204, 204])
    _, first, sent, following = refused.arrivals()
    assert (sent.id, sent.number, following.number) == (first.id, 2, 3)
    assert [resolution_text(each) for each in (sent, following)] == [UNNAMED, UNNAMED]


def test_a_race_lost_says_what_happened_meanwhile_and_nothing_is_done_twice(
    installation: Installation, open_console: OpenConsole, refused: RefusedKci
) -> None:
    ann, bob = open_console(), open_console()
    ann.open("delivery/?state=dead")
    open_to_edit(ann, refused.name)
    ann.page.wait_for_url("**/opened")
    bob.open(ann.page.url)
    for console in (ann, bob):
        body = console.page.get_by_label("The new body, as JSON")
        body.fill(body.input_value().replace(NAMED, UNNAMED))
        console.page.get_by_label("Reason").fill("it named a person")
    bob.click("Send the edited KCI")
    expect(bob.page.locator(".standing")).to_contain_text("delivered")

    ann.expected.add(409)
    ann.click("Send the edited KCI")

    findings = ann.page.locator("#findings")
    expect(findings).to_contain_text(f"{refused.name} has changed since this page was made")
    expect(findings).to_contain_text("kci edit by local: it named a person")
    expect(findings).to_contain_text("delivered 204")
    ann.check()
    refused.wait_for([204, 422, 204])
    shown = json.loads(installation.told("kci", "show", refused.name, "--json"))
    assert [each["action"] for each in shown["actions"]].count("kci edit") == 1
