"""Whether memory stays where it is under lasting load; only when asked for."""

import tempfile
from contextlib import ExitStack
from pathlib import Path

from scripts.benchmarks.creates import creating
from scripts.benchmarks.figures import Figure, Options, say
from scripts.benchmarks.installation import make_installation
from scripts.benchmarks.processes import memory_of

STEPS = 10


def measure(options: Options) -> list[Figure]:
    """Raise problems for long, and look at the server's memory now and then."""
    if not options.soak:
        say("left out: it takes SOAK=600")
        return []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        creates = stack.enter_context(creating("create", make_installation(folder / "soak")))
        sizes = [_megabytes(creates.pid)]
        for step in range(1, STEPS + 1):
            creates.take_turn(options.soak / STEPS)
            sizes.append(_megabytes(creates.pid))
            say(f"step {step} of {STEPS}: {sizes[-1]:.0f} MiB")
    note = f"16 connections that create problems for {options.soak:.0f} s; from start to end"
    # Until the middle the databases' caches fill.
    grown = [sizes[-1] - sizes[STEPS // 2]]
    return [
        Figure(
            "memory of the web server under lasting load", "MiB", sizes, None, note, creates.rates
        ),
        Figure("its growth in the second half", "MiB", grown),
    ]


def _megabytes(pid: int) -> float:
    return memory_of(pid) / 2**20
