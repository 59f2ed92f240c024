"""The same checks and tests by hand, before a commit and in CI: each list says what it should."""

import re
import subprocess
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[3]


def commands(target: str) -> list[str]:
    """Return what `make` would do for a target, after the setup."""
    dry = subprocess.run(
        ["make", "--dry-run", "--no-print-directory", target],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [line for line in dry.stdout.splitlines() if "scripts/setup.py" not in line]


def loaded(name: str) -> Any:
    return yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))


def test_a_commit_is_checked_as_make_check_does() -> None:
    [repository] = loaded(".pre-commit-config.yaml")["repos"]

    assert repository["repo"] == "local"
    assert [hook["entry"] for hook in repository["hooks"]] == commands("check")
    assert not any(hook["pass_filenames"] for hook in repository["hooks"])


def test_ci_runs_all_checks_and_all_tests() -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    [job] = loaded(".github/workflows/ci.yml")["jobs"].values()

    assert re.findall("^make .*", script, re.MULTILINE) == ["make check", "make test-all"]
    assert job["steps"][-1]["run"] == ".ci/run"
    assert job["env"]["CI"] == "true"


def test_only_the_quick_tests_leave_anything_out() -> None:
    quick, whole = commands("test"), commands("test-all")

    assert [line.replace(" -m 'not slow'", "") for line in quick] == whole
    assert quick != whole
    assert "slow" not in str(whole)
