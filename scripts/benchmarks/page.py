"""Writes docs/performance.md from docs/performance.json, which keeps the figures by measurement.

A measurement replaces its own figures; those that were not measured this time stay as they are.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from scripts.benchmarks.figures import Figure, from_json
from scripts.benchmarks.processes import ROOT, machine

DOCS = ROOT / "docs"
HEAD = """# Performance

Written by `make bench` from what it measured, which docs/performance.json keeps. Times are CPU,
user and system, of the server's process and its children unless a row says otherwise; what is
compared took turns in one run. Median of the rounds, least and most in brackets. A rate depends
on what else runs on the machine, CPU and ratios hardly do. No test asserts a time.

![Where a create's time goes](images/create-profile.svg)
"""
COLUMNS = ["figure", "median (spread)", "a second", "target", "", "alone: make bench"]


def write(name: str, found: Sequence[Figure], order: Iterable[str], docs: Path = DOCS) -> None:
    """Put the figures of the measurement `name` into the page; `order` names all measurements."""
    store = docs / "performance.json"
    kept: dict[str, Any] = json.loads(store.read_text("utf-8")) if store.exists() else {}
    kept[name] = {
        "machine": machine(),
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "figures": [figure.as_json() for figure in found],
    }
    kept = {each: kept[each] for each in order if each in kept}
    parts = ",\n".join(f"{json.dumps(each)}: {json.dumps(part)}" for each, part in kept.items())
    store.write_text(f"{{{parts}}}\n", "utf-8")
    (docs / "performance.md").write_text("\n".join(_lines(kept)) + "\n", "utf-8")


def _lines(kept: dict[str, Any]) -> Iterator[str]:
    yield HEAD
    yield _row(COLUMNS)
    yield _row(["---", "---:", "---:", "---", "---", "---"])
    notes: dict[str, None] = {}
    for name, part in kept.items():
        for figure in map(from_json, part["figures"]):
            yield _row([*figure.as_row(), f"`ONLY={name}`"])
            if figure.note:
                notes[f"* {figure.what}: {figure.note}"] = None
    yield ""
    yield from notes
    yield ""
    made: dict[str, list[str]] = {}
    for name, part in kept.items():
        made.setdefault(f"{part['machine']}; {part['date']}", []).append(name)
    for where, names in made.items():
        yield f"*{', '.join(names)}: {where}.*"


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
