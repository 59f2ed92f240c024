"""What a local installation stands on: its folder, its addresses and ports, and who has them."""

import errno
import fcntl
import json
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from supplier_api.cli.errors import CommandRefused
from supplier_api.clock import from_wire
from supplier_api.files import make_folder, sqlite_path
from supplier_api.settings import SandboxSettings, ServerSettings, Settings, load_settings
from supplier_api.settings.addresses import base_url, clashes, own_listeners
from supplier_api.settings.listen import ListenAddress
from supplier_api.settings.schema import Path as SettingPath
from supplier_api.settings.schema import variable
from supplier_api.settings.secrets import without_password

LISTENING = "0A"  # as /proc/net/tcp writes the state
LISTENERS = {"server": "SUPPLIER_API__SERVER__PORT", "sandbox": "SUPPLIER_API__SANDBOX__PORT"}


@dataclass
class Endpoints:
    """Where everything is. Written to endpoints.json in the data folder while it runs."""

    supplier: str
    sandbox: str
    environment: str
    profile: str
    contract: Mapping[str, str]
    started: str
    pid: int
    pids: Mapping[str, int] = field(default_factory=dict)

    def write(self, file: Path) -> None:
        """Put the file there in one step, so that nobody reads half of it."""
        partial = file.with_suffix(".new")
        partial.write_text(self.as_json() + "\n", encoding="utf-8")
        partial.replace(file)

    def as_json(self) -> str:
        """Return it on one line."""
        return json.dumps(asdict(self))


def endpoints_file(settings: Settings) -> Path:
    """Return where the addresses stand."""
    return settings.data_dir / "endpoints.json"


def running(settings: Settings, part: str) -> str:
    """Return the URL that a part has chosen at its start: `supplier` or `sandbox`.

    Raises CommandRefused if none runs here.
    """
    try:
        written = endpoints_file(settings).read_text(encoding="utf-8")
    except OSError:
        called = "sandbox gateway" if part == "sandbox" else part
        message = f"no {called} runs here, and its port is chosen when it starts"
        raise CommandRefused(message) from None
    return str(json.loads(written)[part])


def addresses(settings: Settings) -> tuple[str, str]:
    """Return the URLs of supplier and sandbox gateway, as called from this machine.

    Without the prefix: it stands before the published calls alone, not before health and tokens.
    """
    supplier = base_url(settings.server.host, settings.server.port)
    return supplier, base_url(settings.sandbox.host, settings.sandbox.port)


def ready_url(server: ServerSettings | SandboxSettings | ListenAddress) -> str:
    """Return where a web server on this machine says whether it is ready."""
    return f"{base_url(server.host, server.port)}/health/ready"


def with_ports(settings: Settings, environ: Mapping[str, str]) -> tuple[Settings, dict[str, str]]:
    """Choose a free port where 0 was asked for; return settings and environment that say which."""
    chosen = dict(environ)
    for section, name in LISTENERS.items():
        part = getattr(settings, section)
        if part.port == 0:
            chosen[name] = str(free_port(part.host))
    return load_settings(chosen), chosen


def check_free(address: ListenAddress, setting: SettingPath) -> None:
    """Raise CommandRefused if a port is taken, with the setting that says it; and as `is_free`."""
    if not is_free(address.host, address.port):
        raise CommandRefused(f"port {address.port} is in use; set {variable(setting)}")


def check_ports(settings: Settings) -> None:
    """Raise CommandRefused if a port is taken, with who has it and a command that avoids it.

    Also if two parts that `run` starts would have the same.
    """
    if settings.server.port == settings.sandbox.port:
        raise CommandRefused(
            f"supplier and sandbox gateway cannot share port {settings.server.port}"
        )
    listeners = _listeners(settings)
    for first, second in clashes(listeners):
        names = f"{variable(first)} and {variable(second)}"
        raise CommandRefused(f"{names} are one address: {listeners[second]}")
    for path, address in listeners.items():
        if not is_free(address.host, address.port):
            raise CommandRefused(_taken(path, address))


def _listeners(settings: Settings) -> dict[SettingPath, ListenAddress]:
    """Return where everything listens that `run` starts, by the settings' paths."""
    found: dict[SettingPath, ListenAddress] = {
        (section, "port"): ListenAddress(part.host, part.port)
        for section, part in (("server", settings.server), ("sandbox", settings.sandbox))
    }
    found |= own_listeners(settings)
    if worker := settings.worker.operations_listen:
        found["worker", "operations_listen"] = worker
    return found


