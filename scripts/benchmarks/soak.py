"""Whether memory stays where it is under lasting load; only when asked for."""

import tempfile
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from scripts.benchmarks.creates import creating
from scripts.benchmarks.figures import Figure, Options, say
from scripts.benchmarks.installation import make_installation
from scripts.benchmarks.processes import memory_of

STEPS = 10


def measure(options: Options) -> list[Figure]:
    """Raise problems at half of what the server can do, and look at its memory now and then."""
    if not options.soak:
        say("left out: it takes SOAK=600")
        return []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        creates = stack.enter_context(creating("create", make_installation(folder / "soak")))
        creates.take_turn(options.seconds)
        half = creates.rates[-1] / 2
        creates.aim = replace(creates.aim, rate=half)
        sizes = [_megabytes(creates.pid)]
        for step in range(1, STEPS + 1):
            creates.warm_up(options.soak / STEPS)
            sizes.append(_megabytes(creates.pid))
            say(f"step {step} of {STEPS}: {sizes[-1]:.0f} MiB")
    note = f"creates at half load, {half:.0f} a second, for {options.soak:.0f} s; from start to end"
    # Until the middle the databases' caches fill.
    grown = [sizes[-1] - sizes[STEPS // 2]]
    return [
        Figure("memory of the web server under lasting load", "MiB", sizes, note=note),
        Figure("its growth in the second half", "MiB", grown),
    ]


def _megabytes(pid: int) -> float:
    return memory_of(pid) / 2**20
