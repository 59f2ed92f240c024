"""Database backups, restoring them, and what a restored database does not know.

The gateway knows what was answered after the copy was taken; the restored database does not. So a
copy records when it was taken, restoring records that too, and the doctor warns until an operator
has asked the gateway.
"""

import shlex
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from sqlalchemy import delete

from supplier_api.clock import MachineClock, to_wire
from supplier_api.db import SchemaTooOld, Store, UnitOfWork, migrate, sqlite_backup
from supplier_api.db.operator_actions import (
    BACKED_UP,
    RECONCILED,
    RESTORED,
    Action,
    OperatorActionRepository,
)
from supplier_api.db.tables import console_session, sign_in_link
from supplier_api.files import sqlite_url
from supplier_api.operations.processes import ProcessRepository
from supplier_api.problems.decision_repository import DecisionRepository

# The key in `detail` for the time until which a restored database knows everything.
KNOWN = "known"


@dataclass(frozen=True, slots=True)
class Restoration:
    """That a database was restored: when and by whom, and until when its answers are known.

    Both instants are machine time; `known` is None for a database that never answered anything.
    """

    at: datetime
    who: str
    known: datetime | None


def back_up(source: Path, target: Path, clock: MachineClock, who: str) -> None:
    """Copy the SQLite file `source`, while others work on it, into a new file `target`.

    Raises OSError and StoreUnavailable.
    """
    begun = clock.now()
    with sqlite_backup.copied(source, target) as copy:
        store = Store(sqlite_url(copy), clock, pool_size=1)
        try:
            # An older schema may have no table for it yet.
            with suppress(SchemaTooOld):
                migrate.require(store.engine)
                store.write(
                    lambda uow: OperatorActionRepository(uow).add(
                        Action(begun, who, BACKED_UP, str(target))
                    )
                )
        finally:
            store.close()


def put_back(
    backup: Path, target: Path, clock: MachineClock, who: str, reason: str
) -> tuple[Restoration, Sequence[Path]]:
    """Replace the SQLite file `target` by `backup`, upgraded to today's schema.

    Returns what is known of it now, and the files in which the old database is kept. Raises
    OSError, and StoreUnavailable: for a damaged copy, and while other processes work on the file.
    """
    sqlite_backup.check(backup, target)
    kept = sqlite_backup.put_back(backup, target)
    url = sqlite_url(target)
    migrate.upgrade(url)
    store = Store(url, clock, pool_size=1)
    try:
        return note_restored(store, clock.now(), who, reason), kept
    finally:
        store.close()


def note_restored(
    store: Store, now: datetime, who: str, reason: str, taken: datetime | None = None
) -> Restoration:
    """Record that a database was restored; `taken` is when the copy was made, if known.

    Otherwise the copy itself shows it. Everybody must sign in again: a session that was ended since
    then must not come back.
    """

    def work(uow: UnitOfWork) -> Restoration:
        known = taken or _last_sign(uow)
        for table in (console_session, sign_in_link):
            uow.connection.execute(delete(table))
        detail = {KNOWN: known.isoformat() if known else None}
        OperatorActionRepository(uow).add(Action(now, who, RESTORED, reason, detail=detail))
        return Restoration(now, who, known)

    return store.write(work)


def note_reconciled(store: Store, now: datetime, who: str, reason: str) -> Restoration | None:
    """Record that the gateway was asked; return the restoration it was about, if any."""

    def work(uow: UnitOfWork) -> Restoration | None:
        about = unreconciled(uow)
        if about:
            OperatorActionRepository(uow).add(Action(now, who, RECONCILED, reason))
        return about

    return store.write(work)


def unreconciled(uow: UnitOfWork) -> Restoration | None:
    """Return the last restoration, unless the gateway was asked since."""
    restored, asked = (
        OperatorActionRepository(uow).last(RESTORED),
        OperatorActionRepository(uow).last(RECONCILED),
    )
    if restored is None or (asked is not None and asked.at >= restored.at):
        return None
    known = (restored.detail or {}).get(KNOWN)
    return Restoration(restored.at, restored.who, datetime.fromisoformat(known) if known else None)


def _last_sign(uow: UnitOfWork) -> datetime | None:
    """Return the latest time that a copy contains, so it was made after that.

    All that was answered until then is in it, because an answer is sent after its commit.
    """
    copied, seen = OperatorActionRepository(uow).last(BACKED_UP), ProcessRepository(uow).all()
    signs = [copied.at if copied else None, DecisionRepository(uow).last_committed()]
    signs += [process.seen for process in seen]
    return max((sign for sign in signs if sign), default=None)


def dump_line(url: str, file: Path) -> str:
    """Return the command line by which PostgreSQL's own tools copy the database at `url`."""
    args = ["pg_dump", "--format=custom", f"--file={file}", f"--dbname={_without_password(url)}"]
    return shlex.join(args)


def restore_line(url: str, file: Path) -> str:
    """Return the command line by which PostgreSQL's own tools restore a copy into `url`."""
    args = ["pg_restore", "--clean", "--if-exists", "--no-owner", "--single-transaction"]
    return shlex.join([*args, f"--dbname={_without_password(url)}", str(file)])


def _without_password(url: str) -> str:
    """Return a URL for PostgreSQL's tools, which ask for the password or find it themselves."""
    parts = urlsplit(url)
    user, at, place = parts.netloc.rpartition("@")
    query = [(name, value) for name, value in parse_qsl(parts.query) if name != "password"]
    rest = f"?{urlencode(query, quote_via=quote)}" if query else ""
    return f"postgresql://{user.partition(':')[0]}{at}{place}{parts.path}{rest}"


def what_is_unknown(found: Restoration) -> str:
    """Say from when to when answers were given that this database does not know."""
    since = to_wire(found.known) if found.known else "the beginning"
    return (
        f"answers that were given from {since} to {to_wire(found.at)} are unknown here:"
        f" the database was put back by {found.who}"
    )


QUESTIONS = (
    "ask the gateway which requests it sent in that time, and what we answered",
    "ask the gateway to send once more those that are unknown here (`problem show` tells)",
    "ask the gateway which KCIs it took in that time: their numbers may come again",
)
