"""What the benchmarks store is what the supplier itself can read."""

import json
from contextlib import closing
from pathlib import Path

from scripts.benchmarks.fill import fill
from scripts.benchmarks.installation import make_installation
from scripts.benchmarks.outbox import Outbox


def test_stored_problems_are_over_and_can_be_shown(tmp_path: Path) -> None:
    installation = make_installation(tmp_path / "filled")
    fill(installation.database, 3)

    problems = json.loads(installation.call("problem", "list", "--json"))
    shown = installation.call("problem", "show", problems[0]["reference"])

    assert [each["status"] for each in problems] == ["COMPLETED"] * 3
    assert "delivered" in shown


def test_queued_kcis_are_due(tmp_path: Path, database_url: str) -> None:
    installation = make_installation(tmp_path / "queued", database_url)
    with closing(Outbox(installation.database)) as outbox:
        outbox.queue(2, each=2)
        outbox.raise_problem(0.0)
        outbox.queue(1)

    kcis = json.loads(installation.call("kci", "list", "--state", "queued", "--json"))

    assert len(kcis) == 6
