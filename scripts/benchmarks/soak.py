"""Whether memory stays where it is under lasting load."""

import tempfile
from pathlib import Path

from scripts.benchmarks.common import Options, Section, memory_of
from scripts.benchmarks.creates import WARM_UP, Creates
from scripts.benchmarks.house import make_house

STEPS = 10
SHORT = 30.0  # seconds, when no time is given


def measure(options: Options) -> Section:
    """Raise problems at half of what the server can do, and look at its memory now and then."""
    seconds = options.soak or SHORT
    with tempfile.TemporaryDirectory() as folder:
        house = make_house(Path(folder) / "house")
        with house.serving() as server:
            creates = Creates(house)
            creates.load(WARM_UP)
            half = creates.load(options.seconds).rate / 2
            sizes, answered = [memory_of(server.pid)], 0
            for _ in range(STEPS):
                answered += creates.load(seconds / STEPS, half).count
                sizes.append(memory_of(server.pid))
    shown = ", ".join(f"{size / 2**20:.0f}" for size in sizes)
    # Until then the databases' caches fill.
    growth = (sizes[-1] - sizes[STEPS // 2]) / 2**20
    return Section(
        "Memory under lasting load",
        [
            f"POST /service-problems at half load ({half:.0f} a second) for {seconds:.0f} s,",
            f"{answered:,} problems. Resident memory of the web server, at the",
            f"start and in {STEPS} steps: {shown} MiB. Growth in the second half:",
            f"{growth:+.1f} MiB.",
        ],
    )
