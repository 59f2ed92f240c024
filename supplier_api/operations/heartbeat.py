"""The heartbeat of a process, and what follows when one of them dies without a notice.

Each process updates its row every few seconds; a worker also looks for dead ones. A web server that
becomes silent may have died before the gateway got its last answers: what it committed in its last
seconds is marked doubtful, unless the gateway has shown since that it knows it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from importlib.metadata import version
from typing import Any

from supplier_api.clock import MachineClock, to_wire
from supplier_api.db import StoreUnavailable, UnitOfWork
from supplier_api.db.notify import WakeEvent
from supplier_api.delivery.threads import Loop
from supplier_api.logging import get_logger
from supplier_api.operations.installation import (
    InstallationRepository,
    InstallationStamp,
    stamp_of,
)
from supplier_api.operations.metric_samples import MetricSampleRepository
from supplier_api.operations.metrics import ProcessMetrics
from supplier_api.operations.processes import DIED, MISSED, Process, ProcessKind, ProcessRepository
from supplier_api.problems.services import GATEWAY, Services
from supplier_api.settings import Settings

# An answer that was committed this long before a web server's death may not have been sent.
ANSWER_UNDER_WAY = timedelta(seconds=5)
REMEMBERED = timedelta(days=1)
BATCH = 100  # problems checked in one transaction
log = get_logger(__name__)


class Activity:
    """What a process knows that is in no table, such as when something happened. Thread-safe.

    `metrics` are its numbers, which heartbeats store in a table of their own.
    """

    def __init__(self, clock: MachineClock) -> None:
        """Begin with nothing noted."""
        self.metrics = ProcessMetrics(clock)
        self._clock = clock
        self._last: dict[str, datetime] = {}
        self._lasting: dict[str, Callable[[], datetime | None]] = {}
        self._reports: dict[str, Callable[[], Mapping[str, Any]]] = {}

    def note(self, what: str) -> None:
        """Note that `what` happens now."""
        self._last[what] = self._clock.now()

    def watch(self, what: str, since: Callable[[], datetime | None]) -> None:
        """Report with every heartbeat since when `what` lasts, while `since` returns a time."""
        self._lasting[what] = since

    def report(self, what: str, values: Callable[[], Mapping[str, Any]]) -> None:
        """Report with every heartbeat what `values` returns (plain JSON), unless it is empty."""
        self._reports[what] = values

    def detail(self) -> dict[str, Any]:
        """Return when each thing last happened or began, and all other reports, as JSON values."""
        lasting = {what: since() for what, since in self._lasting.items()}
        seen = {**self._last, **lasting}
        reports = {what: values() for what, values in self._reports.items()}
        return {
            **{what: to_wire(at) for what, at in seen.items() if at is not None},
            **{what: dict(values) for what, values in reports.items() if values},
        }


@dataclass(frozen=True, slots=True)
class ProcessInfo:
    """What a process reports of itself; its activity and version are read at each heartbeat."""

    kind: ProcessKind
    activity: Activity
    book_version: Callable[[], str] | None = None


class ProcessRegistry:
    """The row of this process in the table of processes."""

    def __init__(
        self, services: Services, me: ProcessInfo, stamp: InstallationStamp, patience: float
    ) -> None:
        """Prepare to report `me`; a heartbeat may wait `patience` seconds for the database."""
        self._services = services
        self._me = me
        self._stamp = stamp
        self._patience = patience
        self._started = services.machine.now()
        # The stamp of another installation, found on the database that was ours at the start.
        self.foreign: InstallationStamp | None = None

    def begin(self) -> None:
        """Store the process for the first time; raises StoreUnavailable.

        An earlier process of the same name that never ended was killed: a container uses the same
        name again.
        """
        CrashDetector(self._services, timedelta()).mark_dead(self._services.process)
        self.beat()

    def beat(self) -> None:
        """Store that the process is alive and what it counted, and check the database's stamp.

        So it is always known whether the database can be written. Raises StoreUnavailable.
        """
        try:
            found = self._write(None)
            self._services.store.require_room()
        except StoreUnavailable as error:
            self._services.store.note_failure(error)
            raise
        if found is not None and found != self._stamp and self.foreign is None:
            self.foreign = found
            log.critical("stamp.foreign", ours=str(self._stamp), found=str(found))

    def end(self) -> None:
        """Store that the process ends in good order; raises StoreUnavailable."""
        self._write(self._services.machine.now())

    def _write(self, ended: datetime | None) -> InstallationStamp | None:
        services, metrics = self._services, self._me.activity.metrics
        samples = metrics.unsaved(final=ended is not None)
        sign = Process(
            name=services.process,
            kind=self._me.kind,
            version=version("supplier_api"),
            book_version=self._me.book_version() if self._me.book_version else None,
            started=self._started,
            seen=services.machine.now(),
            ended=ended,
            detail=self._me.activity.detail(),
        )

        def work(uow: UnitOfWork) -> InstallationStamp | None:
            found = InstallationRepository(uow).get()
            # Nothing is written into a database that now belongs to another installation.
            if found is None or found == self._stamp:
                ProcessRepository(uow).save(sign)
                MetricSampleRepository(uow).add(sign.name, sign.kind, samples)
            return found

        found = services.store.write(work, deadline=services.machine.monotonic() + self._patience)
        metrics.saved()
        return found


class CrashDetector:
    """Finds processes that died, and marks doubtful what they may not have answered."""

    def __init__(self, services: Services, silence: timedelta) -> None:
        """Regard a process as dead if it was not seen for `silence`."""
        self._services = services
        self._silence = silence

    def find(self) -> None:
        """Handle dead processes, and remove those that ended long ago; raises StoreUnavailable."""
        now = self._services.machine.now()
        store = self._services.store
        for silent in store.read(lambda uow: ProcessRepository(uow).silent(now - self._silence)):
            self.mark_dead(silent.name)
        if store.read(lambda uow: ProcessRepository(uow).any_ended(now - REMEMBERED)):
            store.write(lambda uow: ProcessRepository(uow).remove_ended(now - REMEMBERED))

    def mark_dead(self, name: str) -> None:
        """Mark doubtful what a dead web server may not have answered, and store its end.

        Done once, by the first to come. It runs in small steps, each of which may be repeated.
        """
        after: int | None = 0
        while after is not None:
            after = self._services.store.write(partial(self._step, name=name, after=after))

    def _step(self, uow: UnitOfWork, *, name: str, after: int) -> int | None:
        """Check some problems above row id `after`; return how far, or None when all is done."""
        now = self._services.machine.now()
        dead = ProcessRepository(uow).lock_running(name)
        if dead is None or dead.seen > now - self._silence:
            return None
        ids: list[int] = []
        if dead.kind == ProcessKind.WEB:
            since = dead.seen - ANSWER_UNDER_WAY
            ids = ProcessRepository(uow).answered(name, since, after, BATCH)
        doubted = ProcessRepository(uow).doubt_unknown(ids, GATEWAY) if ids else 0
        detail: Mapping[str, Any] = {
            **dead.detail,
            "doubtful": dead.detail.get("doubtful", 0) + doubted,
        }
        if len(ids) == BATCH:
            ProcessRepository(uow).save(replace(dead, detail=detail))
            return ids[-1]
        ProcessRepository(uow).save(replace(dead, ended=now, detail={**detail, DIED: to_wire(now)}))
        log.warning("process.died", process=name, kind=dead.kind, doubtful=detail["doubtful"])
        return None


class Heartbeat:
    """A thread that stores this process's heartbeat. Skipped while the database is unavailable."""

    def __init__(
        self,
        registry: ProcessRegistry,
        clock: MachineClock,
        every: float,
        crash_detector: CrashDetector | None = None,
    ) -> None:
        """Prepare to beat every `every` seconds, and to run `crash_detector` if given.

        It has a WakeEvent of its own: others' commits are no reason for a heartbeat.
        """
        self._registry = registry
        self._clock = clock
        self._every = every
        self._crash_detector = crash_detector
        self._begun = False
        self._steady_since: float | None = None
        self._loop = Loop("heartbeat", self.turn, WakeEvent(), clock)

    def start(self) -> None:
        """Begin to beat; returns at once."""
        self._loop.start()

    def stop(self, seconds: float) -> None:
        """Store that the process ends, if that can be done within about `seconds`."""
        self._loop.stop(seconds)
        try:
            if self._begun:
                self._registry.end()
        except StoreUnavailable as error:
            log.warning("heartbeat.end-not-told", error=str(error))

    def at_home(self) -> bool:
        """Return whether the database is still the one that the process was started on."""
        return self._registry.foreign is None

    def turn(self) -> float:
        """Beat once; return the seconds until the next time. Raises StoreUnavailable."""
        try:
            self._beat()
        except StoreUnavailable:
            self._steady_since = None
            raise
        return self._every

    def _beat(self) -> None:
        if self._begun:
            self._registry.beat()
        else:
            self._registry.begin()
            self._begun = True
        now = self._clock.monotonic()
        if self._steady_since is None:
            self._steady_since = now
        # While the database was unavailable, the others could store no heartbeat either.
        if (
            self._crash_detector
            and self.at_home()
            and now - self._steady_since > MISSED * self._every
        ):
            self._crash_detector.find()


def build_heartbeat(settings: Settings, services: Services, me: ProcessInfo) -> Heartbeat:
    """Return the heartbeat of a process; a worker's also looks for others that have died."""
    every = settings.status.heartbeat
    registry = ProcessRegistry(services, me, stamp_of(settings), every)
    crash_detector = None
    if me.kind is ProcessKind.WORKER:
        crash_detector = CrashDetector(services, timedelta(seconds=MISSED * every))
    return Heartbeat(registry, services.machine, every, crash_detector)
