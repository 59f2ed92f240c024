"""What a process loads: in production nothing of the test bench, and only what it works with."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from tests.integration.cli.test_production import PRODUCTION

PROGRAM = """
import sys
from supplier_api.app import {module}
from supplier_api.db import migrate
from supplier_api.settings import load_settings

settings = load_settings()
migrate.upgrade(settings.database.url)
if "{module}" == "worker":
    from supplier_api.app import destinations

    # An adapter of the supplier's own.
    destinations.load_adapter = lambda *_: None
print({build}(settings))
print([name for name in {names} if name in sys.modules])
"""
DRIVER = "psycopg"  # on SQLite
WEB = ("flask", "flask_smorest", "jwt", "cryptography")
# What calls others: in production only the worker does.
CALLS = ("requests", "urllib3")
BENCH = "supplier_api.sandbox"


@pytest.mark.parametrize(
    ("build", "others"), [("web.create_app", ()), ("worker.build_worker", WEB)]
)
@pytest.mark.parametrize("environ", [PRODUCTION, {}], ids=["production", "sandbox"])
def test_a_process_loads_only_what_it_works_with(
    build: str, others: Sequence[str], environ: Mapping[str, str], tmp_path: Path
) -> None:
    names = [DRIVER, *others]
    if environ:
        names += [BENCH, *(CALLS if build == "web.create_app" else ())]
    program = PROGRAM.replace("{build}", build).replace("{names}", repr(names))
    program = program.replace("{module}", build.partition(".")[0])
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, **environ, "SUPPLIER_API_DATA_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"
