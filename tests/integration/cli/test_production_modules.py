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
from supplier_api.settings.doors import listeners

settings = load_settings()
migrate.upgrade(settings.database.url)
if "{module}" == "worker":
    from supplier_api.app import destinations

    # An adapter of the supplier's own.
    destinations.load_adapter = lambda *_: None
if "{module}" == "web":
    # The doors that there are without further settings.
    print(web.create_apps(settings, [each.doors for each in listeners(settings)]))
else:
    print(worker.build_worker(settings))
print([name for name in {names} if name in sys.modules])
"""
DRIVER = "psycopg"  # on SQLite
WEB = ("flask", "flask_smorest", "jwt", "cryptography")
# What calls others: in production only the worker does.
CALLS = ("requests", "urllib3")
BENCH = "supplier_api.sandbox"


@pytest.mark.parametrize(("module", "others"), [("web", ()), ("worker", WEB)])
@pytest.mark.parametrize("environ", [PRODUCTION, {}], ids=["production", "sandbox"])
def test_a_process_loads_only_what_it_works_with(
    module: str, others: Sequence[str], environ: Mapping[str, str], tmp_path: Path
) -> None:
    names = [DRIVER, *others]
    if environ:
        names += [BENCH, *(CALLS if module == "web" else ())]
    program = PROGRAM.replace("{module}", module).replace("{names}", repr(names))
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, **environ, "SUPPLIER_API_DATA_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"
