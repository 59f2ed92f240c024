"""Measures how fast the supplier is, and writes it to docs/performance.md: `make bench`.

    python -m scripts.bench [NAME ...] [--seconds N] [--rounds N] [--rows N] [--soak SECONDS]

Everything that is compared is measured in the same run and in turns. Without a NAME everything is
measured; the sections of the page that were not measured stay as they are.
"""

import argparse
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from scripts.benchmarks import chain, creates, databases, kcis, soak, start, table_size
from scripts.benchmarks.common import ROOT, Options, Section, machine

PAGE = ROOT / "docs" / "performance.md"
# In the order of the page.
MEASUREMENTS: Mapping[str, Callable[[Options], Section]] = {
    "creates": creates.measure,
    "table_size": table_size.measure,
    "soak": soak.measure,
    "kcis": kcis.measure,
    "databases": databases.measure,
    "start": start.measure,
    "chain": chain.measure,
}
HEAD = """# Performance

Written by `make bench`, which measures everything in turns in one run. Absolute figures belong to
the machine; the ratios should hold on others. No test asserts a time.
"""


def main() -> None:
    """Measure what is asked for, print it, write the page."""
    names, options = _arguments()
    for name in names:
        section = MEASUREMENTS[name](options)
        print("\n".join([f"## {section.heading}", "", *section.lines, ""]), flush=True)
        _write(section)


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


def _write(section: Section) -> None:
    """Put the section into the page, in its place if it was there."""
    parts = _parts(PAGE.read_text(encoding="utf-8")) if PAGE.exists() else {}
    when = datetime.now(UTC).strftime("%Y-%m-%d")
    parts[section.heading] = "\n".join([*section.lines, "", f"*{machine()}; {when}.*"])
    text = "\n".join([HEAD, *(f"## {name}\n\n{body}\n" for name, body in parts.items())])
    PAGE.write_text(text, encoding="utf-8")


def _parts(page: str) -> dict[str, str]:
    pieces = re.split(r"^## (.*)\n", page, flags=re.MULTILINE)[1:]
    return {name: body.strip() for name, body in zip(pieces[::2], pieces[1::2], strict=True)}


if __name__ == "__main__":
    main()
