"""What a production process loads: nothing of the test bench."""

import subprocess
import sys

import pytest

PROGRAM = """
import sys
from supplier_api.app import {module}
from supplier_api.cli import serve, worker
print([name for name in sys.modules if name.startswith("supplier_api.sandbox")])
"""


@pytest.mark.parametrize("module", ["web", "worker"])
def test_a_production_process_loads_nothing_of_the_sandbox(module: str) -> None:
    words = [sys.executable, "-c", PROGRAM.format(module=module)]
    said = subprocess.run(words, capture_output=True, text=True, check=True).stdout

    assert said.splitlines()[-1] == "[]"
