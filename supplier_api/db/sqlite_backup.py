"""Copies of an SQLite file: made while others work on it, checked, and restored.

Files are moved and written so that a power cut at any moment leaves either the old state or the new
one.
"""

import errno
import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

from supplier_api.db.errors import SQLITE, StoreBusy, StoreUnavailable, damaged
from supplier_api.files import SQLITE_PARTS, keep_private, make_private

LOCK_WAIT = 1.0  # seconds
# Errors of SQLite that are the copy's: the source is only read.
OF_WRITING = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE}
IN_USE = "other processes work on {file}: stop all that use it first"


@contextmanager
def copied(source: Path, target: Path) -> Iterator[Path]:
    """Copy a database into a new file beside `target`; it gets that name after the block.

    The block may still write into the copy. The copy is a consistent snapshot, and writers are not
    blocked. It is one file, readable by its owner alone. Raises FileExistsError, and
    StoreUnavailable for a source that is locked or damaged, and without room for the copy.
    """
    if target.exists():
        raise FileExistsError(errno.EEXIST, "is there already", str(target))
    partial = target.with_name(f"{target.name}.partial")
    _remove(partial)
    make_private(partial)
    try:
        with (
            _store_errors(source, target),
            closing(_open(source)) as live,
            closing(_open(partial)) as copy,
        ):
            live.backup(copy)
        yield partial
        with _store_errors(partial), closing(_open(partial)) as copy:
            copy.execute("PRAGMA journal_mode=DELETE")
            _check(copy, source)
        _sync(partial)
        _rename(partial, target)
    finally:
        _remove(partial)


def check(file: Path, target: Path) -> None:
    """Check that a file is an intact database of this software, and not the one at `target`.

    Raises OSError and StoreUnavailable. Nothing is written, unless there is a -wal beside the file,
    which belongs to it.
    """
    if target.exists() and file.exists() and target.samefile(file):
        raise FileExistsError(errno.EEXIST, "is the database itself", str(file))
    if not file.is_file():
        raise FileNotFoundError(errno.ENOENT, "there is no such file", str(file))
    mode = "mode=rw" if file.with_name(f"{file.name}-wal").exists() else "immutable=1"
    with _store_errors(file), closing(_open(file, mode)) as found:
        _check(found, file)


def put_back(backup: Path, target: Path) -> list[Path]:
    """Replace `target` by `backup`, and return the files in which the old database is kept.

    The files beside it (-wal, -shm) belong to the old database: together with an older main file
    they would make a damaged one. Raises StoreBusy while others work on the file.
    """
    kept = _free_name(target, "before-restore")
    with _store_errors(target):
        done = target.exists() and _overwrite(backup, target, kept)
    if not done:
        _set_aside(target, kept)
        with copied(backup, target):
            pass
    keep_private(target)
    return sorted(kept.parent.glob(f"{kept.name}*"))


def _overwrite(backup: Path, target: Path, kept: Path) -> bool:
    """Replace the content in one SQLite transaction, under an exclusive lock.

    A damaged file cannot be locked like that: if nobody else has it open it is set aside, and the
    result is False.
    """
    with closing(_open(target)) as live:
        try:
            _lock(live, target)
            live.execute("SELECT count(*) FROM sqlite_master").fetchone()
        except sqlite3.DatabaseError as error:
            if damaged(error) is None:
                raise
            _require_unheld(target)
            # Before the connection is closed, which removes the -wal.
            _set_aside(target, kept)
            return False
        # This moves the content of the -wal into the main file and removes it: now it is one file.
        live.execute("PRAGMA journal_mode=DELETE")
        make_private(kept)
        try:
            with closing(_open(kept)) as old:
                live.backup(old)
        except sqlite3.Error:
            _remove(kept)
            raise
        _sync(kept)
        with closing(_open(backup)) as new:
            new.backup(live)
        return True


def _lock(live: sqlite3.Connection, file: Path) -> None:
    """Keep all other connections out until this one is closed."""
    try:
        live.execute("PRAGMA locking_mode=EXCLUSIVE")
        live.execute("BEGIN EXCLUSIVE")
        live.execute("COMMIT")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY:
            raise StoreBusy(IN_USE.format(file=file)) from error
        raise


def _require_unheld(file: Path) -> None:
    """Raise StoreBusy if a process holds SQLite's shared lock on a file, readable or not.

    A process in WAL mode holds it for as long as it has the file open (sqlite.org/fileformat2.html:
    510 bytes from 2^30 + 2 on).
    """
    with file.open("r+b") as handle:
        try:
            fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB, 510, 2**30 + 2)
        except OSError as error:
            raise StoreBusy(IN_USE.format(file=file)) from error


def _set_aside(file: Path, kept: Path) -> None:
    for suffix in SQLITE_PARTS:
        part = file.with_name(file.name + suffix)
        if part.exists():
            part.rename(kept.with_name(kept.name + suffix))


def _free_name(file: Path, addition: str) -> Path:
    """Return a file name beside the file that is not in use."""
    number, free = 1, file.with_name(f"{file.stem}-{addition}{file.suffix}")
    while list(free.parent.glob(f"{free.name}*")):
        number += 1
        free = file.with_name(f"{file.stem}-{addition}-{number}{file.suffix}")
    return free


def _open(file: Path, mode: str = "mode=rw") -> sqlite3.Connection:
    """Open an existing file; by default SQLite would create a missing one."""
    return sqlite3.connect(
        f"file:{quote(str(file.absolute()))}?{mode}",
        uri=True,
        timeout=LOCK_WAIT,
        isolation_level=None,
    )


def _check(found: sqlite3.Connection, file: Path) -> None:
    answers = [row[0] for row in found.execute("PRAGMA quick_check(1)")]
    if answers != ["ok"]:
        raise StoreUnavailable(f"{file}: {SQLITE[sqlite3.SQLITE_CORRUPT]}: {answers[0]}")
    tables = "SELECT count(*) FROM sqlite_master WHERE name IN ('alembic_version', 'decision')"
    if found.execute(tables).fetchone()[0] != 2:
        raise StoreUnavailable(f"{file}: is no database of supplier_api")


@contextmanager
def _store_errors(file: Path, written: Path | None = None) -> Iterator[None]:
    """Raise StoreUnavailable for an error, which names `file`, or what was `written` from it."""
    try:
        yield
    except sqlite3.Error as error:
        ours = written and getattr(error, "sqlite_errorcode", None) in OF_WRITING
        raise StoreUnavailable(f"{written if ours else file}: {damaged(error) or error}") from error


def _sync(file: Path) -> None:
    """Return when a file, and its directory entry, are on the disk."""
    for each in (file, file.parent):
        handle = os.open(each, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _rename(file: Path, target: Path) -> None:
    """Give a file its name, unless that name was taken meanwhile."""
    try:
        target.hardlink_to(file)
    except FileExistsError:
        raise FileExistsError(errno.EEXIST, "is there already", str(target)) from None
    except OSError:  # a file system without links
        file.rename(target)
    _sync(target)


def _remove(file: Path) -> None:
    for suffix in SQLITE_PARTS:
        with suppress(FileNotFoundError):
            file.with_name(file.name + suffix).unlink()
