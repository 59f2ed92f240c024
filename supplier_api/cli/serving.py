"""The web server's own process: the application, as long as `supplier-api serve` lives."""

import gc
import os
import signal
import sys
import threading
from multiprocessing import parent_process
from multiprocessing.util import Finalize

from flask import Flask

from supplier_api.app.web import build_heartbeat, create_app
from supplier_api.audit import Audit
from supplier_api.cli import Refused
from supplier_api.cli.serve import GRACE
from supplier_api.cli.starting import expected_errors
from supplier_api.observability import configure_logging, get_logger
from supplier_api.settings import Settings, load_settings


def application() -> Flask:
    """Return the web application; what stops its start is told, and ends the process with 1."""
    threading.Thread(target=_end_with_parent, name="parent-watch", daemon=True).start()
    settings = load_settings()
    configure_logging(settings.log.level, settings.log.format)
    # What is loaded at the start is new anyway.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    made = _made(settings)
    audit: Audit = made.extensions["audit"]
    audit.start()
    Finalize(None, audit.stop, exitpriority=2)
    upkeep = made.extensions["upkeep"]
    signal.signal(signal.SIGHUP, upkeep.reload)
    upkeep.start()
    heartbeat = build_heartbeat(made, settings)
    heartbeat.start()
    # Before the process ends in good order; the threads that answered have come to rest by then.
    Finalize(None, heartbeat.stop, args=(GRACE / 4,), exitpriority=1)
    Finalize(None, made.extensions["office"].store.end_notices, exitpriority=0)
    log = get_logger(__name__)
    log.info("serving", host=settings.server.host, port=settings.server.port)
    # What is there now stays, and need not be looked at again and again.
    gc.freeze()
    gc.enable()
    return made


def _made(settings: Settings) -> Flask:
    try:
        with expected_errors():
            return create_app(settings)
    except Refused as refused:
        refused.show()
        sys.exit(refused.exit_code)


def _end_with_parent() -> None:
    """End when the process that started this one is gone, even by kill -9."""
    parent = parent_process()
    if parent is None:
        return
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)
    threading.Event().wait(GRACE)
    os.kill(os.getpid(), signal.SIGKILL)
