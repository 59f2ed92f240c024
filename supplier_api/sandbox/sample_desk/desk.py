"""The tickets of the sample desk, in a SQLite file, and the webhooks about them."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any

import orjson

from supplier_api.clock import MachineClock, SystemMachineClock

STATUSES = (
    "New",
    "Working",
    "Asked",
    "Held",
    "Done",
    "Closed",
    "Approved",
    "Declined",
    "Cancelled",
    "Rejected",
)
# What people, and adapters, may change in a ticket.
CHANGEABLE = ("status", "note", "cause", "title", "priority")
_TABLES = """
CREATE TABLE IF NOT EXISTS ticket (id INTEGER PRIMARY KEY AUTOINCREMENT, changed TEXT, body TEXT);
CREATE TABLE IF NOT EXISTS webhook (
    id INTEGER PRIMARY KEY AUTOINCREMENT, body TEXT, state TEXT DEFAULT 'waits'
);
"""


class NoSuchTicket(LookupError):
    """There is no ticket of that number."""


class SampleDesk:
    """Makes, changes and comments tickets; each change makes a webhook in the same transaction.

    A ticket's `revision` rises with each change of its fields, and not with comments.
    """

    def __init__(self, file: Path, clock: MachineClock | None = None) -> None:
        """Keep the tickets in `file`, which is made if need be."""
        self._clock = clock or SystemMachineClock()
        self._lock = Lock()
        self._database = sqlite3.connect(file, check_same_thread=False, isolation_level=None)
        self._database.executescript(_TABLES)

    def close(self) -> None:
        """Give the file back."""
        self._database.close()

    def create(self, given: dict[str, Any]) -> dict[str, Any]:
        """Make a ticket: each call makes another one."""
        with self._transaction():
            row = self._database.execute("INSERT INTO ticket (body) VALUES ('{}')")
            ticket = {"number": f"T-{row.lastrowid}", "status": "New", "note": "", "cause": ""}
            ticket |= {name: given.get(name, "") for name in ("title", "text", "reference")}
            return self._save(ticket | {"revision": 1, "comments": []}, "ticket.created")

    def change(self, number: str, given: dict[str, Any]) -> dict[str, Any]:
        """Change fields of a ticket; what is as it was already makes no revision."""
        with self._transaction():
            ticket = self._find(number)
            wanted = {name: given[name] for name in CHANGEABLE if name in given}
            if wanted.get("status", "New") not in STATUSES:
                raise ValueError(f"status: one of {', '.join(STATUSES)}")
            if ticket | wanted == ticket:
                return ticket
            changed = ticket | wanted | {"revision": ticket["revision"] + 1}
            return self._save(changed, "ticket.changed")

    def comment(self, number: str, text: str) -> dict[str, Any]:
        """Write a comment: each call writes another one."""
        with self._transaction():
            ticket = self._find(number)
            ticket["comments"].append(text)
            return self._save(ticket, "ticket.commented")

    def ticket(self, number: str) -> dict[str, Any]:
        """Return a ticket; raises NoSuchTicket."""
        with self._transaction():
            return self._find(number)

    def tickets(self, reference: str | None = None, since: str = "") -> list[dict[str, Any]]:
        """Return the tickets that changed at `since` (ISO 8601, UTC) or later, oldest first."""
        with self._transaction():
            rows = self._database.execute(
                "SELECT body FROM ticket WHERE changed >= ? ORDER BY id", (since,)
            ).fetchall()
        found = [orjson.loads(body) for (body,) in rows]
        return [each for each in found if reference in (None, each["reference"])]

    def webhooks(self) -> list[tuple[int, bytes]]:
        """Return the webhooks that are not marked as sent, oldest first, each with its number."""
        with self._transaction():
            rows = self._database.execute(
                "SELECT id, body FROM webhook WHERE state = 'waits' ORDER BY id"
            ).fetchall()
        return [(number, body.encode()) for number, body in rows]

    def sent(self, number: int, state: str = "sent") -> None:
        """Mark a webhook, before it is sent: it is sent once at most."""
        with self._transaction():
            self._database.execute("UPDATE webhook SET state = ? WHERE id = ?", (state, number))

    def _find(self, number: str) -> dict[str, Any]:
        row = self._database.execute(
            "SELECT body FROM ticket WHERE id = ?", (number.removeprefix("T-"),)
        ).fetchone()
        if row is None:
            raise NoSuchTicket(number)
        found: dict[str, Any] = orjson.loads(row[0])
        return found

    def _save(self, ticket: dict[str, Any], event: str) -> dict[str, Any]:
        now = self._clock.now().isoformat(timespec="milliseconds").replace("+00:00", "Z")
        ticket["changed"] = now
        self._database.execute(
            "UPDATE ticket SET changed = ?, body = ? WHERE id = ?",
            (now, orjson.dumps(ticket).decode(), ticket["number"].removeprefix("T-")),
        )
        hook = orjson.dumps({"event": event, "ticket": ticket}).decode()
        self._database.execute("INSERT INTO webhook (body) VALUES (?)", (hook,))
        return ticket

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._lock:
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._database.execute("ROLLBACK")
                raise
            self._database.execute("COMMIT")
