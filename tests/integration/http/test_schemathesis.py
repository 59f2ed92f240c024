"""Schemathesis reads the served description and tries what it allows and forbids, all checks on."""

import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from supplier_api.db import migrate
from tests.system.installation import free_port
from tests.waiting import PATIENCE

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]
BIN = Path(sys.executable).parent
# Everything that is well formed is taken, so that the good answers are looked at as well.
RULES = """\
version: 1
default:
  problem: acknowledge
  amendment: commit
  cancellation: commit
rules: []
"""
# One token for every door, so that one run sees them all.
SCOPES = "service-problems, service-problem-amendments, service-problem-cancellations, \
service-problem-resolutions, back-office"


@pytest.fixture
def served(sqlite_url: str, tmp_path: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield the URL of a supplier that runs as users run it, and its environment."""
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "rules.yaml").write_text(RULES, encoding="utf-8")
    environ = {
        **os.environ,
        "SUPPLIER_API_CONFIG_DIR": str(tmp_path / "config"),
        "SUPPLIER_API_DATA_DIR": str(tmp_path),
        "SUPPLIER_API__DATABASE__URL": sqlite_url,
        "SUPPLIER_API__SERVER__PORT": str(port := free_port()),
        "SUPPLIER_API__ACCESS__CLIENTS__GATEWAY__SCOPES": SCOPES,
        "SUPPLIER_API__LOG__LEVEL": "error",
    }
    migrate.upgrade(sqlite_url)
    with subprocess.Popen([BIN / "supplier-api", "serve"], env=environ, cwd=tmp_path) as server:
        try:
            url = f"http://127.0.0.1:{port}"
            wait_until_ready(f"{url}/health/ready", server)
            yield url, environ
        finally:
            server.terminate()
            server.wait(PATIENCE)


def wait_until_ready(url: str, server: subprocess.Popen[bytes]) -> None:
    """Wait until the server answers; fail when it ends or takes too long."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until and server.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=PATIENCE):
                return
        except urllib.error.URLError:
            time.sleep(0.05)
    pytest.fail("the supplier did not start")


def test_no_answer_breaks_the_description(
    served: tuple[str, dict[str, str]], tmp_path: Path
) -> None:
    url, environ = served
    token = subprocess.run(
        [BIN / "supplier-api", "token"],
        env=environ,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    tried = subprocess.run(
        [
            BIN / "st",
            f"--config-file={ROOT / 'schemathesis.toml'}",
            "run",
            f"{url}/openapi.json",
            f"--header=Authorization: Bearer {token.stdout.strip()}",
            # Its switches would bend what is being tested.
            "--exclude-path-regex=^/admin/",
            "--checks=all",
            "--max-examples=8",
            "--seed=1",
            "--no-color",
        ],
        env=environ,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert tried.returncode == 0, tried.stdout + tried.stderr
    assert "14 selected" in tried.stdout
    assert "Fuzzing" in tried.stdout
