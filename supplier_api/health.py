"""The container's health check: running parts register in a file, and the check asks them.

    python -m supplier_api.health

Exit code 0 if all that runs here is well, else 1 with what is not. Every command that serves keeps
a file in the data folder while it runs: it holds the addresses that have to answer 200, or, for a
part without HTTP, is touched every second. The file is locked as long as its process lives, so the
file of a killed process is ignored. It is in a folder with this machine's name, because containers
may share the data folder.

A check every few seconds must cost next to nothing: no settings are read, and only the standard
library is used.
"""

import fcntl
import http.client
import os
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

from supplier_api.clock import MachineClock, SystemMachineClock

TIMEOUT = 3.0  # seconds that a server has to answer
SILENCE = timedelta(seconds=15)  # after which a part without HTTP counts as not working


@dataclass(frozen=True)
class RunningPart:
    """The file of a running part: the URLs to ask, and when (POSIX time) it was last touched."""

    name: str
    urls: Sequence[str]
    touched: float


@contextmanager
def registered(
    data_dir: Path, part: str, ready_urls: Sequence[str] = ()
) -> Iterator[Callable[[], None]]:
    """Register that `part` runs here while the block does.

    It is well as long as each of `ready_urls` answers 200; without any, as long as the yielded
    function is called at least every 15 seconds. If the data folder cannot be written nothing is
    registered, and the part runs all the same.
    """
    file = _folder(data_dir) / f"{part}.{os.getpid()}"
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("\n".join(ready_urls), encoding="utf-8")
        handle = file.open("rb")
    except OSError:
        yield lambda: None
        return
    with handle:
        # Waits only while a check tests whether it is locked.
        fcntl.flock(handle, fcntl.LOCK_EX)
        try:
            yield lambda: os.utime(handle.fileno())
        finally:
            file.unlink(missing_ok=True)


def complaints(data_dir: Path, clock: MachineClock) -> list[str]:
    """Return a line for each part that is not well, or one line if nothing runs here."""
    folder = _folder(data_dir)
    parts = [part for file in sorted(folder.glob("*.*")) if (part := _read(file))]
    if not parts:
        return [f"nothing that runs here says so in {folder} (can it be written?)"]
    since = (clock.now() - SILENCE).timestamp()
    silent = [f"{part.name} is silent" for part in parts if not part.urls and part.touched < since]
    urls = dict.fromkeys(url for part in parts for url in part.urls)
    return silent + [f"{url} is not ready" for url in urls if not _is_ready(url)]


def _folder(data_dir: Path) -> Path:
    return data_dir / "running" / socket.gethostname()


def _read(file: Path) -> RunningPart | None:
    """Return the content of the file, or None if the process that wrote it has ended."""
    with suppress(FileNotFoundError), file.open("rb") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            urls = handle.read().decode().split()
            return RunningPart(file.stem, urls, os.fstat(handle.fileno()).st_mtime)
    return None


def _is_ready(url: str) -> bool:
    parts = urlsplit(url)
    with closing(http.client.HTTPConnection(parts.netloc, timeout=TIMEOUT)) as connection:
        try:
            connection.request("GET", parts.path)
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False


if __name__ == "__main__":
    # Without a line end that a manifest may have left there, as the settings read it.
    folder = Path(os.environ.get("SUPPLIER_API_DATA_DIR", "").rstrip("\r\n") or "var")
    if found := complaints(folder, SystemMachineClock()):
        sys.exit("; ".join(found))
