"""How long `supplier-api serve` takes until it answers."""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from scripts.benchmarks.common import (
    CORES,
    Options,
    Section,
    running,
    spread,
    supplier_api,
    wait_for,
)
from scripts.benchmarks.house import House, make_house


def measure(options: Options) -> Section:
    """Start the web server some times; time its first answer and `supplier-api --help`."""
    with tempfile.TemporaryDirectory() as folder:
        house = make_house(Path(folder) / "house")
        starts = [_start(house) for _ in range(options.rounds)]
    helps = [_time([*supplier_api("--help")]) for _ in range(options.rounds)]
    bare = [_time([sys.executable, "-c", "pass"]) for _ in range(options.rounds)]
    return Section(
        "Start",
        [
            f"`supplier-api serve` to its first answer: {spread(starts)} s (an upgraded SQLite",
            f"file, 20,000 services). `supplier-api --help`: {spread(helps)} s, of which Python",
            f"itself takes {spread(bare)} s. {options.rounds} starts each.",
        ],
    )


def _start(house: House) -> float:
    began = time.monotonic()
    with running(supplier_api("serve"), house.environ, frozenset(CORES)):
        wait_for(f"{house.url}/health/ready", step=0.005)
        return time.monotonic() - began


def _time(words: list[str]) -> float:
    began = time.monotonic()
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - began
