"""Asks the back office for what has changed, and applies it: for what no webhook tells, or told.

The cursor is stored, and one worker at a time looks. Each look begins some time before the last
one did, as the clocks may differ and systems list a change late; what is seen twice is known by its
version. While a snapshot waits for an order that is under way the cursor stays where it is.
"""

from collections import Counter
from datetime import datetime, timedelta

from supplier_api.backoffice.port import Polls
from supplier_api.db import StoreUnavailable
from supplier_api.logging import get_logger
from supplier_api.problems.services import Services
from supplier_api.problems.snapshot import Snapshot
from supplier_api.problems.snapshots import SnapshotResult, Snapshots
from supplier_api.problems.ticket_repository import PollRepository

# What came of a version that need not be looked at again; the others may end otherwise next time.
_DONE = (SnapshotResult.APPLIED, SnapshotResult.NOTHING, SnapshotResult.OLD)
log = get_logger(__name__)


class Poller:
    """Polls an adapter that can be asked what has changed; outside transactions."""

    def __init__(
        self,
        services: Services,
        snapshots: Snapshots,
        adapter: Polls,
        every: timedelta,
        overlap: timedelta,
    ) -> None:
        """Look `every` so often at `adapter`, from `overlap` before the last look on."""
        self._services = services
        self._snapshots = snapshots
        self._adapter = adapter
        self._every = every
        self._overlap = overlap
        # The versions that the last look left nothing to do for: they come again in the overlap.
        self._done: dict[str, int] = {}

    def turn(self) -> float:
        """Look if it is time; return the seconds until it is again."""
        services, now = self._services, self._services.machine.now()
        since, rest = next_look(services, services.adapter, self._every, now)
        if since is not None:
            try:
                self.look(since, now)
            except StoreUnavailable:
                raise
            except Exception:
                # The cursor stays: the next look begins where this one did.
                log.warning("poll.failed", adapter=services.adapter, exc_info=True)
        return rest

    def look(self, since: datetime, now: datetime) -> Counter[SnapshotResult | None]:
        """Apply what has changed since; return how many snapshots ended how.

        Raises what the adapter raises, and db.StoreUnavailable; what was applied stays.
        """
        results: Counter[SnapshotResult | None] = Counter()
        done: dict[str, int] = {}
        for snapshot in self._adapter.changed(since - self._overlap):
            known = self._done.get(snapshot.ticket) == snapshot.version
            result = SnapshotResult.OLD if known else self._take(snapshot)
            results[result] += 1
            if result in _DONE:
                done[snapshot.ticket] = snapshot.version
        self._done = done
        if not results[SnapshotResult.WAITS]:
            services = self._services
            services.store.write(lambda uow: PollRepository(uow, services.adapter).advance(now))
        if results[SnapshotResult.APPLIED]:
            log.info("poll.applied", snapshots=results[SnapshotResult.APPLIED])
        return results

    def _take(self, snapshot: Snapshot) -> SnapshotResult | None:
        """Apply a snapshot; None if it cannot be, which must not stop those behind it."""
        try:
            return self._snapshots.take(snapshot)
        except StoreUnavailable:
            raise
        except Exception:
            log.error("snapshot.not-applied", ticket=snapshot.ticket, exc_info=True)
            return None


def next_look(
    services: Services, name: str, every: timedelta, now: datetime
) -> tuple[datetime | None, float]:
    """Take the next look for `name` if it is due; return from when on, and when the next one is.

    The former is None if it is not due or another worker's, the latter in seconds.
    """
    last = services.store.read(lambda uow: PollRepository(uow, name).get())
    if last and last.polled + every > now:
        return None, (last.polled + every - now).total_seconds()
    since = services.store.write(lambda uow: PollRepository(uow, name).take(now, every))
    return since, every.total_seconds()
