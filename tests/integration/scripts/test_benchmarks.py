"""What the benchmarks measure on can be used."""

import subprocess
import sys
from pathlib import Path

from scripts.benchmarks.installation import make_installation
from scripts.benchmarks.processes import ROOT

LOAD = """
from supplier_api.app.destinations import load_back_office
from supplier_api.settings import load_settings

load_back_office(load_settings())
"""


def test_the_worker_of_the_benchmarks_has_a_back_office(tmp_path: Path) -> None:
    installation = make_installation(tmp_path / "installation")
    ran = subprocess.run(
        [sys.executable, "-c", LOAD],
        env=installation.environ,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (0, "")
