"""The HTTP server: it listens, and threads answer the requests that have fully arrived.

One event loop reads all connections; llhttp (httptools) parses their bytes. Measured against
granian's ASGI interface on two busy cores, a request costs a quarter of the processor time: no
request changes threads more than twice, and no task or future is created for it.
"""

import asyncio
import atexit
import resource
import signal
import socket
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from queue import SimpleQueue
from typing import Any

from supplier_api.clock import MachineClock, SystemMachineClock
from supplier_api.http.connection import HttpConnection
from supplier_api.http.wsgi import (
    FAILED,
    REFUSALS,
    TIMES,
    AnswerWriter,
    RawAnswer,
    ReceivedRequest,
    RequestTimes,
    WsgiApplication,
    environ_of,
    run,
)
from supplier_api.logging import get_logger

BACKLOG = 1024  # connections that may wait to be accepted
CONNECTIONS = 4096  # open at once, if the limit of descriptors allows
# Descriptors that are kept for everything else: databases, logs, calls out.
OTHER_DESCRIPTORS = 256
RESERVED_THREADS = 2  # for what has to be answered while all other threads are busy
RESERVED_ROOM = 128
GRACE = 3.0  # seconds that requests under way have to end
SWEEP = 0.5  # seconds between two checks for overdue connections
KEPT = 1000  # requests in the summary of times
LOG_EVERY = 1.0  # seconds between two log lines about refused requests
AFTER_ERROR = 1.0  # seconds to wait after a connection could not be accepted
POLL = 0.02
RUN_AGAIN = 1.0  # seconds after which a request that waits is run again
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ServerLimits:
    """How much is worked on at once, and how long anything waits.

    `threads` run requests and up to `room` more wait for one, at most `patience` seconds. Up to
    `max_body` bytes of a body are kept. Paths with a prefix in one of the groups of `reserved` have
    threads of their own, so that they are answered while all others are busy.
    """

    threads: int
    room: int
    patience: float
    max_body: int
    reserved: Mapping[str, tuple[str, ...]]


class TimeSummary:
    """How long the last requests took, and how many were refused unread. Thread-safe."""

    def __init__(self, count_refused: Callable[[], None] | None = None) -> None:
        """Begin with no request; `count_refused` is called for each that is refused unread."""
        self._count_refused = count_refused
        self._lock = threading.Lock()
        self._taken: deque[tuple[float, float]] = deque(maxlen=KEPT)
        self._refused: Counter[str] = Counter()

    def note(self, answered: float, queued: float) -> None:
        """Add seconds from complete headers to the answer, and seconds in our own queue."""
        self._taken.append((answered, queued))

    def refused(self, why: str) -> None:
        """Count a request that the server refused itself."""
        with self._lock:
            self._refused[why] += 1
        if self._count_refused:
            self._count_refused()

    def plain(self) -> dict[str, Any]:
        """Return the summary as plain JSON values, times in milliseconds; empty without any."""
        taken = list(self._taken)
        with self._lock:
            refused = dict(self._refused)
        if not taken and not refused:
            return {}
        return {
            "requests": len(taken),
            "answered": _spread([answered for answered, _ in taken]),
            "queued": _spread([queued for _, queued in taken]),
            "refused": refused,
        }


class RequestQueue:
    """A bounded number of threads, and a bounded number of requests that wait for one.

    `offer` and `done` are called only in the event loop's thread: their counter needs no lock.
    """

    def __init__(self, name: str, threads: int, room: int) -> None:
        """Start `threads` threads; up to `room` further requests may wait."""
        self._bound = threads + room
        self._unfinished = 0
        self._work: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._threads = [
            threading.Thread(target=self._run, name=f"{name}-{number}", daemon=True)
            for number in range(1, threads + 1)
        ]
        for thread in self._threads:
            thread.start()

    def offer(self, work: Callable[[], None]) -> bool:
        """Queue `work`, which must not raise; return False if the queue is full."""
        if self._unfinished >= self._bound:
            return False
        self._unfinished += 1
        self._work.put(work)
        return True

    def done(self) -> None:
        """Note that a queued request is finished, which makes room for another."""
        self._unfinished -= 1

    def close(self) -> None:
        """Let the threads end after the queued requests; do not wait for them."""
        for _ in self._threads:
            self._work.put(None)

    def _run(self) -> None:
        while (work := self._work.get()) is not None:
            work()


