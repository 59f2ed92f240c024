"""Takes pictures of the console's pages: light, dark, and as wide as a phone.

    python -m scripts.console_pictures [NAME ...]

Runs an installation with problems in all kinds of states; writes docs/images/console.
Needs Chromium; pngquant makes the files small where it is there.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import closing
from typing import Any

import requests
from playwright.sync_api import Browser, sync_playwright

from scripts.benchmarks.gateway import running_chain
from scripts.benchmarks.processes import ROOT, supplier_api
from tests.programs import find
from tests.system.gateway import Gateway

FOLDER = ROOT / "docs" / "images" / "console"
WIDE: dict[str, Any] = {"viewport": {"width": 1200, "height": 800}}
KINDS: Mapping[str, dict[str, Any]] = {
    "light": {**WIDE, "color_scheme": "light"},
    "dark": {**WIDE, "color_scheme": "dark"},
    "phone": {"viewport": {"width": 390, "height": 844}, "color_scheme": "light"},
}
PAGES = {
    "sandbox": "sandbox/",
    "overview": "overview/",
    "problems": "problems/",
    "problem": "problems/?q=",
    "work": "work/",
    "delivery": "delivery/",
    "message": "delivery/",
    "rules": "rules/",
    "back-office": "back-office/",
    "audit": "audit/",
    "people": "people/",
}
SCENARIOS = (
    "SERVICE_PROBLEM_DELAYED?delay=1",
    "SERVICE_PROBLEM_PENDING?delay=1",
    "SERVICE_PROBLEM_REJECTED",
    "SERVICE_PROBLEM_NETWORK_INCIDENT?delay=60",
    "SERVICE_PROBLEM_DEFERRED?delay=3600",
    "SERVICE_PROBLEM_DEFERRED?delay=3600",
    "SERVICE_PROBLEM_ACKNOWLEDGED",
    "SERVICE_PROBLEM_SUCCESSFUL?delay=1",
)
SETTLED = 25.0  # seconds, in which all that moves has moved


def main() -> None:
    """Take the pictures that are named, or all."""
    names = sys.argv[1:] or list(PAGES)
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, running_chain(folder, "--no-sample") as chain:
        supplier = str(chain["supplier"])
        reference = _fill(supplier, str(chain["sandbox"]), folder)
        with sync_playwright() as playwright:
            alone = ["--no-sandbox"] if os.geteuid() == 0 else []
            browser = playwright.chromium.launch(executable_path=find("chromium"), args=alone)
            for name in names:
                _take(browser, f"{supplier}/console/", name, reference)
            browser.close()
    if pngquant := shutil.which("pngquant"):
        files = [str(FOLDER / f"{name}-{kind}.png") for name in names for kind in KINDS]
        subprocess.run([pngquant, "--force", "--ext", ".png", "64", *files], check=True)


def _fill(supplier: str, sandbox: str, folder: str) -> str:
    """Raise problems; return the reference of the one whose RESOLVED was refused."""
    environ = {
        **os.environ,
        "SUPPLIER_API_DATA_DIR": folder,
        "SUPPLIER_API__SERVER__PORT": supplier.rpartition(":")[2],
        "SUPPLIER_API__SANDBOX__PORT": sandbox.rpartition(":")[2],
        "SUPPLIER_API_OPERATOR": "jo",
    }

    def command(*words: str, typed: str = "") -> None:
        subprocess.run(supplier_api(*words), env=environ, check=True, input=typed, text=True)

    for scenario in SCENARIOS:
        command("sandbox", "raise", "--scenario", scenario)
    time.sleep(SETTLED)
    # The gateway of one tenant refuses to hear that a problem is resolved.
    with closing(Gateway(lambda kci: 422 if kci.reason == "RESOLVED" else 204)) as gateway:
        gateway.start()
        url = f"{supplier}/admin/destinations/TENANT2"
        requests.put(url, json=_destination(gateway), timeout=10).raise_for_status()
        command("sandbox", "raise", "--client", "tenant2", "--scenario", SCENARIOS[0])
        time.sleep(SETTLED)
    page = requests.get(f"{supplier}/console/delivery/?state=dead", timeout=10).text
    reference: str = re.findall(r"SP_[0-9A-Z]{10}", page)[0]
    words = ["user", "add", "jo", "--role", "operator", "--password-file", "-", "--reason", "new"]
    command(*words, typed="correct horse battery")
    return reference


def _destination(gateway: Gateway) -> dict[str, object]:
    return {
        "kciUrl": gateway.settings["GATEWAY__KCI_URL"],
        "tokenUrl": gateway.settings["GATEWAY__TOKEN_URL"],
        "clientId": gateway.settings["GATEWAY__CLIENT_ID"],
        "clientSecret": gateway.settings["GATEWAY__CLIENT_SECRET"],
    }


def _take(browser: Browser, url: str, name: str, reference: str) -> None:
    """Take the pictures of one page."""
    for kind, options in KINDS.items():
        context = browser.new_context(**options)
        page = context.new_page()
        page.goto(url + PAGES[name] + (reference if name == "problem" else ""))
        if name == "message":
            page.locator('a[href*="/console/delivery/"]', has_text=reference).first.click()
        page.wait_for_timeout(1500)
        page.screenshot(path=FOLDER / f"{name}-{kind}.png", full_page=True)
        context.close()


if __name__ == "__main__":
    main()
