"""Runs HTTP servers: several in the main thread, or one in a thread of its own."""

import asyncio
import atexit
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from functools import partial

from supplier_api.http.server import HttpServer

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


def serve(servers: Sequence[HttpServer], ready: Callable[[], None]) -> None:
    """Serve until SIGTERM or SIGINT; call `ready` when all accept connections.

    For the main thread only.
    """
    loop = asyncio.new_event_loop()
    # Not before: a second signal has no effect on a process that ends in order.
    atexit.register(loop.close)

    def on_ready() -> None:
        for number in STOP_SIGNALS:
            loop.add_signal_handler(number, _stop, servers)
        ready()

    loop.run_until_complete(run_together(servers, on_ready))


async def run_together(servers: Sequence[HttpServer], ready: Callable[[], None]) -> None:
    """Serve on one event loop until one of the servers ends, or fails: then all end."""
    waiting = set(servers)

    def accepts(server: HttpServer) -> None:
        waiting.discard(server)
        if not waiting:
            ready()

    loop = asyncio.get_running_loop()
    tasks = [
        loop.create_task(server.run_until_stopped(partial(accepts, server), len(servers)))
        for server in servers
    ]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    _stop(servers)
    await asyncio.wait(tasks)
    for task in tasks:
        task.result()


def _stop(servers: Sequence[HttpServer]) -> None:
    for server in servers:
        server.stop()


@contextmanager
def serving(server: HttpServer) -> Iterator[Callable[[], bool]]:
    """Serve in a thread of its own while the block runs; no answer may take as long as GRACE.

    Yields what tells whether it still serves. Raises what keeps it from beginning.
    """
    loop, begun = asyncio.new_event_loop(), Future[None]()

    def run_loop() -> None:
        try:
            loop.run_until_complete(server.run_until_stopped(lambda: begun.set_result(None)))
        except Exception as error:  # noqa: BLE001 - raised again, or logged by the server
            if not begun.done():
                begun.set_exception(error)

    thread = threading.Thread(target=run_loop, name="listener", daemon=True)
    thread.start()
    try:
        begun.result()
        yield thread.is_alive
    finally:
        server.stop()
        thread.join()
        loop.close()
