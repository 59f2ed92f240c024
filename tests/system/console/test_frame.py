"""What stands round every page of the console."""

import pytest
import requests

from tests.system.console.browser import ConsolePage
from tests.system.installation import Installation

pytestmark = pytest.mark.slow

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


def test_a_page_elsewhere_cannot_use_a_name_of_its_own(installation: Installation) -> None:
    url = f"{installation.supplier}/console/overview/"
    answer = requests.get(url, headers={"Host": "evil.example"}, timeout=10)
    assert answer.status_code == 421
