"""The inbox: webhooks of the back office as they came, until they are applied.

A webhook that is queued has a due time; every other one has none.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, RowMapping, TextClause, func, select, text, update
from sqlalchemy.dialects import postgresql, sqlite

from supplier_api.db import UnitOfWork
from supplier_api.db.tables import inbox

_t = inbox.c
# As they came. An expression: by the id itself SQLite would read the whole table.
_IN_ORDER = _t.id + 0
_LAST = 2**63 - 1  # behind every row
# Written as in the partial index: SQLite compares the two as text.
FAILED = text("inbox.state = 'failed'")


class InboxState(StrEnum):
    """How far a webhook is."""

    QUEUED = "queued"
    APPLIED = "applied"
    SKIPPED = "skipped"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class StoredWebhook:
    """A webhook as it came; `received`, `due_at` and `settled` are machine time.

    `error` says why it was not applied yet, or what was found instead: words of ours.
    """

    id: int
    hook: str
    key: str
    headers: Mapping[str, str]
    body: bytes
    state: InboxState
    attempts: int
    error: str | None
    received: datetime
    due_at: datetime | None
    settled: datetime | None


class InboxRepository:
    """Reads and writes the inbox within one transaction."""

    def __init__(self, uow: UnitOfWork) -> None:
        """Work in the unit of work."""
        self._connection = uow.connection
        self._dialect = postgresql if uow.dialect == "postgresql" else sqlite
        self._wake = uow.wake

    def add(
        self, hook: str, key: str, headers: Mapping[str, str], body: bytes, now: datetime
    ) -> bool:
        """Store a webhook that is due now; return False if it is there already."""
        values = {
            "hook": hook,
            "key": key,
            "headers": dict(headers),
            "body": body,
            "state": InboxState.QUEUED,
            "received": now,
            "due_at": now,
        }
        query = self._dialect.insert(inbox).values(values).on_conflict_do_nothing()
        added = self._connection.execute(query.returning(_t.id)).first() is not None
        if added:
            self._wake()
        return added

    def due(self, now: datetime, limit: int) -> list[StoredWebhook]:
        """Return the webhooks that are due, in the order in which they came."""
        return self._where(_t.due_at <= now, limit=limit)

    def delayed(self, now: datetime, before: int) -> list[int]:
        """Return the ids of those that wait for a later time and came before the one named."""
        query = select(_t.id).where(_t.due_at > now, _t.id < before).order_by(_IN_ORDER)
        return list(self._connection.execute(query).scalars())

    def next_due(self) -> datetime | None:
        """Return when the earliest is due."""
        earliest = select(_t.due_at).where(_t.due_at.is_not(None)).order_by(_t.due_at).limit(1)
        return self._connection.execute(earliest).scalar()

    def get(self, webhook_id: int) -> StoredWebhook | None:
        """Return a webhook."""
        return next(iter(self._where(_t.id == webhook_id, limit=1)), None)

    def lock(self, webhook_id: int) -> StoredWebhook | None:
        """Lock a webhook and return it."""
        same = update(inbox).where(_t.id == webhook_id).values(attempts=_t.attempts)
        self._connection.execute(same)
        return self.get(webhook_id)

    def listed(self, state: InboxState | None, limit: int) -> list[StoredWebhook]:
        """Return the webhooks in a state, by default those that are queued or failed."""
        of: ColumnElement[bool] | TextClause
        if state is None:
            return sorted(
                [
                    *self._where(_t.due_at.is_not(None), limit=limit),
                    *self._where(FAILED, limit=limit),
                ],
                key=lambda each: each.id,
            )[:limit]
        of = FAILED if state is InboxState.FAILED else _t.state == state
        return self._where(of, limit=limit)

    def newest(self, before: int | None, limit: int) -> list[StoredWebhook]:
        """Return webhooks in any state, the newest first; the next page is before the last one."""
        columns = [_t[name] for name in StoredWebhook.__slots__]
        behind = _t.id < (_LAST if before is None else before)
        query = select(*columns).where(behind).order_by(_t.id.desc()).limit(limit)
        return [_webhook(row) for row in self._connection.execute(query).mappings()]

    def take(self, webhook: StoredWebhook) -> bool:
        """Lock a queued webhook; False if somebody else dealt with it since it was read."""
        same = (_t.id == webhook.id, _t.state == webhook.state, _t.due_at == webhook.due_at)
        locked = update(inbox).where(*same).values(attempts=_t.attempts)
        return self._connection.execute(locked).rowcount == 1

    def settle(
        self, webhook: StoredWebhook, state: InboxState, now: datetime, error: str | None = None
    ) -> None:
        """End a webhook in a state."""
        values = {"state": state, "error": error, "due_at": None, "settled": now}
        self._change(webhook, values | {"attempts": webhook.attempts + 1})

    def put_back(
        self, webhook: StoredWebhook, due_at: datetime, error: str, *, counts: bool
    ) -> None:
        """Have a webhook tried again at `due_at`; `counts` if it was an attempt."""
        attempts = webhook.attempts + (1 if counts else 0)
        self._change(webhook, {"due_at": due_at, "error": error, "attempts": attempts})

    def queue_again(self, webhook: StoredWebhook, now: datetime) -> None:
        """Have a webhook applied anew, as if it came now."""
        values = {"state": InboxState.QUEUED, "attempts": 0, "error": None}
        self._change(webhook, values | {"due_at": now, "settled": None})
        self._wake()

    def _change(self, webhook: StoredWebhook, values: Mapping[str, Any]) -> None:
        self._connection.execute(update(inbox).where(_t.id == webhook.id).values(values))

    def _where(
        self,
        condition: ColumnElement[bool] | TextClause,
        *,
        limit: int,
    ) -> list[StoredWebhook]:
        columns = [_t[name] for name in StoredWebhook.__slots__]
        query = select(*columns).where(condition).order_by(_IN_ORDER).limit(limit)
        return [_webhook(row) for row in self._connection.execute(query).mappings()]


def waiting(uow: UnitOfWork) -> tuple[int, datetime | None]:
    """Return how many webhooks wait, and when the first of them came."""
    query = select(func.count(), func.min(_t.received)).where(_t.due_at.is_not(None))
    count, oldest = uow.connection.execute(query).one()
    return count, oldest


def count_failed(uow: UnitOfWork) -> int:
    """Return how many webhooks could not be applied."""
    return uow.connection.execute(
        select(func.count()).select_from(inbox).where(FAILED)
    ).scalar_one()


def _webhook(row: RowMapping) -> StoredWebhook:
    return StoredWebhook(**{**row, "state": InboxState(row["state"]), "body": bytes(row["body"])})
