"""Files that only their owner may read, and the URL of an SQLite file.

Every file with problems or secrets is created with mode 0600, in a folder with mode 0700, whatever
the umask of the process.
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
    """Return the URL of an SQLite file; sqlite_path is the inverse."""
    return f"sqlite:///{quote(str(file), safe='/ ')}"


def sqlite_path(url: str) -> Path | None:
    """Return the file of an SQLite URL, or None for another engine and for a database in memory.

    Parsed as SQLAlchemy does: up to the first `?`, and %XX is one byte.
    """
    scheme, slashes, rest = url.partition(":///")
    name = unquote(rest.partition("?")[0])
    if not slashes or scheme.partition("+")[0] != "sqlite" or name in ("", _MEMORY):
        return None
    return Path(name)


@contextmanager
def made_for_owner_only() -> Iterator[None]:
    """Create files inside the `with` block with mode 0600 and folders with mode 0700."""
    before = os.umask(OWNER_ONLY)
    try:
        yield
    finally:
        os.umask(before)


def make_folder(folder: Path) -> None:
    """Create a folder and its missing parents with mode 0700.

    An existing folder is not changed: it may be shared. Raises OSError.
    """
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    for each in reversed(missing):
        each.mkdir(mode=0o700, exist_ok=True)


def make_private(file: Path) -> None:
    """Create an SQLite file with mode 0600, or remove the rights of others to an existing one.

    The files that SQLite creates beside it get its mode. Raises OSError, and as keep_private does.
    """
    make_folder(file.parent)
    # An existing file is not opened: closing it would release the locks that SQLite holds on it.
    with suppress(FileExistsError):
        os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    keep_private(file)


def keep_private(file: Path) -> None:
    """Remove the rights of others to an SQLite file and the files beside it, where they exist.

    Earlier versions left the mode to the umask. Raises PermissionError for a file of another user
    that everybody may write.
    """
    for suffix in SQLITE_PARTS:
        part = file.with_name(file.name + suffix)
        if part.exists():
            _restrict(part)


def open_to(file: Path) -> tuple[bool, bool]:
    """Return whether others than the owner may read a file, and whether everybody may write it."""
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
