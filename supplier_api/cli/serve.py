"""`supplier-api serve`: the web server.

This process watches over the one that serves. It imports little, for the other one has to import
what it needs anyhow, and builds nothing: what stops a start is found there, once.
"""

import gc
import os
import signal

import click
from granian.constants import Interfaces
from granian.server.mp import MPServer

from supplier_api import health
from supplier_api.cli import Refused, local, ports
from supplier_api.settings import load_settings

GRACE = 4  # seconds that requests under way have to end
BACKLOG = 1024


class _Server(MPServer):
    """The server, which leaves SIGHUP to the process that serves: it reads its files again."""

    def signal_handler_reload(self, *_: object, **__: object) -> None:
        """Pass the signal on. A new process in its place might refuse to start."""
        for worker in self.wrks:
            os.kill(worker.inner.pid, signal.SIGHUP)


@click.command()
def serve() -> None:
    """Serve the supplier's API until Ctrl-C."""
    settings = load_settings()
    server = settings.server
    if not ports.is_free(server.host, server.port):
        raise Refused(f"port {server.port} is in use; set SUPPLIER_API__SERVER__PORT")
    # As many threads as requests are let in: they wait at our own locks, where their age is known.
    granian = _Server(
        "supplier_api.cli.serving:application",
        address=ports.address(server.host),  # granian takes no names
        port=server.port,
        interface=Interfaces.WSGI,
        blocking_threads=server.threads,
        backpressure=server.threads,
        backlog=BACKLOG,
        workers_kill_timeout=GRACE,
        log_enabled=False,
        factory=True,
    )
    # Nothing that is imported or built is garbage; the other process collects once it is ready.
    gc.disable()
    with health.shown(settings.data_dir, "serve", [local.ready_url(server)]):
        granian.serve()
