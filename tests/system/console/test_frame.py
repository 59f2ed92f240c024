"""What stands round every page of the console."""

import re

import pytest
import requests

from tests.system.console.browser import ConsolePage
from tests.system.console.conftest import on_both_engines
from tests.system.installation import Installation, new_session
from tests.waiting import PATIENCE

pytestmark = [pytest.mark.slow, on_both_engines]

PAGES = ["overview", "problems", "work", "delivery", "rules", "back-office", "audit"]


@pytest.mark.parametrize("page", PAGES)
def test_every_page_is_fit_for_all(console: ConsolePage, page: str) -> None:
    console.open(f"{page}/")
    console.check()


def test_a_part_follows_what_happens(console: ConsolePage) -> None:
    console.open("overview/")
    with console.page.expect_response(lambda answer: "/news?seen=" in answer.url) as news:
        pass
    assert news.value.status in {200, 204}


def test_a_part_stays_while_it_cannot_be_made_and_follows_again(console: ConsolePage) -> None:
    console.expected.add(503)
    page = console.open("overview/")
    page.route("**/overview/news*", lambda route: route.fulfill(status=503, body="<p>down</p>"))
    with page.expect_response(lambda answer: answer.status == 503):
        pass
    page.unroute("**/overview/news*")
    with page.expect_response(lambda answer: "/news?seen=" in answer.url) as news:
        pass
    assert news.value.status in {200, 204}
    assert "down" not in page.locator("main").inner_text()


def test_a_page_elsewhere_cannot_use_a_name_of_its_own(installation: Installation) -> None:
    url = f"{installation.supplier}/console/overview/"
    answer = requests.get(url, headers={"Host": "evil.example"}, timeout=PATIENCE)
    assert answer.status_code == 421


def test_a_form_as_long_as_a_draft_arrives_whole(installation: Installation) -> None:
    """Longer than what the other doors take, which share a port with the console here."""
    url = f"{installation.supplier}/console/sign-in/"
    with new_session() as session:
        found = re.search(
            r'name="csrf_token" value="([^"]+)"', session.get(url, timeout=PATIENCE).text
        )
        assert found
        form = {"csrf_token": found[1], "name": "nobody", "password": "x", "next": "x" * 1_000_000}
        answer = session.post(url, data=form, timeout=PATIENCE)
    assert answer.status_code == 422
    assert "name or password is wrong" in answer.text
