"""What a production process loads: nothing of the test bench."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.cli.test_production import PRODUCTION

PROGRAM = """
import sys
from supplier_api.app import destinations, web, worker
from supplier_api.cli import serve
from supplier_api.db import migrate
from supplier_api.settings import load_settings

settings = load_settings()
migrate.upgrade(settings.database.url)
# An adapter of the supplier's own.
destinations.load_adapter = lambda *_: None
print({build}(settings))
print([name for name in sys.modules if name.startswith("supplier_api.sandbox")])
"""


@pytest.mark.parametrize("build", ["web.create_app", "worker.build_worker"])
def test_a_production_process_loads_nothing_of_the_sandbox(build: str, tmp_path: Path) -> None:
    words = [sys.executable, "-c", PROGRAM.replace("{build}", build)]
    environ = {**os.environ, **PRODUCTION, "SUPPLIER_API_DATA_DIR": str(tmp_path)}
    done = subprocess.run(words, env=environ, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"
