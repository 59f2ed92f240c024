"""A PostgreSQL server for the tests: one that is named, or Debian's own started for the session."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psycopg

NAMED = "TEST_POSTGRESQL_URL"
INSTALL = ["apt-get", "install", "-y", "--no-install-recommends", "postgresql"]
# Nothing here has to outlive a power cut.
LASTING = ("fsync=off", "full_page_writes=off", "max_connections=200")
# Nor, where nobody restarts the server, its own end.
# Statistics change where a test says so: taken in the middle of one, with a table that looks empty,
# they make plans that no test could count on.
FAST = (*LASTING, "synchronous_commit=off", "autovacuum=off")


# Every session on a database.
CUT = "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = '{}'"


class NoServer(Exception):
    """There is no server to test against; the text says what mends it."""


@contextmanager
def server(settings: Sequence[str] = FAST) -> Iterator[str]:
    """Yield the URL of a server on which databases may be made, as psycopg takes it.

    `settings` are those of a server that is started here.
    """
    named = os.environ.get(NAMED)
    if named:
        yield named.replace("postgresql+psycopg://", "postgresql://")
        return
    with own_server(settings) as made:
        yield made.url


@dataclass(frozen=True)
class Server:
    """A server of the test's own: what was committed outlives a restart, as in production."""

    url: str
    _control: list[str]
    _user: str | None
    _data: Path

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Stop every process of it where it stands: it ends nothing, and answers nothing."""
        main = int((self._data / "postmaster.pid").read_text(encoding="utf-8").split()[0])
        os.kill(main, signal.SIGSTOP)
        stopped = [main, *_children(main)]
        try:
            for pid in stopped[1:]:
                _signal(pid, signal.SIGSTOP)
            yield
        finally:
            for pid in stopped:
                _signal(pid, signal.SIGCONT)

    @contextmanager
    def read_only(self, database: str) -> Iterator[None]:
        """Let a database be that of a standby: all sessions are cut, new ones cannot write."""
        _tell(self.url, f'ALTER DATABASE "{database}" SET default_transaction_read_only = on')
        try:
            _tell(self.url, CUT.format(database))
            yield
        finally:
            _tell(self.url, f'ALTER DATABASE "{database}" RESET default_transaction_read_only')

    def restart(self) -> None:
        """End it at once, with all connections and what they are doing, and start it again."""
        _call([*self._control, "-m", "immediate", "restart"], self._user)


@contextmanager
def own_server(settings: Sequence[str] = LASTING) -> Iterator[Server]:
    """Yield a server that is started here with these settings; raises NoServer."""
    programs = _programs()
    with tempfile.TemporaryDirectory(prefix="supplier-api-pg-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        user = owner(folder)
        data = folder / "data"
        # The same wherever it runs, whatever the locale is there.
        made = ["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "-N"]
        _call([str(programs / "initdb"), "-D", str(data), *made], user)
        options = ["listen_addresses=", f"unix_socket_directories={folder}", *settings]
        flags = " ".join(f"-c '{option}'" for option in options)
        log, program = str(folder / "log"), str(programs / "pg_ctl")
        control = [program, "-D", str(data), "-w", "-l", log, "-o", flags]
        _call([*control, "start"], user)
        try:
            yield Server(f"postgresql://postgres@/postgres?host={folder}", control, user, data)
        finally:
            _call([program, "-D", str(data), "-w", "-m", "immediate", "stop"], user)


@contextmanager
def database(server_url: str, name: str, options: str = "") -> Iterator[str]:
    """Yield the URL of an empty database, as SQLAlchemy takes it; drop it afterwards.

    `options` are those of CREATE DATABASE.
    """
    _tell(server_url, f'CREATE DATABASE "{name}" {options}')
    try:
        head, _, tail = server_url.partition("?")
        url = head.rpartition("/")[0] + f"/{name}" + (f"?{tail}" if tail else "")
        yield url.replace("postgresql://", "postgresql+psycopg://")
    finally:
        _tell(server_url, f'DROP DATABASE "{name}" WITH (FORCE)')


def program(name: str) -> str:
    """Return the path of one of PostgreSQL's programs, which comes with the server."""
    return str(_programs() / name)


def _tell(server_url: str, command: str) -> None:
    # A connection for each: the server may be restarted between them.
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(command)


def _signal(pid: int, number: signal.Signals) -> None:
    """Signal a process that may have ended of itself, as one that served a session does."""
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def _children(main: int) -> list[int]:
    """Return the processes that `main` has started; on Linux, where Debian's server is."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            # The name in brackets may have blanks in it; behind it are state and parent.
            if int(entry.read_text(encoding="utf-8").rpartition(")")[2].split()[1]) == main:
                found.append(int(entry.parent.name))
    return found


def _programs() -> Path:
    """Return the folder of initdb and pg_ctl; install them where that can be done."""
    if not _found() and os.geteuid() == 0 and shutil.which("apt-get"):
        subprocess.run(["apt-get", "update"], capture_output=True, check=False)
        subprocess.run(INSTALL, capture_output=True, check=False)
    found = _found()
    if not found:
        raise NoServer(f"no PostgreSQL server: sudo {' '.join(INSTALL)}, or set {NAMED}")
    return found[-1]


def _found() -> list[Path]:
    folders = [file.parent for file in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    on_path = shutil.which("initdb")
    if on_path:
        folders.append(Path(on_path).resolve().parent)
    return sorted(folders, key=lambda folder: (len(folder.parent.name), folder.parent.name))


def owner(folder: Path) -> str | None:
    """Give the folder to the user postgres if we are root: a server refuses to run as root."""
    if os.geteuid() != 0:
        return None
    try:
        account = pwd.getpwnam("postgres")
    except KeyError:
        raise NoServer("PostgreSQL does not run as root: make a user postgres") from None
    os.chown(folder, account.pw_uid, account.pw_gid)
    return "postgres"


def _call(words: list[str], user: str | None) -> None:
    done = subprocess.run(
        words,
        user=user,
        group=user,
        extra_groups=[] if user else None,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        cwd="/",
        check=False,
    )
    if done.returncode:
        raise NoServer(f"{' '.join(words)} failed: {done.stderr.decode(errors='replace').strip()}")
