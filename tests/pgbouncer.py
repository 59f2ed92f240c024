"""Debian's PgBouncer before a PostgreSQL server, for the tests."""

import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from sqlalchemy import URL, make_url

from tests import programs
from tests.postgresql import NoServer, owner
from tests.waiting import PATIENCE

PORT = 6432  # of nothing but the name of its socket
# Few sessions for many clients, as it is meant.
SETTINGS = """
[databases]
* = {server}

[pgbouncer]
listen_addr =
listen_port = {port}
unix_socket_dir = {folder}
auth_type = any
pool_mode = {mode}
default_pool_size = 8
"""


@contextmanager
def pooler(server_url: str, mode: str) -> Iterator[str]:
    """Yield the URL of a pooler in this mode, as psycopg takes it; raises NoServer."""
    try:
        program = programs.find("pgbouncer")
    except programs.NotInstalled as error:
        raise NoServer(str(error)) from error
    with tempfile.TemporaryDirectory(prefix="supplier-api-pb-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        user = owner(folder)
        config = folder / "pgbouncer.ini"
        config.write_text(
            SETTINGS.format(server=_server(server_url), port=PORT, folder=folder, mode=mode),
            encoding="utf-8",
        )
        process = subprocess.Popen(
            [program, "--quiet", str(config)],
            user=user,
            group=user,
            extra_groups=[] if user else None,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
        )
        url = f"postgresql://postgres@/postgres?host={folder}&port={PORT}"
        try:
            _wait_for(url)
            yield url
        finally:
            process.kill()
            process.wait()


def through(pooler_url: str, database_url: str) -> str:
    """Return the way to the database through the pooler, as SQLAlchemy takes it."""
    way = make_url(pooler_url).set(
        drivername="postgresql+psycopg", database=make_url(database_url).database
    )
    return way.render_as_string(hide_password=False)


def _server(server_url: str) -> str:
    """Return the server as PgBouncer's file names it."""
    url: URL = make_url(server_url)
    known = {
        "host": url.host or url.query.get("host"),
        "port": url.port or url.query.get("port"),
        "user": url.username or "postgres",
        "password": url.password,
    }
    return " ".join(f"{name}={value}" for name, value in known.items() if value)


def _wait_for(url: str) -> None:
    until = time.monotonic() + PATIENCE
    while True:
        try:
            psycopg.connect(url).close()
        except psycopg.OperationalError:
            if time.monotonic() > until:
                raise
            time.sleep(0.02)
        else:
            return
