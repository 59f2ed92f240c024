"""What the benchmarks measure on can be used."""

import subprocess
import sys
from pathlib import Path

from scripts.benchmarks.common import ROOT
from scripts.benchmarks.house import make_house

LOAD = """
from supplier_api.app.destinations import load_back_office
from supplier_api.settings import load_settings

load_back_office(load_settings())
"""


def test_the_worker_of_the_benchmarks_has_a_back_office(tmp_path: Path) -> None:
    house = make_house(tmp_path / "house")
    ran = subprocess.run(
        [sys.executable, "-c", LOAD],
        env=house.environ,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (0, "")
