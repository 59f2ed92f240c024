"""Pull mode as the page shows it: docs/pull.sh fetches and answers, while both sides are killed."""

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.samples import problem_request
from tests.system.conftest import Install
from tests.system.installation import Installation
from tests.system.test_run import call, token
from tests.waiting import eventually

pytestmark = pytest.mark.slow

SCRIPT = Path(__file__).parents[2] / "docs" / "pull.sh"
PROBLEMS = 20


class Script:
    """The script, in a folder of its own."""

    def __init__(self, installation: Installation, folder: Path) -> None:
        self.orders = folder / "orders"
        folder.mkdir(exist_ok=True)
        given = {"SUPPLIER": installation.supplier, "SECRET": "back-office-secret"}
        self._process = subprocess.Popen(
            ["sh", SCRIPT],
            cwd=folder,
            env={**os.environ, **given},
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )

    def kill(self) -> None:
        """Kill it with what it calls."""
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def taken(self) -> set[str]:
        """Return the ids of the orders that it took."""
        return {file.stem for file in self.orders.glob("*.json") if file.stat().st_size}


def raise_problems(installation: Installation, numbers: range) -> None:
    bearer = token(f"{installation.supplier}/oauth2/token", "gateway")
    for number in numbers:
        body = problem_request(id=number, serviceId=f"SI{number + 5000:013}")
        answer = call(bearer, "POST", f"{installation.supplier}/service-problems", body)
        assert answer.status_code in (201, 202), answer.text


def is_all_answered(installation: Installation) -> bool:
    listed = installation.run("work-order", "list", "--state", "queued")
    return listed.returncode == 0 and not listed.stdout.strip()


def test_the_script_is_as_short_as_the_page_says() -> None:
    assert len(SCRIPT.read_text().splitlines()) <= 30


@pytest.mark.parametrize("missing", ["SUPPLIER", "SECRET"])
def test_what_the_script_is_not_given_ends_it_at_once(tmp_path: Path, missing: str) -> None:
    given = {"SUPPLIER": "http://127.0.0.1:1", "SECRET": "secret", "PATH": os.environ["PATH"]}
    del given[missing]
    done = subprocess.run(
        ["sh", SCRIPT], cwd=tmp_path, env=given, capture_output=True, text=True, check=False
    )

    assert done.returncode == 2
    assert f"{missing}: is to be set" in done.stderr


def test_orders_are_fetched_while_both_sides_are_killed(install: Install, tmp_path: Path) -> None:
    installation = install(BACKOFFICE__ADAPTER="pull")
    installation.start("serve", "worker")
    folder = tmp_path / "office"
    script = Script(installation, folder)
    try:
        raise_problems(installation, range(1, PROBLEMS // 2))
        eventually(lambda: len(script.taken()) > 3, "the first orders to be taken")
        script.kill()
        raise_problems(installation, range(PROBLEMS // 2, PROBLEMS))
        script = Script(installation, folder)
        eventually(lambda: len(script.taken()) > PROBLEMS // 2, "more orders to be taken")
        installation.kill("serve")
        installation.start("serve")
        eventually(lambda: len(script.taken()) == PROBLEMS - 1, "all orders to be taken")
        eventually(lambda: is_all_answered(installation), "all orders to be answered")
    finally:
        script.kill()
    assert "work-order" not in installation.logs("worker")
    listed = installation.told("work-order", "list", "--state", "delivered", "--json")
    assert {each["id"] for each in json.loads(listed)} == script.taken()
    for number in ("1", str(PROBLEMS - 1)):
        shown = json.loads(installation.told("problem", "show", number, "--json"))
        # Each problem has a ticket of its own.
        assert shown["backOfficeId"] == f"T-{shown['reference'].removeprefix('SP_')}"
