"""Files that are for their owner alone, and the URL under which an SQLite file is known.

Whatever holds problems or secrets is made with mode 0600, in a folder of 0700, whatever the umask
of whoever starts us.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote, unquote

OWNER_ONLY = 0o077  # the umask that leaves files 0600 and folders 0700
SQLITE_PARTS = ("", "-wal", "-shm", "-journal")  # what SQLite keeps under a file's name
_MEMORY = ":memory:"


def sqlite_url(file: Path) -> str:
    """Return the URL of an SQLite file, so written that sqlite_path returns the same file."""
    return f"sqlite:///{quote(str(file), safe='/ ')}"


def sqlite_path(url: str) -> Path | None:
    """Return the file of an SQLite URL, or None for another engine and for one in memory.

    Read as SQLAlchemy does: up to the first `?`, and %XX is one byte.
    """
    scheme, slashes, rest = url.partition(":///")
    name = unquote(rest.partition("?")[0])
    if not slashes or scheme.partition("+")[0] != "sqlite" or name in ("", _MEMORY):
        return None
    return Path(name)


@contextmanager
def made_for_owner_only() -> Iterator[None]:
    """Have every file that this process makes meanwhile belong to its user alone."""
    before = os.umask(OWNER_ONLY)
    try:
        yield
    finally:
        os.umask(before)


def make_folder(folder: Path) -> None:
    """Make a folder, and those above it that are missing, for their owner alone.

    One that is there stays as it is: others may keep files in it. Raises OSError.
    """
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    for each in reversed(missing):
        each.mkdir(mode=0o700, exist_ok=True)


def make_private(file: Path) -> None:
    """Make an SQLite file, with its folder, for its owner alone; take away others' rights to it.

    What SQLite makes beside it later gets the file's own mode. Raises what keep_private raises.
    """
    make_folder(file.parent)
    # One that is there is not opened: to close it would give up the locks that SQLite has on it.
    with suppress(FileExistsError):
        os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    keep_private(file)


def keep_private(file: Path) -> None:
    """Take away others' rights to an SQLite file and to what lies beside it, as far as it is there.

    Earlier versions left it to the umask. Raises PermissionError for a file of another user that
    everybody may write.
    """
    for suffix in SQLITE_PARTS:
        part = file.with_name(file.name + suffix)
        if part.exists():
            _restrict(part)


def open_to(file: Path) -> tuple[bool, bool]:
    """Return whether others than its owner may read a file, and whether everybody may write it."""
    mode = file.stat().st_mode
    return bool(mode & (stat.S_IRGRP | stat.S_IROTH)), bool(mode & stat.S_IWOTH)


def _restrict(file: Path) -> None:
    found = file.stat()
    if not found.st_mode & OWNER_ONLY:
        return
    if found.st_uid == os.geteuid() or os.geteuid() == 0:
        file.chmod(stat.S_IMODE(found.st_mode) & ~OWNER_ONLY)
    elif found.st_mode & stat.S_IWOTH:
        raise PermissionError(
            f"{file} can be written by everybody and belongs to another user: chmod 600 it"
        )
