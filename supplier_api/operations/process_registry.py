"""Which processes there are, and what follows when one of them dies without a word.

Each process says every few seconds that it is there. A web server that falls silent may have taken
answers with it that the gateway never got: what it committed in its last seconds is put in doubt,
unless the gateway has shown since that it knows it.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from importlib.metadata import version
from typing import Any

from supplier_api.clock import MachineClock, from_wire, to_wire
from supplier_api.db import StoreUnavailable, UnitOfWork
from supplier_api.logging import get_logger
from supplier_api.operations.installation_repository import (
    InstallationRepository,
    InstallationStamp,
)
from supplier_api.operations.process_repository import DIED, Process, ProcessKind, ProcessRepository
from supplier_api.problems.rule_evaluation import INVENTORY_DOWN
from supplier_api.problems.services import GATEWAY, Services

# An answer that was committed so long before a web server's death may not have left it.
ANSWER_UNDER_WAY = timedelta(seconds=5)
MISSED = 3  # heartbeats that a process may miss before it is taken for dead
REMEMBERED = timedelta(days=1)
RULES_OFF = "rules-off"
NOT_LOADED = "not-loaded"
REQUEST = "request"  # the gateway called; what is sent goes by the name of its destination
REQUEST_TIMES = "requestTimes"  # what the last requests took, as http.request_times tells it
BATCH = 100  # problems looked at in one transaction
log = get_logger(__name__)


class Activity:
    """What a process knows that stands in no row: when it last saw what. For many threads."""

    def __init__(self, clock: MachineClock) -> None:
        """Know of nothing yet."""
        self._clock = clock
        self._last: dict[str, datetime] = {}
        self._lasting: dict[str, Callable[[], datetime | None]] = {}
        self._told: dict[str, Callable[[], Mapping[str, Any]]] = {}

    def note(self, what: str) -> None:
        """Note that `what` happens now."""
        self._last[what] = self._clock.now()

    def watch(self, what: str, since: Callable[[], datetime | None]) -> None:
        """Tell with every sign of life since when `what` lasts, as long as it does."""
        self._lasting[what] = since

    def tell(self, what: str, values: Callable[[], Mapping[str, Any]]) -> None:
        """Tell with every sign of life what `values` returns (plain JSON), unless it is empty."""
        self._told[what] = values

    def detail(self) -> dict[str, Any]:
        """Return when each thing happened last, or began, and what else is told, as JSON values."""
        lasting = {what: since() for what, since in self._lasting.items()}
        seen = {**self._last, **lasting}
        told = {what: values() for what, values in self._told.items()}
        return {
            **{what: to_wire(at) for what, at in seen.items() if at is not None},
            **{what: dict(values) for what, values in told.items() if values},
        }


@dataclass(frozen=True, slots=True)
class ProcessInfo:
    """What a process says of itself; both are read at each sign of life."""

    kind: ProcessKind
    activity: Activity
    book_version: Callable[[], str] | None = None


class ProcessRegistry:
    """One process, as it shows itself to the others."""

    def __init__(
        self, services: Services, me: ProcessInfo, stamp: InstallationStamp, patience: float
    ) -> None:
        """Prepare to show `me`; `patience` is for how many seconds a sign of life may wait."""
        self._services = services
        self._me = me
        self._stamp = stamp
        self._patience = patience
        self._started = services.machine.now()
        # The stamp of another installation, found on the database that was ours at the start.
        self.foreign: InstallationStamp | None = None

    def begin(self) -> None:
        """Say for the first time that we are there; raises StoreUnavailable.

        One that had our name and never said that it ends was killed: a container gives the same
        name again.
        """
        CrashDetector(self._services, timedelta()).bury(self._services.process)
        self.beat()

    def beat(self) -> None:
        """Say that we are there, and see whose database this is; raises StoreUnavailable.

        So it is known at every moment whether the database can be written.
        """
        try:
            found = self._write(None)
            self._services.store.require_room()
        except StoreUnavailable as error:
            self._services.store.note(error)
            raise
        if found is not None and found != self._stamp and self.foreign is None:
            self.foreign = found
            log.critical("stamp.foreign", ours=str(self._stamp), found=str(found))

    def end(self) -> None:
        """Say that we end in good order; raises StoreUnavailable."""
        self._write(self._services.machine.now())

    def _write(self, ended: datetime | None) -> InstallationStamp | None:
        services = self._services
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
            # Nothing is written into a database that has become somebody else's.
            if found is None or found == self._stamp:
                ProcessRepository(uow).save(sign)
            return found

        return services.store.write(work, deadline=services.machine.monotonic() + self._patience)


def alive(processes: Iterable[Process], now: datetime, heartbeat: float) -> list[Process]:
    """Return those that gave a sign of life lately: one is due every `heartbeat` seconds."""
    since = now - timedelta(seconds=MISSED * heartbeat)
    return [each for each in processes if each.ended is None and each.seen >= since]


def inventory_down(processes: Iterable[Process]) -> dict[str, datetime]:
    """Return the names of those to whom the inventory gives no answers, and since when."""
    return {
        each.name: from_wire(each.detail[INVENTORY_DOWN])
        for each in processes
        if INVENTORY_DOWN in each.detail
    }


def rules_off(processes: Iterable[Process]) -> dict[str, dict[str, datetime]]:
    """Return the Python rules that are switched off, since when, by the process that did so."""
    return {
        each.name: {rule: from_wire(at) for rule, at in each.detail[RULES_OFF].items()}
        for each in processes
        if RULES_OFF in each.detail
    }


def not_loaded(processes: Iterable[Process], what: str) -> dict[str, Mapping[str, Any]]:
    """Return the new file of `rules` or of the `inventory` that processes do not use, and why."""
    return {
        each.name: each.detail[NOT_LOADED][what]
        for each in processes
        if what in each.detail.get(NOT_LOADED, {})
    }


class CrashDetector:
    """Finds processes that fell silent, and draws the conclusions."""

    def __init__(self, services: Services, silence: timedelta) -> None:
        """Take a process for dead that was not seen for `silence`."""
        self._services = services
        self._silence = silence

    def find(self) -> None:
        """Look for the dead, and forget those long ended; raises StoreUnavailable."""
        now = self._services.machine.now()
        store = self._services.store
        for silent in store.read(lambda uow: ProcessRepository(uow).silent(now - self._silence)):
            self.bury(silent.name)
        if store.read(lambda uow: ProcessRepository(uow).any_ended(now - REMEMBERED)):
            store.write(lambda uow: ProcessRepository(uow).remove_ended(now - REMEMBERED))

    def bury(self, name: str) -> None:
        """Put what a dead web server may have failed to answer in doubt, and note its end.

        Done once, whoever comes first. It goes in small steps, each of which may be repeated.
        """
        after: int | None = 0
        while after is not None:
            after = self._services.store.write(partial(self._step, name=name, after=after))

    def _step(self, uow: UnitOfWork, *, name: str, after: int) -> int | None:
        """Look at some problems above row id `after`; return how far, or None when all is done."""
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
