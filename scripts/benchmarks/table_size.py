"""Whether a problem costs more when many are stored, and which indexes the hot queries use."""

import tempfile
from contextlib import ExitStack
from pathlib import Path

from scripts.benchmarks.common import Options, Section, spread, table
from scripts.benchmarks.creates import WARM_UP, Creates
from scripts.benchmarks.fill import fill
from scripts.benchmarks.house import make_house
from scripts.benchmarks.plans import plans_of
from tests import postgresql

# Enough for a planner to prefer an index.
ROWS_FOR_PLANS = 20_000


def measure(options: Options) -> Section:
    """Raise problems at an empty and at a full SQLite database, in turns; then show plans."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        houses = [make_house(folder / name) for name in ("empty", "full")]
        full = houses[1].environ["SUPPLIER_API__DATABASE__URL"]
        fill(full, options.rows)
        sides = []
        for house in houses:
            stack.enter_context(house.serving())
            sides.append(Creates(house))
            sides[-1].load(WARM_UP)
        rates = [[side.load(options.seconds).rate for side in sides] for _ in range(options.rounds)]
        plans = {"SQLite": plans_of(full)}
        server = stack.enter_context(postgresql.server())
        url = stack.enter_context(postgresql.database(server, "plans"))
        make_house(folder / "postgresql", url)
        fill(url, ROWS_FOR_PLANS)
        plans["PostgreSQL"] = plans_of(url)
    empty, loaded = ([pair[side] for pair in rates] for side in (0, 1))
    ratios = [after / before for before, after in rates]
    rows = [
        ["nothing", spread(empty, 0), "1"],
        [f"{options.rows:,} problems", spread(loaded, 0), spread(ratios)],
    ]
    shown = [
        line
        for engine, lines in plans.items()
        for line in (f"On {engine}:", "", "```text", *lines, "```", "")
    ]
    return Section(
        "Cost per problem",
        [
            "POST /service-problems as above, on SQLite. Stored before each problem: its decision,",
            "two lanes, three delivered messages.",
            "",
            *table(["stored", "requests a second", "ratio"], rows),
            "",
            "How the databases find what the hot path asks for:",
            "",
            *shown[:-1],
        ],
    )