class HttpServer:
    """One listener for one WSGI application."""

    def __init__(
        self,
        application: WsgiApplication,
        limits: ServerLimits,
        host: str,
        port: int,
        summary: TimeSummary | None = None,
        clock: MachineClock | None = None,
    ) -> None:
        """Listen on an address; raises OSError if that is not possible. Port 0 takes a free one.

        The times of requests go to `summary`. The clock is the host's, because it is read in the
        event loop, which must not block.
        """
        self._socket = _listening(host, port)
        self.address: tuple[str, int] = self._socket.getsockname()[:2]
        self.clock = clock or SystemMachineClock()
        self.writer = AnswerWriter(self.clock)
        self.max_body = limits.max_body
        self.stopping = False
        self.held = 0  # bytes of bodies that are read and not yet answered
        self._application = application
        self._patience = limits.patience
        self._summary = summary or TimeSummary()
        self._queue = RequestQueue("request", limits.threads, limits.room)
        self._reserved = [
            (
                tuple(path.encode() for path in paths),
                RequestQueue(name, RESERVED_THREADS, RESERVED_ROOM),
            )
            for name, paths in limits.reserved.items()
        ]
        self._connections: set[HttpConnection] = set()
        self._unlogged: Counter[str] = Counter()
        self._loop: asyncio.AbstractEventLoop
        self._slots: asyncio.Semaphore
        self._stop: asyncio.Event

    async def run_until_stopped(self, ready: Callable[[], None], servers: int = 1) -> None:
        """Serve until `stop` is called; call `ready` when connections are accepted.

        `servers` in this process share the connections that it may have.
        """
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        self._slots = asyncio.Semaphore(connections_allowed(servers))
        tasks = [self._loop.create_task(work) for work in (self._accept(), self._sweep())]
        stopped = self._loop.create_task(self._stop.wait())
        ready()
        await asyncio.wait([*tasks, stopped], return_when=asyncio.FIRST_COMPLETED)
        failed = [task for task in tasks if task.done()]  # neither of them ends by itself
        for task in (*tasks, stopped):
            task.cancel()
        await asyncio.gather(*tasks, stopped, return_exceptions=True)
        self._socket.close()
        await self._end()
        for task in failed:
            task.result()

    def stop(self) -> None:
        """Take no more connections and end in order; for any thread."""
        self._in_loop(self._stop.set)

    # -- for connections

    def opened(self, connection: HttpConnection) -> None:
        """Register a connection."""
        self._connections.add(connection)

    def closed(self, connection: HttpConnection) -> None:
        """Remove a connection, so that another one can be accepted."""
        self._connections.discard(connection)
        self._slots.release()

    def run(self, connection: HttpConnection, request: ReceivedRequest) -> bool:
        """Have a thread answer a request; return False if the queue is full.

        One that waits for something to be told holds no thread meanwhile: it is run again.
        """
        queue = self._queue_for(request.path())

        def work() -> None:
            answer = self._answer(request, connection)
            self._in_loop(done, answer)

        def done(answer: RawAnswer) -> None:
            queue.done()
            seconds = self._waits(request, answer)
            if seconds > 0:
                self._loop.call_later(min(seconds, RUN_AGAIN), again, answer)
            else:
                connection.answer(answer)

        def again(answer: RawAnswer) -> None:
            # The wait is no time in our queue.
            request.headers_at = request.arrived_at = self.clock.monotonic()
            if self.stopping or connection.ended or not queue.offer(work):
                connection.answer(answer)

        return queue.offer(work)

    def refused(self, why: str) -> None:
        """Count a request refused for one of REFUSALS; a burst of them is one line in the log."""
        self._summary.refused(why)
        if not self._unlogged:
            self._loop.call_later(LOG_EVERY, self._log_refused)
        self._unlogged[why] += 1

    # -- helpers

    def _in_loop(self, call: Callable[..., object], *arguments: object) -> None:
        """Have the loop make a call, from any thread; nobody waits for it once that is closed."""
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(call, *arguments)

    def _waits(self, request: ReceivedRequest, answer: RawAnswer) -> float:
        """Return for how many seconds more a request waits instead of getting this answer."""
        if not answer.wait or self.stopping:
            return 0.0
        if request.waits_until is None:
            request.waits_until = request.arrived_at + answer.wait
        return request.waits_until - self.clock.monotonic()

    def _queue_for(self, path: bytes) -> RequestQueue:
        for prefixes, queue in self._reserved:
            if path.startswith(prefixes):
                return queue
        return self._queue

    def _answer(self, request: ReceivedRequest, connection: HttpConnection) -> RawAnswer:
        """Return the answer to a request, in a thread of the queue."""
        begun_at = self.clock.monotonic()
        times = RequestTimes(request.headers_at, request.arrived_at, begun_at - request.arrived_at)
        if connection.gone:
            return FAILED  # nobody waits for it
        if times.queued > self._patience:
            self._in_loop(self.refused, "queued-too-long")
            return REFUSALS["queued-too-long"]
        environ = environ_of(request, connection.addresses)
        environ[TIMES] = times
        try:
            answer = run(self._application, environ)
        except Exception as error:
            # The application answers its own errors: this one is from outside its handlers.
            log.error("application failed", exc_info=error)
            answer = FAILED
        if not answer.wait:
            self._summary.note(self.clock.monotonic() - times.headers, times.queued)
        return answer

    async def _accept(self) -> None:
        while True:
            await self._slots.acquire()
            try:
                accepted, _ = await self._loop.sock_accept(self._socket)
                await self._loop.connect_accepted_socket(lambda: HttpConnection(self), accepted)
            except OSError as error:
                self._slots.release()
                log.warning("server.accept-failed", error=str(error))
                await asyncio.sleep(AFTER_ERROR)

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP)
            now = self.clock.monotonic()
            for connection in [each for each in self._connections if each.deadline < now]:
                connection.overdue()

    def _log_refused(self) -> None:
        log.warning("requests.refused", **self._unlogged)
        self._unlogged.clear()

    async def _end(self) -> None:
        """End in order: complete requests are answered, with `Connection: close`."""
        self.stopping = True
        for connection in list(self._connections):
            connection.stop()
        until = self.clock.monotonic() + GRACE
        while self.clock.monotonic() < until and not all(each.idle for each in self._connections):
            await asyncio.sleep(POLL)
        for connection in list(self._connections):
            connection.abort()
        await asyncio.sleep(0)  # lets the closed connections be released
        for queue in [self._queue, *(queue for _, queue in self._reserved)]:
            queue.close()


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
def serving(server: HttpServer) -> Iterator[None]:
    """Serve in a thread of its own while the block runs; no answer may take as long as GRACE."""
    loop, ready = asyncio.new_event_loop(), threading.Event()
    running = partial(loop.run_until_complete, server.run_until_stopped(ready.set))
    thread = threading.Thread(target=running, name="listener", daemon=True)
    thread.start()
    ready.wait()
    try:
        yield
    finally:
        server.stop()
        thread.join()
        loop.close()


def connections_allowed(servers: int = 1) -> int:
    """Return how many connections each server may have open; raises the soft limit of descriptors.

    More wait in the backlog: a connection accepted without a descriptor for it would be retried
    again and again. `servers` of this process share what there is.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = CONNECTIONS * servers + OTHER_DESCRIPTORS
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    if soft == resource.RLIM_INFINITY:
        return CONNECTIONS
    return max(1, min(CONNECTIONS, (soft - OTHER_DESCRIPTORS) // servers))


def _listening(host: str, port: int) -> socket.socket:
    family, _, _, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    made = socket.create_server(
        address[:2],
        family=family,
        backlog=BACKLOG,
        # So that "::" is all addresses, IPv4 too.
        dualstack_ipv6=family == socket.AF_INET6 and socket.has_dualstack_ipv6(),
    )
    made.settimeout(0)  # it is the event loop that waits
    return made


def _spread(seconds: Sequence[float]) -> dict[str, float]:
    """Return the 99th percentile and the maximum, in milliseconds."""
    ordered = sorted(seconds) or [0.0]
    percentile = ordered[(len(ordered) * 99 - 1) // 100]
    return {"p99": round(percentile * 1000, 1), "most": round(ordered[-1] * 1000, 1)}
