"""What an installation takes before it does anything: memory, and the time until it is ready."""

import os
import subprocess
import tempfile
import time
from contextlib import ExitStack, closing
from pathlib import Path

from scripts.benchmarks.figures import Figure, Options, at_most, say
from scripts.benchmarks.gateway import running_chain
from scripts.benchmarks.installation import FIRST_ID, make_installation
from scripts.benchmarks.kci_receiver import receiving
from scripts.benchmarks.load import Aim, load
from scripts.benchmarks.outbox import Outbox
from scripts.benchmarks.processes import ROOT, clean_environment, memory_of, running, supplier_api

TIMES = 2  # memory hardly differs from one start to the next
REST = 1.0  # seconds until memory is looked at
MEBIBYTE = 2**20


def measure(options: Options) -> list[Figure]:
    """Start everything some times."""
    found: dict[str, list[float]] = {"web process": [], "worker": []}
    for number in range(1, TIMES + 1):
        for name, size in _memory().items():
            found[name].append(size)
        shown = ", ".join(f"{name} {sizes[-1]:.0f}" for name, sizes in found.items())
        say(f"round {number} of {TIMES}, MiB: {shown}")
    note = (
        "RSS of the process that serves, after one create or one KCI; production profile. The web"
        " process: 87 MiB are the modules as they are imported, 9 the 20,000 services."
    )
    return [
        *(
            Figure(f"memory of a {name}, idle", "MiB", sizes, at_most(100), note)
            for name, sizes in found.items()
        ),
        *_start(options),
    ]


def _memory() -> dict[str, float]:
    """Return the memory of a web process after one create, and of a worker after one KCI."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        receiver = stack.enter_context(receiving())
        installation = make_installation(folder / "idle", settings=receiver.settings())
        web = stack.enter_context(installation.serving())
        worker = stack.enter_context(running(supplier_api("worker"), installation.environ))
        aim = Aim(installation.port, installation.request(), 0.001, FIRST_ID, connections=1)
        load(aim).only(201)
        outbox = stack.enter_context(closing(Outbox(installation.database)))
        outbox.queue(1)
        outbox.wait_until_settled()
        time.sleep(REST)
        sizes = memory_of(web.pid), memory_of(worker.pid)
    return {"web process": sizes[0] / MEBIBYTE, "worker": sizes[1] / MEBIBYTE}


def _start(options: Options) -> list[Figure]:
    """Start what `make run` starts, as a newcomer does the second time."""
    setup = [os.environ.get("PYTHON") or "python3", "scripts/setup.py", "--quiet"]
    times, costs = [], []
    with tempfile.TemporaryDirectory() as folder:
        for number in range(options.rounds + 1):
            began, before = time.monotonic(), os.times()
            subprocess.run(setup, env=clean_environment(), cwd=ROOT, check=True)
            with running_chain(folder, "--no-sample"):
                seconds = time.monotonic() - began
            after = os.times()
            if number:
                times.append(seconds)
                costs.append(sum(after[2:4]) - sum(before[2:4]))
                say(f"start {number} of {options.rounds}: {seconds:.2f} s, CPU {costs[-1]:.2f} s")
    note = (
        "scripts/setup.py and `supplier-api run` in a data folder of an earlier run, until READY."
    )
    name = "start of `make run`, the second time"
    return [
        Figure(name, "s", times, at_most(2.5), note),
        Figure(f"{name}, CPU of all its processes", "s", costs, note="with their end."),
    ]
