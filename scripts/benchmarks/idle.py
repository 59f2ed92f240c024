"""What an installation takes before it does anything: memory, and the time until it is ready."""

import os
import subprocess
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from scripts.benchmarks.figures import Figure, Options, at_most, say
from scripts.benchmarks.gateway import running_chain
from scripts.benchmarks.installation import FIRST_ID, make_installation
from scripts.benchmarks.kci_receiver import receiving
from scripts.benchmarks.load import Aim, load
from scripts.benchmarks.processes import ROOT, clean_environment, memory_of, running, supplier_api

REST = 2.0  # seconds between the first KCI and the look at the memory
PATIENCE = 30.0
MEBIBYTE = 2**20


def measure(options: Options) -> list[Figure]:
    """Start everything some times."""
    found: dict[str, list[float]] = {"web process": [], "worker": []}
    for number in range(1, options.rounds + 1):
        for name, size in _memory().items():
            found[name].append(size)
        shown = ", ".join(f"{name} {sizes[-1]:.0f}" for name, sizes in found.items())
        say(f"round {number} of {options.rounds}, MiB: {shown}")
    note = "RSS on Linux of the process itself, after one problem and its KCI; production profile."
    return [
        *(
            Figure(f"memory of a {name}, idle", "MiB", sizes, at_most(100), note)
            for name, sizes in found.items()
        ),
        _start(options),
    ]


def _memory() -> dict[str, float]:
    """Return the memory of a web process and a worker that have handled one problem."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        receiver = stack.enter_context(receiving())
        installation = make_installation(folder / "idle", settings=receiver.settings())
        web = stack.enter_context(installation.serving())
        worker = stack.enter_context(running(supplier_api("worker"), installation.environ))
        aim = Aim(installation.port, installation.request(), 0.001, FIRST_ID, connections=1)
        load(aim).only(201)
        until = time.monotonic() + PATIENCE
        while not receiver.arrivals():
            if time.monotonic() > until:
                raise TimeoutError(f"no KCI came within {PATIENCE:.0f} s")
            time.sleep(0.1)
        time.sleep(REST)
        sizes = memory_of(web.pid), memory_of(worker.pid)
    return {"web process": sizes[0] / MEBIBYTE, "worker": sizes[1] / MEBIBYTE}


def _start(options: Options) -> Figure:
    """Start what `make run` starts, as a newcomer does the second time."""
    setup = [os.environ.get("PYTHON") or "python3", "scripts/setup.py", "--quiet"]
    times = []
    with tempfile.TemporaryDirectory() as folder:
        for number in range(options.rounds + 1):
            began = time.monotonic()
            subprocess.run(setup, env=clean_environment(), cwd=ROOT, check=True)
            with running_chain(folder, "--no-sample"):
                seconds = time.monotonic() - began
            if number:
                times.append(seconds)
                say(f"start {number} of {options.rounds}: {seconds:.2f} s")
    note = (
        "scripts/setup.py and `supplier-api run` in a data folder of an earlier run, until READY."
    )
    return Figure("start of `make run`, the second time", "s", times, at_most(2.5), note)
