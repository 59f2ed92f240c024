"""Finds out whether a port can be had, and who has it otherwise."""

import errno
import shutil
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path

from supplier_api.cli import CommandRefused

LISTENING = "0A"  # as /proc/net/tcp writes the state


@dataclass(frozen=True)
class Holder:
    """The process that listens on a port."""

    pid: int
    name: str


def address(host: str) -> str:
    """Return the address that a server listens on which is told to listen on `host`.

    A name stands for its first address, of the old kind if it has one: what calls a server by that
    name tries both. Raises CommandRefused for a name that is not known here.
    """
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise CommandRefused(
            f"the host {host!r} is not known here: expected a name or an address of this machine"
        ) from None
    found.sort(key=lambda each: each[0] != socket.AF_INET)
    return str(found[0][4][0])


def is_free(host: str, port: int) -> bool:
    """Tell whether a server could listen there.

    Raises CommandRefused for an unknown name, and for an address that is not of this machine.
    """
    host = address(host)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except PermissionError:
            return True
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return False
            raise CommandRefused(f"nothing can listen on {host}: {error.strerror}") from None
    return True


def free_port(host: str) -> int:
    """Return a port that nobody listens on now; raises Refused as `address` does."""
    host = address(host)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def holder(port: int) -> Holder | None:
    """Return who listens on a port of this machine, where that can be told."""
    if Path("/proc/net/tcp").exists():
        return _holder_by_proc(port)
    if shutil.which("lsof"):
        return _holder_by_lsof(port)
    return None


def _holder_by_proc(port: int) -> Holder | None:
    sockets = {f"socket:[{inode}]" for inode in _listening_inodes(port)}
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            if str(link.readlink()) in sockets:
                process = link.parent.parent
                name = (process / "comm").read_text(encoding="utf-8").strip()
                return Holder(int(process.name), name)
        except OSError:
            continue  # not ours to look at, or gone meanwhile
    return None


def _listening_inodes(port: int) -> set[str]:
    inodes = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        if Path(table).exists():
            for line in Path(table).read_text(encoding="ascii").splitlines()[1:]:
                columns = line.split()
                if columns[1].endswith(f":{port:04X}") and columns[3] == LISTENING:
                    inodes.add(columns[9])
    return inodes


def _holder_by_lsof(port: int) -> Holder | None:
    words = ["lsof", "-nP", f"-iTCP:{port}", "-sTCP:LISTEN", "-Fpc"]
    answer = subprocess.run(words, capture_output=True, text=True, check=False).stdout
    found = {line[0]: line[1:] for line in reversed(answer.splitlines()) if line}
    return Holder(int(found["p"]), found.get("c", "?")) if "p" in found else None
