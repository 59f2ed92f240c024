"""`supplier-api serve`: the web server."""

import os
import signal
import threading
from multiprocessing import parent_process
from multiprocessing.util import Finalize

import click
from flask import Flask
from granian import Granian
from granian.constants import Interfaces

from supplier_api import app as parts
from supplier_api import health
from supplier_api.cli import Refused, local, ports
from supplier_api.cli.starting import expected_errors
from supplier_api.observability import configure_logging, get_logger
from supplier_api.settings import load_settings

GRACE = 4  # seconds that requests under way have to end
BACKLOG = 1024


@click.command()
def serve() -> None:
    """Serve the supplier's API until Ctrl-C."""
    settings = load_settings()
    configure_logging(settings.log.level, settings.log.format)
    with expected_errors():
        # Found here, so that it is told once and plainly; the server's own process wires anew.
        office = parts.build_office(settings)
        parts.build_judge(settings, office)
        office.store.close()
    server = settings.server
    if not ports.is_free(server.host, server.port):
        raise Refused(f"port {server.port} is in use; set SUPPLIER_API__SERVER__PORT")
    # As many threads as requests are let in: they wait at our own locks, where their age is known.
    granian = Granian(
        "supplier_api.cli.serve:application",
        address=server.host,
        port=server.port,
        interface=Interfaces.WSGI,
        blocking_threads=server.threads,
        backpressure=server.threads,
        backlog=BACKLOG,
        workers_kill_timeout=GRACE,
        log_enabled=False,
        factory=True,
    )
    with health.shown(settings.data_dir, "serve", [local.ready_url(server)]):
        granian.serve()


def application() -> Flask:
    """Return the web application, in the server's own process."""
    threading.Thread(target=_end_with_parent, name="parent-watch", daemon=True).start()
    settings = load_settings()
    configure_logging(settings.log.level, settings.log.format)
    made = parts.create_app(settings)
    heartbeat = parts.build_heartbeat(made, settings)
    heartbeat.start()
    # Before the process ends in good order; the threads that answered have come to rest by then.
    Finalize(None, heartbeat.stop, args=(GRACE / 4,), exitpriority=1)
    log = get_logger(__name__)
    log.info("serving", host=settings.server.host, port=settings.server.port)
    return made


def _end_with_parent() -> None:
    """End when the process that started this one is gone, even by kill -9."""
    parent = parent_process()
    if parent is None:
        return
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)
    threading.Event().wait(GRACE)
    os.kill(os.getpid(), signal.SIGKILL)
