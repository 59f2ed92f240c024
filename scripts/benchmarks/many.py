"""One worker process over several databases: what `supplier-api worker` is for one.

    python -m scripts.benchmarks.many READY URL ...

Everything but the database is set as for any worker. Makes the file READY when it could begin,
and begins when that is gone, so that a start is not measured; ends in order on SIGTERM.
"""

import signal
import sys
import threading
from pathlib import Path

from supplier_api.app.worker import build_worker
from supplier_api.delivery.worker import Worker
from supplier_api.logging import configure_logging
from supplier_api.settings import load_settings

GRACE = 4.0  # seconds


def build(url: str) -> Worker:
    """Return a worker for the database at `url`."""
    settings = load_settings()
    database = settings.database.model_copy(update={"url": url})
    return build_worker(settings.model_copy(update={"database": database}))


def main() -> None:
    """Work for all databases that are named until SIGTERM."""
    configure_logging("warning", "json")
    ending = threading.Event()
    signal.signal(signal.SIGTERM, lambda _signal, _frame: ending.set())
    ready, *urls = sys.argv[1:]
    workers = [build(url) for url in urls]
    Path(ready).touch()
    while Path(ready).exists() and not ending.wait(0.05):
        pass
    for worker in workers:
        worker.start()
    ending.wait()
    for worker in workers:
        worker.stop(GRACE)


if __name__ == "__main__":
    main()
