"""The bare loop that delivery is compared with: threads that do nothing but POST.

    python -m scripts.benchmarks.pushing URL COUNT THREADS

Each thread has one requests.Session, as delivery has, which takes nothing from the environment, and
POSTs a body of the size of a KCI with the headers of one.
"""

import sys
import threading
from uuid import uuid4

import requests

from scripts.benchmarks.outbox import BODY


def push(url: str, count: int) -> None:
    """POST `count` times; raises requests.HTTPError for an answer that is no success."""
    with requests.Session() as session:
        session.trust_env = False
        for _ in range(count):
            headers = {
                "Content-Type": "application/json",
                "Accept": "application/json",
                "X-Request-ID": str(uuid4()),
                "X-Conversation-ID": "bare",
                "Authorization": "Bearer token",
            }
            session.post(url, data=BODY, headers=headers, timeout=(5, 30)).raise_for_status()


if __name__ == "__main__":
    url, count, threads = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    crew = [threading.Thread(target=push, args=(url, count // threads)) for _ in range(threads)]
    for thread in crew:
        thread.start()
    for thread in crew:
        thread.join()
