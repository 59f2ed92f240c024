"""A supplier's own code: rules written in Python, and the threads and limits of all such code.

Rules in Python are discovered by the entry point group `supplier_api.rules`.
An entry point names a `PythonRule`: the keys of the rule book, with a function for the condition.
It is evaluated before the transaction, under a time limit, and sees the request, the tenant, the
service and the clock only.
"""

import copy
import inspect
import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, wait
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from hashlib import sha256
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from queue import SimpleQueue
from typing import Any, TypeVar

from supplier_api.clock import MachineClock, SystemMachineClock
from supplier_api.logging import get_logger
from supplier_api.rules.facts import EXTERNAL_GROUPS, Facts, Service, Unknown
from supplier_api.rules.model import BookError, BookFinding, Definition, Operation, meant
from supplier_api.rules.rule import breaches

T = TypeVar("T")
ENTRY_POINTS = "supplier_api.rules"
MOST_TIME_OUTS = 3  # in a row, after which a rule is switched off
PAUSE = 60.0  # seconds between two probes of a rule that is switched off
CALLS_AT_ONCE = 8
PATIENCE = 30.0  # seconds of one call after which its thread is given up

_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class OutsideFacts:
    """The facts of a rule written in Python: a copy of the request document, and business time.

    `service` is None when the inventory does not know it, and when the rule does not need it.
    """

    request: Mapping[str, Any]
    tenant: str
    service: Service | None
    now: datetime


@dataclass(frozen=True, kw_only=True)
class PythonRule(Definition):
    """A rule whose condition is a function, which may be slow and may fail.

    `needs` names the groups it reads, of request, tenant, service and clock. `when` returns
    whether the rule matches.
    """

    needs: frozenset[str]
    when: Callable[[OutsideFacts], bool]


@dataclass(frozen=True, slots=True)
class PythonVerdict:
    """The result of a rule written in Python; None when it could not be evaluated, and why."""

    matched: bool | None
    why: str = ""


PythonVerdicts = Mapping[str, PythonVerdict]


class Plugins:
    """The rules written in Python, each with its own threads and its count of time-outs.

    `digest` changes with the definitions of the rules and the source of their conditions; it is
    empty when there are none.
    """

    def __init__(
        self,
        rules: Iterable[PythonRule] = (),
        seconds: float = 1.0,
        clock: MachineClock | None = None,
        packages: Iterable[str] = (),
    ) -> None:
        """Check the rules; `seconds` is the time limit of each. Raises BookError.

        `clock` measures when a rule that is switched off is probed (the host's by default);
        `packages` are the releases that the rules come from.
        """
        self.rules = tuple(rules)
        self._seconds = seconds
        findings = [finding for rule in self.rules for finding in _faults(rule)]
        if findings:
            raise BookError(findings)
        self.digest = "".join(sorted([*packages, *map(_digest, self.rules)]))
        clock = clock or SystemMachineClock()
        self._runners = [_Runner(rule, clock) for rule in self.rules]

    @classmethod
    def discover(cls, seconds: float, clock: MachineClock | None = None) -> "Plugins":
        """Load what is installed under the entry point group; raises BookError."""
        points = entry_points(group=ENTRY_POINTS)
        packages = {f"{each.dist.name} {each.dist.version}" for each in points if each.dist}
        return cls([load_rule(point) for point in points], seconds, clock, packages)

    def evaluate(
        self, operation: Operation, facts: Facts, seconds: float | None = None
    ) -> PythonVerdicts:
        """Evaluate all rules about `operation` in parallel and return their verdicts.

        The wait ends after the rules' own limit, or after `seconds` if that is less; a rule that is
        late then has not used up its own limit, and does not count as timed out.
        """
        limit = self._seconds if seconds is None else max(0.0, min(self._seconds, seconds))
        asked = [
            runner
            for runner in self._runners
            if operation in runner.rule.applies_to and runner.rule.active(facts.now)
        ]
        if not asked:
            return {}
        started = [(runner, runner.start(facts)) for runner in asked]
        return self._verdicts(started, limit)

    def probe(self) -> None:
        """Probe rules that are switched off, if it is time, with the facts of their last call."""
        for runner in self._runners:
            if facts := runner.facts_to_probe():
                self._verdicts([(runner, runner.start(facts))], self._seconds)

    def off(self) -> dict[str, datetime]:
        """Return since when rules are switched off (machine time), by their ids."""
        since = {runner.rule.id: runner.off_since for runner in self._runners}
        return {name: at for name, at in since.items() if at}

    def _verdicts(
        self, started: "Iterable[tuple[_Runner, Future[bool] | str]]", limit: float
    ) -> PythonVerdicts:
        started = list(started)
        wait([answer for _, answer in started if isinstance(answer, Future)], timeout=limit)
        full = limit >= self._seconds
        return {runner.rule.id: runner.verdict(answer, full) for runner, answer in started}

    def finding(self, rule: PythonRule, text: str) -> BookFinding:
        """Return a finding about one of the rules; it has no line in a book."""
        return _finding(rule.id, text)


