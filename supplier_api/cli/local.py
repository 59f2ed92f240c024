"""What a local installation is: its addresses, the ground it stands on, the file that says so."""

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from supplier_api.cli import CommandRefused, ports
from supplier_api.clock import from_wire
from supplier_api.files import make_folder, sqlite_path
from supplier_api.settings import SandboxSettings, ServerSettings, Settings, load_settings
from supplier_api.settings.addresses import base_url
from supplier_api.settings.secrets import without_password

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


def addresses(settings: Settings) -> tuple[str, str]:
    """Return the URLs of supplier and sandbox gateway, as called from this machine.

    Without the prefix: it stands before the published calls alone, not before health and tokens.
    """
    supplier = base_url(settings.server.host, settings.server.port)
    return supplier, base_url(settings.sandbox.host, settings.sandbox.port)


def ready_url(server: ServerSettings | SandboxSettings) -> str:
    """Return where a web server on this machine says whether it is ready."""
    return f"{base_url(server.host, server.port)}/health/ready"


def with_ports(settings: Settings, environ: Mapping[str, str]) -> tuple[Settings, dict[str, str]]:
    """Choose a free port where 0 was asked for; return settings and environment that say which."""
    chosen = dict(environ)
    for section, name in LISTENERS.items():
        part = getattr(settings, section)
        if part.port == 0:
            chosen[name] = str(ports.free_port(part.host))
    return load_settings(chosen), chosen


def check_ports(settings: Settings) -> None:
    """Raise CommandRefused if a port is taken, with who has it and a command that avoids it."""
    if settings.server.port == settings.sandbox.port:
        raise CommandRefused(
            f"supplier and sandbox gateway cannot share port {settings.server.port}"
        )
    for section, name in LISTENERS.items():
        part = getattr(settings, section)
        if not ports.is_free(part.host, part.port):
            holder = ports.holder(part.port)
            by = f" (by PID {holder.pid}, {holder.name})" if holder else ""
            other = part.port + 10_000 if part.port < 50_000 else 0
            raise CommandRefused(f"port {part.port} is in use{by}; try {name}={other} make run")


def check_alone(settings: Settings) -> None:
    """Raise CommandRefused if another `run` works in this data folder. Writes nothing."""
    lock = _lock_file(settings)
    if not lock.exists():
        return
    with lock.open("rb") as handle:
        if not _try_lock(handle.fileno()):
            raise CommandRefused(_already_running(settings))


@contextmanager
def alone(settings: Settings) -> Iterator[None]:
    """Keep other `run`s out of the data folder, which is made if need be.

    The lock is the process's own: however it ends, the lock is gone. Raises CommandRefused like
    `check_alone`.
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


def where_data_stays(settings: Settings) -> str:
    """Say where the data is, and what removes it where there is something that does."""
    folder, database = settings.data_dir, settings.database.url
    file = sqlite_path(database)
    if file is None:
        return f"{near(folder)}/ and in the database {without_password(database)}"
    if file.parent != folder:
        return f"{near(folder)}/ and in {near(file)}"
    removed = " (`make clean-data` removes it)" if _is_checkout(folder.parent) else ""
    return f"{near(folder)}/{removed if folder == Path.cwd() / 'var' else ''}"


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


def near(path: Path) -> str:
    """Return a path as one would type it here."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
