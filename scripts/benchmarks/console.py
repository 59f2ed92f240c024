"""What ten browsers that watch the console cost, while problems are raised at a steady pace.

A browser here asks as htmx does in a real one: each second for news of the page's live part. It
shares a process with the gateway's calls, as in the sandbox, or has one of its own.
"""

import re
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path

from scripts.benchmarks.figures import Figure, Options, at_most, say
from scripts.benchmarks.installation import FIRST_ID, SERVICES, Installation, make_installation
from scripts.benchmarks.processes import HOST, spent_by

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
        """Let them open their pages."""
        self._watchers = watchers
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)
        for watcher in watchers:
            watcher.open()

    def __enter__(self) -> "Watching":
        """Begin to ask."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Ask no more."""
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        step = ASKS / len(self._watchers)
        turn, due = 0, time.monotonic()
        while not self._ended.is_set():
            self._watchers[turn % len(self._watchers)].ask()
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


def measure(options: Options) -> list[Figure]:
    """Raise problems with nobody and with ten browsers watching, in turns."""
    alone: list[float] = []
    watched: list[float] = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        installation = make_installation(folder / "console", profile="sandbox")
        process = stack.enter_context(installation.serving())
        raising = Raising(installation)
        raising.run(2.0)
        watchers = _watchers(installation, next(reversed(raising.raised)))
        for number in range(1, options.rounds + 1):
            alone.append(_cost(process.pid, raising))
            with Watching(watchers):
                watched.append(_cost(process.pid, raising))
            found = f"{alone[-1]:.0f}, watched {watched[-1]:.0f}"
            say(f"round {number} of {options.rounds}, us of CPU a create: {found}")
    return [
        Figure("create at 50 a second, sandbox profile, nobody watches", "us", alone),
        Figure(
            "create at 50 a second, ten browsers watch",
            "us",
            watched,
            note="the browsers' questions are answered by the same process.",
        ),
        Figure(
            "what ten browsers add to a create at 50 a second",
            "us",
            [more - less for more, less in zip(watched, alone, strict=True)],
            at_most(50),
        ),
        *_seen(watchers, raising),
    ]


def _watchers(installation: Installation, reference: str) -> list[Watcher]:
    pages = ["overview/", "problems/", f"problems/{reference}"]
    return [
        Watcher(HTTPConnection(HOST, installation.port), f"/console/{pages[each % len(pages)]}")
        for each in range(BROWSERS)
    ]


def _cost(pid: int, raising: Raising) -> float:
    with spent_by(pid) as spent:
        count = raising.run(ROUND)
    return spent.cpu / count * MICROSECONDS


def _seen(watchers: Sequence[Watcher], raising: Raising) -> list[Figure]:
    """Return how late a new problem is shown, and how long an answer takes."""
    late = sorted(
        at - raising.raised[reference]
        for watcher in watchers
        for reference, at in watcher.seen.items()
        if reference in raising.raised and at > raising.raised[reference]
    )
    seconds = sorted(second for watcher in watchers for second in watcher.seconds)
    answers = [status for watcher in watchers for status in watcher.answers]
    return [
        Figure(
            "a new problem in the console's list, after its 201, p99",
            "s",
            [late[len(late) * 99 // 100]] if late else [0.0],
            at_most(2),
        ),
        Figure(
            "news for a browser, p99",
            "ms",
            [seconds[len(seconds) * 99 // 100] * 1000],
            at_most(300),
            f"{answers.count(204)} of {len(answers)} were 204.",
        ),
    ]
