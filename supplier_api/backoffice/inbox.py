"""Applies the webhooks in the inbox: in the order in which they came, ticket by ticket.

A webhook is read by the adapter, and what it says of tickets becomes the events that follow from
it. One that cannot be applied now is tried again, and what came later about the same tickets waits
behind it. A webhook is settled in the transaction that applies it, so a kill repeats or ends it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from supplier_api.backoffice.mapping_values import MappingFailed
from supplier_api.backoffice.port import Parses, Reads, Snapshot
from supplier_api.db import StoreUnavailable, UnitOfWork
from supplier_api.logging import get_logger
from supplier_api.problems.inbox_repository import InboxRepository, InboxState, StoredWebhook
from supplier_api.problems.services import Services
from supplier_api.problems.snapshots import SnapshotResult, Snapshots

LOOK_EVERY = 5.0  # seconds
BATCH = 20
# How long a webhook waits after each failure; one failure more and it is given up.
WAITS = tuple(timedelta(seconds=each) for each in (2, 10, 30, 120, 600, 1800, 3600))
# How often a ticket that is nobody's is tried again: the answer to our order may be on its way.
TRIES_OF_UNKNOWN = 4
# An order about the problem is under way: it is seldom delivered later.
BEHIND_ORDER = timedelta(seconds=2)
# What is stored of a webhook that was not applied, in words.
WAITING = "an order about its problem is under way"
NOBODYS = "its tickets are of no problem"
BEHIND = "an earlier webhook about its ticket waits"
log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Delayed:
    """Tickets that an earlier webhook waits with, and until when."""

    tickets: frozenset[str]
    until: datetime


class _NotUnderstood(Exception):
    """The adapter will never understand a webhook; the text says why, in words of ours."""


class InboxChore:
    """Applies what is due, up to a batch at each turn; any number of workers may do so at once."""

    def __init__(self, services: Services, adapter: Parses, snapshots: Snapshots) -> None:
        """Read webhooks with `adapter`, outside transactions."""
        self._services = services
        self._adapter = adapter
        self._snapshots = snapshots
        # The tickets of webhooks that wait, by the webhooks' ids.
        self._tickets: dict[int, frozenset[str]] = {}

    def turn(self) -> float:
        """Apply what is due; return the seconds until something is due again."""
        services, now = self._services, self._services.machine.now()
        due = services.store.read(lambda uow: InboxRepository(uow).due(now, BATCH))
        if not due:
            self._tickets.clear()
            return self._until_next(now)
        delayed = self._delayed(due[-1].id, now)
        for webhook in due:
            before = [each for number, each in delayed.items() if number < webhook.id]
            if again := self._process(webhook, before, now):
                delayed[webhook.id] = again
        return 0.0

    def _until_next(self, now: datetime) -> float:
        at = self._services.store.read(lambda uow: InboxRepository(uow).next_due())
        if at is None:
            return LOOK_EVERY
        return max(0.0, min(LOOK_EVERY, (at - now).total_seconds()))

    def _delayed(self, before: int, now: datetime) -> dict[int, _Delayed]:
        """Return what waits for a later time, of all that came before a webhook, by its id."""
        services = self._services
        found: dict[int, _Delayed] = {}
        for number in services.store.read(lambda uow: InboxRepository(uow).delayed(now, before)):
            webhook = services.store.read(
                lambda uow, number=number: InboxRepository(uow).get(number)  # type: ignore[misc]
            )
            if webhook is None or webhook.due_at is None:
                continue
            if number not in self._tickets:
                self._tickets[number] = self._tickets_of(webhook)
            found[number] = _Delayed(self._tickets[number], webhook.due_at)
        return found

    def _tickets_of(self, webhook: StoredWebhook) -> frozenset[str]:
        try:
            return _named(self._adapter.parse(webhook.headers, webhook.body))
        except Exception:  # noqa: BLE001 - it is told when its own turn comes
            return frozenset()

    def _process(
        self, webhook: StoredWebhook, delayed: Sequence[_Delayed], now: datetime
    ) -> _Delayed | None:
        """Apply one webhook, or put it back; return what waits with it, None if it is settled."""
        try:
            snapshots = self._parse(webhook)
            tickets = _named(snapshots)
            earlier = [each.until for each in delayed if each.tickets & tickets]
            if earlier:
                return self._put_back(webhook, tickets, max(earlier), BEHIND)
            if webhook.error == WAITING:
                snapshots = self._read_anew(snapshots)
            return self._apply(webhook, snapshots, now)
        except StoreUnavailable:
            raise
        except _NotUnderstood as error:
            log.warning("inbox.not-understood", webhook=webhook.id, hook=webhook.hook)
            self._settle(webhook, InboxState.FAILED, now, f"not understood: {error}")
        except Exception as error:
            log.warning("inbox.failed", webhook=webhook.id, hook=webhook.hook, exc_info=True)
            return self._failed(webhook, error, now)
        return None

    def _parse(self, webhook: StoredWebhook) -> list[Snapshot]:
        try:
            return self._adapter.parse(webhook.headers, webhook.body)
        except MappingFailed as error:
            raise _NotUnderstood(str(error)) from error
        except ValueError as error:
            # The text of any other may hold what is in the webhook.
            raise _NotUnderstood(type(error).__name__) from error

    def _read_anew(self, snapshots: Sequence[Snapshot]) -> list[Snapshot]:
        """Return the tickets as they are now: our own order may have changed them meanwhile."""
        if not isinstance(self._adapter, Reads):
            return list(snapshots)
        return [self._adapter.read(each.ticket) or each for each in snapshots]

    def _apply(
        self, webhook: StoredWebhook, snapshots: Sequence[Snapshot], now: datetime
    ) -> _Delayed | None:
        tickets = _named(snapshots)
        # Each in a transaction of its own, but for the last: problems are locked in any order.
        results = {self._snapshots.take(each) for each in snapshots[:-1]}

        def work(uow: UnitOfWork) -> _Delayed | None:
            if not InboxRepository(uow).take(webhook):
                return None
            found = results | {self._snapshots.apply(uow, each) for each in snapshots[-1:]}
            return _end(uow, webhook, tickets, found, now)

        return self._services.store.write(work)

    def _failed(self, webhook: StoredWebhook, error: Exception, now: datetime) -> _Delayed | None:
        name = type(error).__name__
        if webhook.attempts >= len(WAITS):
            self._settle(webhook, InboxState.FAILED, now, f"failed: {name}")
            return None
        tickets = self._tickets_of(webhook)
        due_at = now + WAITS[webhook.attempts]
        return self._put_back(webhook, tickets, due_at, f"failed: {name}", counts=True)

    def _put_back(
        self,
        webhook: StoredWebhook,
        tickets: frozenset[str],
        due_at: datetime,
        error: str,
        *,
        counts: bool = False,
    ) -> _Delayed:
        def work(uow: UnitOfWork) -> None:
            if InboxRepository(uow).take(webhook):
                InboxRepository(uow).put_back(webhook, due_at, error, counts=counts)

        self._services.store.write(work)
        self._tickets[webhook.id] = tickets
        return _Delayed(tickets, due_at)

    def _settle(self, webhook: StoredWebhook, state: InboxState, now: datetime, error: str) -> None:
        def work(uow: UnitOfWork) -> None:
            if InboxRepository(uow).take(webhook):
                InboxRepository(uow).settle(webhook, state, now, error)

        self._services.store.write(work)


def _end(
    uow: UnitOfWork,
    webhook: StoredWebhook,
    tickets: frozenset[str],
    results: set[SnapshotResult],
    now: datetime,
) -> _Delayed | None:
    """Settle a webhook by what became of its snapshots, or have it tried again."""
    inbox, tried = InboxRepository(uow), webhook.attempts
    if SnapshotResult.WAITS in results:
        due_at = now + BEHIND_ORDER
        inbox.put_back(webhook, due_at, WAITING, counts=False)
        return _Delayed(tickets, due_at)
    if SnapshotResult.UNKNOWN in results and tried < TRIES_OF_UNKNOWN:
        due_at = now + WAITS[tried]
        inbox.put_back(webhook, due_at, NOBODYS, counts=True)
        return _Delayed(tickets, due_at)
    nobodys = NOBODYS if SnapshotResult.UNKNOWN in results else None
    inbox.settle(webhook, InboxState.APPLIED, now, nobodys)
    return None


def _named(snapshots: Sequence[Snapshot]) -> frozenset[str]:
    return frozenset(each.ticket for each in snapshots)
