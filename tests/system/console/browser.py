"""A page in the system's Chromium, which fails a test for what a person would stumble over."""

from pathlib import Path
from typing import Any
from urllib.parse import urljoin

from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, Response

from tests.waiting import PATIENCE

AXE = (Path(__file__).parent / "axe_core" / "axe.min.js").read_text(encoding="utf-8")
SERIOUS = {"serious", "critical"}
# Runs in the page's own world, so that the page's Content-Security-Policy stays as it is.
RUN_AXE = """
;axe.run().then(result => result.violations.map(
    each => [each.impact, each.id, each.nodes.slice(0, 3).map(node => node.html)]))
"""


class ConsolePage:
    """The console in one tab. `wrong` is what the browser complained of."""

    def __init__(self, browser: Browser, url: str, **options: Any) -> None:
        """Open a tab; addresses are relative to `url`, options are those of a browser context."""
        self._context = browser.new_context(**options)
        self.page: Page = self._context.new_page()
        self.page.set_default_timeout(PATIENCE * 1000)
        self.wrong: list[str] = []
        # Answers that a test expects, as 409: the browser logs them as errors.
        self.expected: set[int] = set()
        self._url = f"{url}/console/"
        self.page.on("console", self._logged)
        self.page.on("pageerror", lambda error: self.wrong.append(f"error: {error}"))
        self.page.on("response", self._answered)

    def open(self, path: str) -> Page:
        """Go to a page, which must be 200."""
        answer = self.page.goto(urljoin(self._url, path))
        assert answer is not None
        assert answer.status == 200, f"{path}: {answer.status}"
        return self.page

    def click(self, name: str) -> None:
        """Press the button, or follow the link, of this name."""
        self.button_or_link(name).click()

    def button_or_link(self, name: str) -> Locator:
        """Return the first button or link of this name."""
        button = self.page.get_by_role("button", name=name, exact=True)
        return button.or_(self.page.get_by_role("link", name=name, exact=True)).first

    def check(self) -> None:
        """Fail for what axe finds serious, for errors, and for a page wider than the window."""
        found = [each for each in self.page.evaluate(AXE + RUN_AXE) if each[0] in SERIOUS]
        assert found == [], f"{self.page.url}: {found}"
        wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        assert self.page.evaluate(wide) <= 0, f"{self.page.url}: wider than the window"
        assert self.wrong == []

    def close(self) -> None:
        """Close the tab; fail for what the browser complained of."""
        self._context.close()
        assert self.wrong == []

    def _logged(self, message: ConsoleMessage) -> None:
        # What was answered with an error is judged by its status.
        if message.type in {"error", "warning"} and "Failed to load resource" not in message.text:
            self.wrong.append(f"{message.type}: {message.text}")

    def _answered(self, response: Response) -> None:
        if response.status >= 400 and response.status not in self.expected:
            self.wrong.append(f"{response.status}: {response.url}")
