"""`supplier-api worker`: delivery and timers."""

import signal
import threading
from types import FrameType

import click

from supplier_api import health
from supplier_api.app.worker import build_worker
from supplier_api.cli import example, local
from supplier_api.logging import configure_logging, get_logger
from supplier_api.settings import load_settings

GRACE = 4.0  # seconds that messages under way have to be settled
LOOK_EVERY = 1.0

log = get_logger(__name__)


@click.command(epilog=example("supplier-api worker"))
def worker() -> None:
    """Deliver messages and run timers until Ctrl-C. Any number may run beside each other."""
    settings = load_settings()
    configure_logging(settings.log.level, settings.log.format)
    stopping = threading.Event()

    def stop(_signal: int, _frame: FrameType | None) -> None:
        stopping.set()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    if address := settings.worker.operations_listen:
        local.check_free(address, ("worker", "operations_listen"))
    made = build_worker(settings)
    signal.signal(signal.SIGHUP, made.reload)
    made.start()
    with health.registered(settings.data_dir, "worker") as at_work:
        while not stopping.wait(LOOK_EVERY):
            if failed := made.failed_parts():
                log.error("worker.failed", parts=", ".join(failed))
                made.stop(0)
                # What watches the process starts a new one; the leases are taken over.
                raise SystemExit(1)
            at_work()
        made.stop(GRACE)