class _Runner:
    """Runs one rule on its own threads, so that a rule that hangs does not block others."""

    def __init__(self, rule: PythonRule, clock: MachineClock) -> None:
        self.rule = rule
        self._threads = DaemonThreads(f"rule-{rule.id}", CALLS_AT_ONCE, clock)
        self._watch = SourceWatch(f"rule {rule.id}", OutageLimits(MOST_TIME_OUTS, 0, PAUSE), clock)
        # The facts for the next probe.
        self._last_asked: Facts | None = None

    @property
    def off_since(self) -> datetime | None:
        """The instant at which it was switched off, while it is."""
        return self._watch.down_since

    def facts_to_probe(self) -> Facts | None:
        """Return the facts to probe it with, if it is switched off and a probe is due."""
        waits = self.off_since is None or self._watch.seconds_until_probe() > 0
        return None if waits else self._last_asked

    def start(self, facts: Facts) -> Future[bool] | str:
        """Start the rule; returns the reason when it cannot be started."""
        service = facts.service if "service" in self.rule.needs else None
        if isinstance(service, Unknown):
            return "not known in time: service"
        if not self._watch.may_ask():
            return f"switched off after {MOST_TIME_OUTS} time-outs"
        self._last_asked = facts
        request = copy.deepcopy(dict(facts.request))
        seen = OutsideFacts(request, facts.tenant, service, facts.now)
        return self._threads.submit(partial(self.rule.when, seen))

    def verdict(self, answer: Future[bool] | str, full: bool) -> PythonVerdict:
        """Return the verdict after waiting; `full`: the rule had its whole time limit."""
        why = answer if isinstance(answer, str) else self._failure(answer, full)
        if why or isinstance(answer, str):
            _log.error("a Python rule gave no verdict", rule=self.rule.id, why=why)
            return PythonVerdict(None, why)
        return PythonVerdict(answer.result())

    def _failure(self, answer: Future[bool], full: bool) -> str:
        if answer.cancel():
            return "all its threads are busy"
        if not answer.done():
            if full:
                self._watch.failed()
            return "took too long"
        self._watch.answered()
        self._last_asked = None
        if error := answer.exception():
            return f"raised {type(error).__name__}"
        result: object = answer.result()
        kind = type(result).__name__
        return "" if isinstance(result, bool) else f"gave {kind}, not true or false"


def _digest(rule: PythonRule) -> str:
    """Return a digest of the rule's definition and of the source file of its condition."""
    when = inspect.unwrap(rule.when.func if isinstance(rule.when, partial) else rule.when)
    code = when if inspect.isroutine(when) else type(when)
    try:
        source = Path(inspect.getsourcefile(code) or "").read_bytes()
    except (OSError, TypeError):  # none: built in, or made without a file
        source = b""
    fields = {name: value for name, value in vars(rule).items() if name != "when"}
    words = {name: sorted(v) if isinstance(v, frozenset) else v for name, v in fields.items()}
    return sha256(repr(sorted(words.items())).encode() + source).hexdigest()


def load_rule(point: EntryPoint) -> PythonRule:
    """Return what an entry point publishes; raises BookError if that is no rule."""
    try:
        rule = point.load()
    except Exception as error:
        why = f"raised {type(error).__name__}: {error}"
        raise BookError([_finding(point.name, why)]) from error
    if not isinstance(rule, PythonRule):
        kind = type(rule).__name__
        raise BookError([_finding(point.name, f"{point.value} is {kind}, not a PythonRule")])
    return rule


def _faults(rule: PythonRule) -> Iterable[BookFinding]:
    if not rule.applies_to:
        yield _finding(rule.id, "applies_to: empty")
    for group in sorted(rule.needs - EXTERNAL_GROUPS):
        yield _finding(rule.id, f"needs: {group} cannot be seen", meant(group, EXTERNAL_GROUPS))
    for breach in breaches(rule):
        yield _finding(rule.id, breach.text, breach.hint)


def _finding(name: str, text: str, hint: str = "") -> BookFinding:
    return BookFinding(f"[{ENTRY_POINTS}] {name}", 1, 1, text, hint)


