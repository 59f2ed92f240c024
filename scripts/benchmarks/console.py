"""What ten browsers that watch the console cost, while problems are raised at a steady pace.

A browser here asks as htmx does in a real one: each second for news of the page's live part. The
console has a process of its own, as in production, or shares the gateway's, as in the sandbox.
"""

import os
import re
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path

from scripts.benchmarks.figures import Figure, Options, at_most, say
from scripts.benchmarks.installation import FIRST_ID, SERVICES, Installation, make_installation
from scripts.benchmarks.processes import (
    HOST,
    LOAD_CORES,
    free_port,
    pin,
    running,
    spent_by,
    supplier_api,
    wait_for,
)

BROWSERS = 10
A_SECOND = 50  # problems
ROUND = 10.0  # seconds: at this pace shorter ones are nothing but noise
ASKS = 1.0  # seconds, between two questions of a browser
MICROSECONDS = 1_000_000
_LIVE = re.compile(r'hx-get="([^"]+)"')
_REFERENCE = re.compile(r"SP_[0-9A-Z]{10}")


@dataclass
class Watcher:
    """A browser on one page; `late` has the seconds that each new problem took to be shown."""

    connection: HTTPConnection
    page: str
    asks: str = ""
    answers: list[int] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    seen: dict[str, float] = field(default_factory=dict)

    def open(self) -> None:
        """Open the page."""
        self._take(self.page)

    def ask(self) -> None:
        """Ask for news."""
        self._take(self.asks)

    def _take(self, url: str) -> None:
        began = time.monotonic()
        self.connection.request("GET", url, headers={"HX-Request": "true"})
        answer = self.connection.getresponse()
        text = answer.read().decode()
        self.seconds.append(time.monotonic() - began)
        self.answers.append(answer.status)
        if answer.status == 204:
            return
        if answer.status != 200:
            raise RuntimeError(f"{url}: {answer.status}")
        self.sizes.append(len(text.encode()))
        if found := _LIVE.search(text):
            self.asks = found[1].replace("&amp;", "&")
        for reference in _REFERENCE.findall(text):
            self.seen.setdefault(reference, time.monotonic())


