"""Measures how fast the supplier is, and writes docs/performance.md: `make bench`.

    python -m scripts.bench [NAME ...] [--seconds N] [--rounds N] [--rows N] [--soak SECONDS]

Without a NAME everything is measured but what needs --rows or --soak; figures that were not
measured stay on the page as they are. Needs Linux: CPU time comes from /proc.
"""

import argparse
from collections.abc import Callable, Mapping

from scripts.benchmarks import (
    calls,
    commands,
    console,
    console_pages,
    create_profile,
    creates,
    full_table,
    gateway,
    idle,
    kcis,
    page,
    soak,
)
from scripts.benchmarks.figures import Figure, Options, say

# In the order of the page.
MEASUREMENTS: Mapping[str, Callable[[Options], list[Figure]]] = {
    "creates": creates.measure,
    "create_profile": create_profile.measure,
    "calls": calls.measure,
    "kcis": kcis.measure,
    "gateway": gateway.measure,
    "commands": commands.measure,
    "console": console.measure,
    "console_pages": console_pages.measure,
    "idle": idle.measure,
    "full_table": full_table.measure,
    "soak": soak.measure,
}


def main() -> None:
    """Measure what is asked for, show it, write the page."""
    names, options = _arguments()
    for name in names:
        say(f"== {name}")
        found = MEASUREMENTS[name](options)
        for figure in found:
            say(figure.line())
        if found:
            page.write(name, found, MEASUREMENTS)


def _arguments() -> tuple[list[str], Options]:
    parser = argparse.ArgumentParser(prog="bench", description="Measure how fast we are.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(MEASUREMENTS)}")
    usual = Options()
    parser.add_argument("--seconds", type=float, default=usual.seconds)
    parser.add_argument("--rounds", type=int, default=usual.rounds)
    parser.add_argument("--rows", type=int, default=usual.rows)
    parser.add_argument("--soak", type=float, default=usual.soak)
    given = parser.parse_args()
    if unknown := set(given.names) - set(MEASUREMENTS):
        parser.error(f"no measurement {', '.join(sorted(unknown))}")
    options = Options(given.seconds, given.rounds, given.rows, given.soak)
    return given.names or list(MEASUREMENTS), options


if __name__ == "__main__":
    main()
