"""The page Rules in a browser: the book, a request to try, a draft to judge."""

import pytest

from tests.system.console.browser import ConsolePage

pytestmark = pytest.mark.slow


def test_the_book_and_what_it_did(console: ConsolePage) -> None:
    console.open("rules/")
    console.check()
    console.click("What it would have done")
    console.check()
    console.click("Hits")
    console.click("Count")
    console.check()


def test_a_request_is_tried(console: ConsolePage) -> None:
    page = console.open("rules/try")
    page.get_by_label("Problems open on the service").fill("SP_12345")
    console.click("Try it")
    page.get_by_text("decided by already-open").wait_for()
    console.check()
    console.expected = {422}
    page.get_by_label("Request, as the gateway sends it").fill("{}")
    console.click("Try it")
    page.get_by_text("no rule is asked").wait_for()
    console.check()


def test_a_draft_is_judged_and_back_tested(console: ConsolePage) -> None:
    page = console.open("rules/draft")
    console.click("Begin with the book in use")
    draft = page.get_by_role("textbox", name="The draft")
    draft.fill(draft.input_value().replace("problem: acknowledge", "problem: commit"))
    console.click("Check and back-test it")
    page.get_by_role("heading", name="What it would have changed").wait_for()
    console.check()
    console.expected = {422}
    draft.fill("rules: []")
    console.click("Check it")
    page.get_by_text("It cannot be used").wait_for()
    console.check()
