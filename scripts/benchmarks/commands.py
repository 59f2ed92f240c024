"""What commands of the shell cost with many problems stored."""

import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path

from scripts.benchmarks.figures import Figure, Options, at_most, ratios, say
from scripts.benchmarks.fill import fill
from scripts.benchmarks.installation import Installation, make_installation
from scripts.benchmarks.processes import (
    LOAD_CORES,
    ROOT,
    START_SECONDS,
    running,
    supplier_api,
)

PROBLEMS = 150_000
LIBRARIES = 'python -c "import flask, sqlalchemy"'


def measure(options: Options) -> list[Figure]:
    """Run each command in each round, with a web server and a worker alive."""
    with tempfile.TemporaryDirectory() as folder:
        installation = make_installation(Path(folder) / "filled")
        say(f"storing {PROBLEMS:,} problems")
        fill(installation.database, PROBLEMS)
        worker = running(supplier_api("worker"), installation.environ, LOAD_CORES)
        with installation.serving(LOAD_CORES), worker:
            _wait_for_worker(installation)
            found = _take_turns(options, installation)
    least, *ours = [Figure(name, "ms", costs) for name, costs in found.items()]
    note = f"{PROBLEMS:,} problems on SQLite."
    return [
        least,
        *(ratios(f"{each.what} / {LIBRARIES}", each, least, at_most(5), note) for each in ours),
    ]


def _take_turns(options: Options, installation: Installation) -> dict[str, list[float]]:
    """Return for each command its milliseconds of CPU in each round."""
    program = str(Path(sys.executable).with_name("supplier-api"))
    commands = {
        LIBRARIES: [sys.executable, "-c", "import flask, sqlalchemy"],
        "supplier-api status": [program, "status"],
        "supplier-api problem show REF": [program, "problem", "show", _a_reference(installation)],
        "supplier-api kci list": [program, "kci", "list"],
    }
    found: dict[str, list[float]] = {name: [] for name in commands}
    for number in range(options.rounds + 1):
        for name, words in commands.items():
            cost = _cpu(words, installation.environ)
            if number:  # before the first one nothing is in the caches
                found[name].append(cost * 1000)
        if number:
            shown = ", ".join(f"{name} {costs[-1]:.0f}" for name, costs in found.items())
            say(f"round {number} of {options.rounds}, ms of CPU: {shown}")
    return found


def _wait_for_worker(installation: Installation) -> None:
    """Wait until nothing is bad in the status, as it is until the worker reports."""
    until = time.monotonic() + START_SECONDS
    while True:
        try:
            _cpu([*supplier_api("status")], installation.environ)
        except RuntimeError:
            if time.monotonic() > until:
                raise
        else:
            return


def _cpu(words: Sequence[str], environ: Mapping[str, str]) -> float:
    """Return the seconds of CPU, user and system, of a command that must succeed."""
    nowhere = subprocess.DEVNULL
    process = subprocess.Popen(words, env=environ, cwd=ROOT, stdout=nowhere, stderr=nowhere)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{' '.join(words)} ended with code {process.returncode}")
    return usage.ru_utime + usage.ru_stime


def _a_reference(installation: Installation) -> str:
    query = "SELECT reference FROM service_problem WHERE id = ?"
    with closing(sqlite3.connect(installation.folder / "supplier.db")) as database:
        reference: str = database.execute(query, (PROBLEMS // 2,)).fetchone()[0]
    return reference
