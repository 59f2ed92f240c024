"""Runs one sub-command as a child of `supplier-api run`, and ends it when its parent is gone.

The parent holds the other end of standard input and never writes to it. Its end, even by kill -9,
closes the pipe: that is seen here on every system. On Linux the kernel sends a signal as well.
"""

import ctypes
import os
import signal
import sys
import threading
from multiprocessing import current_process

from supplier_api.cli import main

PR_SET_PDEATHSIG = 1  # linux/prctl.h
GRACE = 4.0  # seconds between asking the process to end and ending it


def die_with_parent() -> None:
    """Arrange for this process, and the group it leads, to end when the parent does."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    threading.Thread(target=_wait_for_the_end, name="parent-watch", daemon=True).start()


def _wait_for_the_end() -> None:
    while os.read(0, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    threading.Event().wait(GRACE)
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__" and current_process().name == "MainProcess":
    die_with_parent()
    main(sys.argv[1:], prog_name="supplier-api")