class Watching:
    """Ten browsers that ask each second, spread over it, in one thread."""

    def __init__(self, watchers: Sequence[Watcher]) -> None:
        """Take these browsers."""
        self._watchers = watchers
        self._ended = threading.Event()
        self._wrong: Exception | None = None
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> "Watching":
        """Open the pages, and begin to ask."""
        for watcher in self._watchers:
            watcher.open()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Ask no more; raises RuntimeError if an answer was wrong."""
        self._ended.set()
        self._thread.join()
        if self._wrong:
            raise RuntimeError("a browser was not answered") from self._wrong

    def _run(self) -> None:
        step = ASKS / len(self._watchers)
        turn, due = 0, time.monotonic()
        while not self._ended.is_set():
            try:
                self._watchers[turn % len(self._watchers)].ask()
            except Exception as error:  # noqa: BLE001 - raised where the block ends
                self._wrong = error
                return
            turn, due = turn + 1, due + step
            self._ended.wait(max(0.0, due - time.monotonic()))


class Raising:
    """Raises problems on one connection, so many a second."""

    def __init__(self, installation: Installation) -> None:
        """Connect."""
        self._template = installation.request().encode()
        self._socket = HTTPConnection(HOST, installation.port)
        self._socket.connect()
        self._next = FIRST_ID
        self.raised: dict[str, float] = {}

    def run(self, seconds: float) -> int:
        """Raise problems for so long; return how many."""
        began, count = time.monotonic(), 0
        while (now := time.monotonic()) < began + seconds:
            self._raise()
            count += 1
            time.sleep(max(0.0, began + count / A_SECOND - now))
        return count

    def _raise(self) -> None:
        values = {
            b"id": self._next,
            b"service": self._next % SERVICES,
            b"tenant": self._next // SERVICES,
        }
        self._next += 1
        head, _, body = (self._template % values).partition(b"\r\n\r\n")
        line, *headers = head.decode().split("\r\n")
        method, path, _ = line.split(" ")
        named = dict(header.split(": ", 1) for header in headers)
        self._socket.request(method, path, body, named)
        answer = self._socket.getresponse()
        said = answer.read().decode()
        if answer.status != 201:
            raise RuntimeError(f"{answer.status}: {said}")
        self.raised[_REFERENCE.findall(said)[0]] = time.monotonic()


@dataclass
class Layout:
    """An installation, the port of its console, and the costs of a create, alone and watched."""

    installation: Installation
    console: int
    alone: list[float] = field(default_factory=list)
    watched: list[float] = field(default_factory=list)

    def figures(self, where: str) -> list[Figure]:
        """Return what was found; the target is for a console with a process of its own."""
        own = self.console != self.installation.port
        pairs = zip(self.watched, self.alone, strict=True)
        return [
            Figure(
                f"create at {A_SECOND} a second, console in {where}, not watched", "us", self.alone
            ),
            Figure(
                f"what ten browsers add to it, console in {where}",
                "us",
                [watched - alone for watched, alone in pairs],
                at_most(50) if own else None,
            ),
        ]


def measure(options: Options) -> list[Figure]:
    """Raise problems with nobody and with ten browsers watching, in turns."""
    # The gateway and the browsers, which are in this process, leave the server's core alone.
    before = os.sched_getaffinity(0)
    pin(LOAD_CORES)()
    try:
        return _measure(options)
    finally:
        os.sched_setaffinity(0, before)


def _measure(options: Options) -> list[Figure]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        own = _layout(folder / "own", apart=True)
        shared = _layout(folder / "shared", apart=False)
        doors = ["--door", "gateway", "--door", "back-office", "--door", "operations"]
        words = supplier_api("serve", "--door", "console")
        stack.enter_context(running(words, own.installation.environ, LOAD_CORES))
        wait_for(f"http://{HOST}:{own.console}/health/ready")
        gateway = stack.enter_context(own.installation.serving(doors=doors))
        both = stack.enter_context(shared.installation.serving())
        watchers: list[Watcher] = []
        raised: dict[str, float] = {}
        for layout, process in ((own, gateway), (shared, both)):
            raising = Raising(layout.installation)
            raising.run(2.0)
            browsers = _watchers(layout, next(reversed(raising.raised)))
            for number in range(1, options.rounds + 1):
                layout.alone.append(_cost(process.pid, raising))
                with Watching(browsers):
                    layout.watched.append(_cost(process.pid, raising))
                found = f"{layout.alone[-1]:.0f}, watched {layout.watched[-1]:.0f}"
                say(f"round {number} of {options.rounds}, us of CPU a create: {found}")
            watchers += browsers
            raised |= raising.raised
    return [
        *own.figures("a process of its own"),
        *shared.figures("the gateway's process"),
        *_seen(watchers, raised),
    ]


def _layout(folder: Path, *, apart: bool) -> Layout:
    port = free_port()
    settings = {"CONSOLE__LISTEN": f"{HOST}:{port}"} if apart else {}
    installation = make_installation(folder, profile="sandbox", settings=settings)
    return Layout(installation, port if apart else installation.port)


def _watchers(layout: Layout, reference: str) -> list[Watcher]:
    pages = ["problems/", f"problems/{reference}", "overview/"]
    return [
        Watcher(HTTPConnection(HOST, layout.console), f"/console/{pages[each % len(pages)]}")
        for each in range(BROWSERS)
    ]


def _cost(pid: int, raising: Raising) -> float:
    with spent_by(pid) as spent:
        count = raising.run(ROUND)
    return spent.cpu / count * MICROSECONDS


def _seen(watchers: Sequence[Watcher], raised: Mapping[str, float]) -> list[Figure]:
    """Return how late a new problem is shown, and how long an answer takes."""
    late = sorted(
        at - raised[reference]
        for watcher in watchers
        for reference, at in watcher.seen.items()
        if reference in raised and at > raised[reference]
    )
    seconds = sorted(second for watcher in watchers for second in watcher.seconds)
    answers = [status for watcher in watchers for status in watcher.answers]
    largest = max(size for watcher in watchers for size in watcher.sizes)
    return [
        Figure(
            "a new problem in the console's list, after its 201, p99",
            "s",
            [late[len(late) * 99 // 100]],
            at_most(2),
        ),
        Figure(
            "news for a browser, p99",
            "ms",
            [seconds[len(seconds) * 99 // 100] * 1000],
            at_most(300),
            f"{answers.count(204)} of {len(answers)} were 204; the largest had {largest:,} bytes.",
        ),
    ]
