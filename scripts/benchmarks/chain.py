"""How long the whole chain takes from its start until it is ready."""

import subprocess
import sys
import tempfile
import time

from scripts.benchmarks.common import Options, Section, clean_environment, spread, supplier_api


def measure(options: Options) -> Section:
    """Start `supplier-api run --no-sample` in empty folders, some times."""
    times = [start_to_ready() for _ in range(options.rounds)]
    return Section(
        "Start of the whole chain",
        [
            "`supplier-api run --no-sample`, in an empty data folder, until its line READY:",
            f"{spread(times)} s ({options.rounds} starts).",
        ],
    )


def start_to_ready() -> float:
    """Start the chain, wait for its line READY, stop it; return the seconds until that line."""
    with tempfile.TemporaryDirectory() as folder:
        environ = {
            **clean_environment(),
            "SUPPLIER_API_DATA_DIR": folder,
            "SUPPLIER_API__SERVER__PORT": "0",
            "SUPPLIER_API__SANDBOX__PORT": "0",
        }
        began = time.monotonic()
        chain = subprocess.Popen(
            supplier_api("run", "--no-sample"), env=environ, stdout=subprocess.PIPE, text=True
        )
        assert chain.stdout is not None
        ready = any(line.startswith("READY ") for line in chain.stdout)
        seconds = time.monotonic() - began
        chain.terminate()
        chain.wait()
    if not ready:
        sys.exit("the chain did not become ready")
    return seconds