def _taken(path: SettingPath, address: ListenAddress) -> str:
    port = address.port
    holder = holder_of(port)
    by = f" (by PID {holder.pid}, {holder.name})" if holder else ""
    other = port + 10_000 if port < 50_000 else port - 10_000
    value = other if path[1] == "port" else ListenAddress(address.host, other)
    return f"port {port} is in use{by}; try {variable(path)}={value} make run"


def check_not_running(settings: Settings) -> None:
    """Raise CommandRefused if another `run` works in this data folder. Writes nothing."""
    lock = _lock_file(settings)
    if not lock.exists():
        return
    with lock.open("rb") as handle:
        if not _try_lock(handle.fileno()):
            raise CommandRefused(_already_running(settings))


@contextmanager
def run_lock(settings: Settings) -> Iterator[None]:
    """Keep other `run`s out of the data folder, which is made if need be.

    The lock is the process's own: however it ends, the lock is gone. Raises CommandRefused like
    `check_not_running`.
    """
    make_folder(settings.data_dir)
    with _lock_file(settings).open("wb") as handle:
        if not _try_lock(handle.fileno()):
            raise CommandRefused(_already_running(settings))
        yield


def _lock_file(settings: Settings) -> Path:
    return settings.data_dir / "run.lock"


def _try_lock(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _already_running(settings: Settings) -> str:
    try:
        known = json.loads(endpoints_file(settings).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return "already running here"
    since = from_wire(known["started"]).astimezone().strftime("%H:%M")
    return f"already running here since {since} (PID {known['pid']}): {known['supplier']}"


def data_location(settings: Settings) -> str:
    """Say where the data is, and what removes it where there is something that does."""
    folder, database = settings.data_dir, settings.database.url
    file = sqlite_path(database)
    if file is None:
        return f"{short_path(folder)}/ and in the database {without_password(database)}"
    if file.parent != folder:
        return f"{short_path(folder)}/ and in {short_path(file)}"
    removed = " (`make clean-data` removes it)" if _is_checkout(folder.parent) else ""
    return f"{short_path(folder)}/{removed if folder == Path.cwd() / 'var' else ''}"


def _is_checkout(folder: Path) -> bool:
    try:
        return "\nclean-data:" in (folder / "Makefile").read_text(encoding="utf-8")
    except (OSError, ValueError):
        return False


def command_name() -> str:
    """Return how one types the command here: by its path if it is not on the search path."""
    command = Path(".venv/bin/supplier-api")
    on_path = any((Path(d) / "supplier-api").exists() for d in os.get_exec_path())
    return str(command) if command.exists() and not on_path else "supplier-api"


def short_path(path: Path) -> str:
    """Return a path as one would type it here."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)


# -- ports


@dataclass(frozen=True)
class PortHolder:
    """The process that listens on a port."""

    pid: int
    name: str


def ip_address_of(host: str) -> str:
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
    host = ip_address_of(host)
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
    """Return a port that nobody listens on now; raises CommandRefused as `ip_address_of` does."""
    host = ip_address_of(host)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def holder_of(port: int) -> PortHolder | None:
    """Return who listens on a port of this machine, where that can be told."""
    if Path("/proc/net/tcp").exists():
        return _holder_by_proc(port)
    if shutil.which("lsof"):
        return _holder_by_lsof(port)
    return None


def _holder_by_proc(port: int) -> PortHolder | None:
    sockets = {f"socket:[{inode}]" for inode in _listening_inodes(port)}
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            if str(link.readlink()) in sockets:
                process = link.parent.parent
                name = (process / "comm").read_text(encoding="utf-8").strip()
                return PortHolder(int(process.name), name)
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


def _holder_by_lsof(port: int) -> PortHolder | None:
    words = ["lsof", "-nP", f"-iTCP:{port}", "-sTCP:LISTEN", "-Fpc"]
    answer = subprocess.run(words, capture_output=True, text=True, check=False).stdout
    found = {line[0]: line[1:] for line in reversed(answer.splitlines()) if line}
    return PortHolder(int(found["p"]), found.get("c", "?")) if "p" in found else None
