"""A browser, and installations that the tests of one module share."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests import postgresql, programs
from tests.system.console.browser import ConsolePage
from tests.system.installation import Installation
from tests.upgraded import upgrade

OpenConsole = Callable[..., ConsolePage]


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """Yield the system's Chromium; without one the test is skipped, or fails in CI."""
    try:
        path = programs.find("chromium")
    except programs.NotInstalled as error:
        if os.environ.get("CI") == "true":
            pytest.fail(f"tests may not be skipped here: {error}")
        pytest.skip(str(error))
    with sync_playwright() as playwright:
        # Root, as in a container, has no sandbox for its browser.
        alone = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=path, args=alone)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def more_settings() -> dict[str, object]:
    """Return further settings of the installation; a module that needs some overrides this."""
    return {}


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def installation(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    more_settings: dict[str, object],
) -> Iterator[Installation]:
    """Yield a running installation whose back office waits for events, once for each engine."""
    folder = tmp_path_factory.mktemp("console")
    with ExitStack() as stack:
        settings: dict[str, object] = {"BACKOFFICE__PACE": "manual", **more_settings}
        if request.param == "postgresql":
            server = request.getfixturevalue("postgresql_server")
            name = f"test_{folder.name.replace('-', '_')}_{os.getpid()}"
            settings["DATABASE__URL"] = stack.enter_context(postgresql.database(server, name))
        made = stack.enter_context(closing(Installation(folder, settings)))
        upgrade(made.database)
        made.start("serve", "worker", "sandbox")
        yield made


@pytest.fixture
def open_console(chromium: Browser, installation: Installation) -> Iterator[OpenConsole]:
    """Return a function that opens a tab on the installation's console."""
    with ExitStack() as stack:

        def made(**options: object) -> ConsolePage:
            page = ConsolePage(chromium, installation.supplier, **options)
            return stack.enter_context(closing(page))

        yield made


@pytest.fixture
def console(open_console: OpenConsole) -> ConsolePage:
    """Return a tab on the console."""
    return open_console()


@pytest.fixture
def shots() -> Path | None:
    """Return the folder where pictures of the pages go, if TEST_SHOTS names one."""
    named = os.environ.get("TEST_SHOTS")
    return Path(named) if named else None
