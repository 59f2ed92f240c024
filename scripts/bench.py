"""Measures how long the whole chain takes from its start until it is ready: `make bench`.

    python scripts/bench.py [RUNS]

Starts `supplier-api run --no-sample` in an empty data folder and on free ports, RUNS times (5),
and prints the shortest, the median and the longest time. Each run is a process of its own; the
first one also fills the caches of the operating system, and is counted like the others.
"""

import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RUNS = 5


def main() -> None:
    """Print the figures and the machine."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else RUNS
    times = sorted(start_to_ready() for _ in range(runs))
    print(
        f"start to ready   {times[0]:.2f} s   {statistics.median(times):.2f} s   {times[-1]:.2f} s"
        f"   (shortest, median, longest of {runs})"
    )
    print(f"on {os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}")


def start_to_ready() -> float:
    """Start the chain, wait for its line READY, stop it; return the seconds until that line."""
    command = Path(sys.executable).with_name("supplier-api")
    with tempfile.TemporaryDirectory() as folder:
        environ = {
            **os.environ,
            "SUPPLIER_API_DATA_DIR": folder,
            "SUPPLIER_API__SERVER__PORT": "0",
            "SUPPLIER_API__SANDBOX__PORT": "0",
        }
        began = time.monotonic()
        chain = subprocess.Popen(
            [command, "run", "--no-sample"], env=environ, stdout=subprocess.PIPE, text=True
        )
        assert chain.stdout is not None
        ready = any(line.startswith("READY ") for line in chain.stdout)
        seconds = time.monotonic() - began
        chain.terminate()
        chain.wait()
    if not ready:
        sys.exit("the chain did not become ready")
    return seconds


if __name__ == "__main__":
    main()