@dataclass(frozen=True, slots=True)
class OutageLimits:
    """When a source counts as down: after `failures` in a row, over at least `seconds`.

    While it is down it is probed once in `probe_every` seconds.
    """

    failures: int
    seconds: float
    probe_every: float


class SourceWatch:
    """Counts the failures of one source, in this process; safe for use by many threads."""

    def __init__(self, name: str, limits: OutageLimits, clock: MachineClock) -> None:
        """Watch a source; it counts as up at first."""
        self._name = name
        self._limits = limits
        self._clock = clock
        self._counting = threading.Lock()
        self._failures = 0
        self._first = 0.0
        self._next_probe = 0.0
        # The instant at which it went down, while it is down.
        self.down_since: datetime | None = None

    @property
    def down(self) -> bool:
        """Whether the source counts as down."""
        return self.down_since is not None

    def may_ask(self) -> bool:
        """Return whether to ask now. While the source is down, True claims the due probe."""
        with self._counting:
            if not self.down:
                return True
            if self._clock.monotonic() < self._next_probe:
                return False
            self._next_probe = self._clock.monotonic() + self._limits.probe_every
            return True

    def seconds_until_probe(self) -> float:
        """Return the seconds until the next probe of a source that is down; 0 if it is up."""
        with self._counting:
            return max(0.0, self._next_probe - self._clock.monotonic()) if self.down else 0.0

    def answered(self) -> None:
        """Record that the source answered: it is up."""
        with self._counting:
            was_down, self.down_since, self._failures = self.down, None, 0
        if was_down:
            _log.warning("source.back", source=self._name)

    def failed(self) -> None:
        """Record that the source failed, or did not answer within the time limit."""
        now = self._clock.monotonic()
        with self._counting:
            self._first = self._first if self._failures else now
            self._failures += 1
            lasts = now - self._first
            if self.down or self._failures < self._limits.failures or lasts < self._limits.seconds:
                return
            self.down_since = self._clock.now()
            self._next_probe = now + self._limits.probe_every
            failures = self._failures
        _log.error("source.down", source=self._name, failures=failures, seconds=round(lasts))


class DaemonThreads:
    """A pool of daemon threads for calls with a time limit, started when first needed.

    A call that is late keeps its thread.

    A thread that is busy with one call for `PATIENCE` seconds is given up, as in delivery: it no
    longer counts, another replaces it, and it ends when the call returns. So that calls that hang
    for ever do not use up threads, once `most` are given up they are replaced one by one and ever
    more slowly (some three hundred after a day).
    """

    def __init__(self, name: str, most: int, clock: MachineClock) -> None:
        """Prepare for at most `most` concurrent calls."""
        self._name = name
        self._most = most
        self._clock = clock
        self._calls: SimpleQueue[tuple[Future[Any], Callable[[], Any]]] = SimpleQueue()
        self._changing = threading.Lock()
        self._started = 0
        self._active: set[int] = set()
        self._busy_since: dict[int, float] = {}
        self._given_up: set[int] = set()
        self._next_given_up = 0.0

    def submit(self, call: Callable[[], T]) -> Future[T]:
        """Queue the call. A future that `cancel()` accepts has not been started."""
        with self._changing:
            self._give_up_stuck()
            if len(self._active) < self._most:
                self._started += 1
                number, name = self._started, f"{self._name}-{self._started}"
                self._active.add(number)
                threading.Thread(target=self._run, args=(number,), name=name, daemon=True).start()
        future: Future[T] = Future()
        self._calls.put((future, call))
        return future

    def _give_up_stuck(self) -> None:
        """Give up threads that hang, as far as they may be replaced; the caller holds the lock."""
        now = self._clock.monotonic()
        stuck = [each for each, since in self._busy_since.items() if now - since > PATIENCE]
        for number in stuck:
            generations = len(self._given_up) // self._most
            if generations and now < self._next_given_up:
                return
            _log.error("thread.given-up", pool=self._name, seconds=PATIENCE)
            del self._busy_since[number]
            self._active.discard(number)
            self._given_up.add(number)
            self._next_given_up = now + PATIENCE * (1 + generations)

    def _run(self, number: int) -> None:
        while True:
            future, call = self._calls.get()
            if not future.set_running_or_notify_cancel():
                continue
            with self._changing:
                self._busy_since[number] = self._clock.monotonic()
            try:
                future.set_result(call())
            except BaseException as error:  # noqa: BLE001 - whatever it is belongs to the caller
                future.set_exception(error)
            del future, call
            with self._changing:
                self._busy_since.pop(number, None)
                if number in self._given_up:
                    self._given_up.discard(number)
                    return
