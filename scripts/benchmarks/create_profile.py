"""Where a create's time goes: samples of a server under load, drawn as a chart.

Writes docs/images/create-profile.svg. The stack of whichever thread is using the CPU is noted some
hundred times a second (sampled.py); the innermost frame that belongs to a part counts for it.
"""

import linecache
import re
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from subprocess import CalledProcessError

from scripts.benchmarks.figures import Figure, Options, say
from scripts.benchmarks.installation import FIRST_ID, SERVICES, make_installation
from scripts.benchmarks.load import Aim
from scripts.benchmarks.processes import ROOT, machine, running, spent_by, wait_for
from scripts.benchmarks.servers import MICROSECONDS, WARM_UP, Subject

CHART = ROOT / "docs" / "images" / "create-profile.svg"
FRAME = re.compile(r'  File "(.*)", line (\d+) in ')
BEGIN = "Stack (most recent call first):\n"
# What a frame belongs to: the first pattern that is found in its file and the line that it runs.
PARTS = [
    (re.compile(pattern), part)
    for pattern, part in (
        (r"\.commit\(\)|\"COMMIT\"", "SQLite: commit, with the disk"),
        (r"/db/.*\.(execute|queue|fetchall)\(|default\.py.*\.execute\(", "SQLite: statements"),
        (r"/rules/cel\.", "CEL"),
        (r"orjson|/json/|json_reader", "JSON"),
        (r"_?c?sock\.(send|recv|accept)|/selectors\.py|/asyncio/", "event loop and sockets"),
        (
            r"\.(acquire|release)\(|with self\._lock|_work\.(get|put)\(|/threading\.py.*lock",
            "locks",
        ),
        (r"/(flask|werkzeug|flask_smorest)/", "Flask and Werkzeug"),
        (r"/sqlalchemy/", "SQLAlchemy"),
        (r"/supplier_api/logging\.py|/structlog/|/logging/", "ours: log"),
        (r"/supplier_api/(http|problems|rules|contract|outbox|db|auth)/", "ours: {}"),
        (r"/supplier_api/", "ours: the rest"),
    )
]
WIDTH, ROW, LABELS, BARS = 720, 24, 230, 380
# Now and then faulthandler reads a stack that is being changed, and the process is gone.
TRIES = 4
STYLE = (
    "text{font:13px sans-serif;fill:#24292f}.ours{fill:#0969da}.libraries{fill:#bf8700}"
    "@media(prefers-color-scheme:dark){text{fill:#d0d7de}.ours{fill:#58a6ff}"
    ".libraries{fill:#d29922}}"
)


@dataclass(frozen=True, slots=True)
class Sample:
    """Stacks of a server under load, and microseconds of CPU a create, and in the kernel."""

    stacks: list[str]
    creates: int
    cost: float
    kernel: float


def measure(options: Options) -> list[Figure]:
    """Sample a server under load, draw the chart; return how much of a create is our own code."""
    sample = _sample(options.seconds * options.rounds)
    parts = Counter(part for stack in sample.stacks if (part := part_of(stack)))
    total = sum(parts.values())
    say(f"{total:,} samples of {sample.creates:,} creates, {sample.cost:.0f} us each")
    shares = {part: found / total for part, found in parts.most_common()}
    for part, share in shares.items():
        say(f"{part}: {share * sample.cost:.0f} us")
    CHART.parent.mkdir(exist_ok=True)
    CHART.write_text(drawn(shares, sample, total), encoding="utf-8")
    ours = 100 * sum(share for part, share in shares.items() if part.startswith("ours"))
    note = f"the chart above: {total:,} samples; `scripts/benchmarks/create_profile.py`"
    return [Figure("share of our own code in a create", "%", [ours], note=note)]


def _sample(seconds: float) -> Sample:
    for _ in range(TRIES - 1):
        try:
            return _sample_once(seconds)
        except CalledProcessError:
            say("a stack was read at the wrong moment, which ended the server: once more")
    return _sample_once(seconds)


def _sample_once(seconds: float) -> Sample:
    with tempfile.TemporaryDirectory() as name:
        installation = make_installation(Path(name) / "sampled")
        file = Path(name) / "stacks"
        words = [sys.executable, "-m", "scripts.benchmarks.sampled", str(file), "serve"]
        with running(words, installation.environ) as process:
            wait_for(f"{installation.url}/health/ready")
            aim = Aim(installation.port, installation.request(), WARM_UP, FIRST_ID, SERVICES)
            creates = Subject("create", process.pid, aim)
            creates.warm_up()
            started, first = file.stat().st_size, creates.aim.first
            with spent_by(process.pid) as spent:
                creates.warm_up(seconds)
            count = creates.aim.first - first
        stacks = file.read_text(encoding="utf-8")[started:].split(BEGIN)[1:]
    cost, kernel = (each / count * MICROSECONDS for each in (spent.cpu, spent.kernel))
    return Sample(stacks, count, cost, kernel)


def part_of(stack: str) -> str | None:
    """Return the part of a stack, innermost frame first; None for one that is of no request."""
    for file, line in FRAME.findall(stack):
        place = f"{file}: {linecache.getline(file, int(line)).strip()}"
        for pattern, part in PARTS:
            if found := pattern.search(place):
                return part.format(*found.groups())
    return None


def drawn(shares: dict[str, float], sample: Sample, count: int) -> str:
    """Return the chart as SVG: a bar for each part with its microseconds, the longest first."""
    title = f"One create: {sample.cost:,.0f} us of CPU, of which {sample.kernel:,.0f} in the kernel"
    below = f"{count:,} samples; {machine()}"
    height = ROW * (len(shares) + 3)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">',
        f"<title>{title}</title><style>{STYLE}</style>",
        f'<text x="8" y="{ROW - 6}" font-weight="bold">{title}</text>',
    ]
    longest = max(shares.values())
    for number, (part, share) in enumerate(shares.items(), start=1):
        y, length = ROW * number + 8, BARS * share / longest
        kind = "ours" if part.startswith("ours") else "libraries"
        end = LABELS + 8 + length
        box = f'x="{LABELS + 8}" y="{y + 2}" width="{length:.0f}" height="{ROW - 8}"'
        lines += [
            f'<text x="{LABELS}" y="{y + 14}" text-anchor="end">{part}</text>',
            f'<rect class="{kind}" {box}/>',
            f'<text x="{end + 6:.0f}" y="{y + 14}">{share * sample.cost:.0f}</text>',
        ]
    return "\n".join([*lines, f'<text x="8" y="{height - 8}">{below}</text>', "</svg>", ""])
