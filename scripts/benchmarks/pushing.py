"""What delivery is compared with: threads that POST with urllib3 alone.

    python -m scripts.benchmarks.pushing PORT COUNT THREADS

One pool of connections for all threads, a body as large as a KCI, the headers of one. Writes the
microseconds of CPU, user and system, that a POST cost this process.
"""

import resource
import sys
import threading
from uuid import uuid4

from urllib3 import HTTPConnectionPool, Timeout

from scripts.benchmarks.fill import KCI
from scripts.benchmarks.processes import HOST

WARM_UP = 10  # calls of each thread


def push(pool: HTTPConnectionPool, count: int) -> None:
    """POST `count` times; raises RuntimeError for an answer other than 204."""
    body = KCI.encode()
    for _ in range(count):
        headers = {
            "Content-Type": "application/json",
            "Accept": "application/json",
            "X-Request-ID": str(uuid4()),
            "X-Conversation-ID": "urllib3",
            "Authorization": "Bearer token",
        }
        answer = pool.urlopen("POST", "/kcis", body=body, headers=headers, redirect=False)
        if answer.status != 204:
            raise RuntimeError(f"the receiver answered {answer.status}")


def push_from_all(pool: HTTPConnectionPool, count: int, threads: int) -> None:
    """POST `count` times from each of so many threads."""
    crew = [threading.Thread(target=push, args=(pool, count)) for _ in range(threads)]
    for thread in crew:
        thread.start()
    for thread in crew:
        thread.join()


def cpu_seconds() -> float:
    """Return the CPU that this process has used."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    port, count, threads = map(int, sys.argv[1:])
    pool = HTTPConnectionPool(HOST, port, maxsize=threads, timeout=Timeout(5, 30), retries=False)
    push_from_all(pool, WARM_UP, threads)
    before = cpu_seconds()
    push_from_all(pool, count // threads, threads)
    print((cpu_seconds() - before) / count * 1_000_000)
