"""What the benchmarks measure on can be used, and the yardsticks do what they are said to do."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from scripts.benchmarks.figures import Figure, at_least, at_most, from_json
from scripts.benchmarks.installation import BODY, Installation, make_installation
from scripts.benchmarks.page import write
from scripts.benchmarks.processes import ROOT

LOAD = """
from supplier_api.app.destinations import load_back_office
from supplier_api.settings import load_settings

load_back_office(load_settings())
"""
# A problem, its repeat, and another under its id; then what is stored.
CREATE = """
import json, sqlite3, sys
from scripts.benchmarks.{name} import application

client = application().test_client()
headers = {{
    "Authorization": "Bearer " + client.get("/token").text,
    "Tenant": "TENANT0", "X-Request-ID": "request", "X-Conversation-ID": "conversation",
}}
body = json.loads(sys.argv[2])
bodies = [body, *([body, {{**body, "notes": "others"}}] if "{name}" == "plain" else [])]
answers = [client.post("/service-problems", json=each, headers=headers) for each in bodies]
with sqlite3.connect(sys.argv[1] + "/supplier.db") as database:
    rows = {{
        table: database.execute(f"SELECT count(*) FROM {{table}}").fetchone()[0]
        for table in ("service_problem", "decision", "lane", "message")
    }}
print(json.dumps({{"rows": rows, "statuses": [each.status_code for each in answers]}}))
"""
STORED = {"service_problem": 1, "decision": 1, "lane": 2, "message": 1}


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    return make_installation(tmp_path_factory.mktemp("bench") / "installation")


def run(installation: Installation, code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env={**installation.environ, "YARDSTICK_FOLDER": str(installation.folder)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_worker_of_the_benchmarks_has_a_back_office(installation: Installation) -> None:
    ran = run(installation, LOAD)
    assert (ran.returncode, ran.stderr) == (0, "")


@pytest.mark.parametrize(("name", "statuses"), [("plain", [201, 201, 422]), ("floor", [201])])
def test_a_yardstick_stores_what_a_create_stores(
    name: str, statuses: list[int], tmp_path: Path
) -> None:
    fresh = make_installation(tmp_path / name)
    body = json.dumps({**BODY, "id": 1, "serviceId": "SI0000000000001"})
    ran = run(fresh, CREATE.format(name=name), str(fresh.folder), body)
    found: dict[str, Any] = json.loads(ran.stdout)
    assert found == {"rows": STORED, "statuses": statuses}, ran.stderr


def test_figures_that_are_not_measured_stay_on_the_page(tmp_path: Path) -> None:
    kept = Figure("kept", "us", [3.0, 1.0, 2.0], at_most(2), rates=[10.0])
    write("second", [kept], ["first", "second"], tmp_path)
    write(
        "first", [Figure("ratio", "", [0.5], at_least(1), "of two")], ["first", "second"], tmp_path
    )
    rows = [
        line for line in (tmp_path / "performance.md").read_text().splitlines() if "ONLY" in line
    ]
    assert rows == [
        "| ratio | 0.50 |  | at least 1 | MISSED | `ONLY=first` |",
        "| kept | 2 us (1 to 3) | 10 | at most 2 | held | `ONLY=second` |",
    ]
    assert from_json(kept.as_json()) == kept
