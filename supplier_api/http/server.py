"""The HTTP server: it listens, and threads answer the requests that have fully arrived.

One event loop reads all connections; llhttp (httptools) parses their bytes. Measured against
granian's ASGI interface on two busy cores, a request costs a quarter of the processor time: no
request changes threads more than twice, and no task or future is created for it.
"""

import asyncio
import resource
import socket
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from supplier_api.clock import MachineClock, SystemMachineClock
from supplier_api.http.connection import HttpConnection
from supplier_api.http.request_queue import RequestQueue, TimeSummary
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
LOG_EVERY = 1.0  # seconds between two log lines about refused requests
AFTER_ERROR = 1.0  # seconds to wait after a connection could not be accepted
POLL = 0.02
RUN_AGAIN = 1.0  # seconds after which a request that waits is run again

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

        `servers` in this process share the connections that it may have. What makes it end by
        itself is logged, and raised.
        """
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        try:
            await self._serve(ready, connections_allowed(servers))
        except Exception as error:
            host, port = self.address
            log.error("server.failed", host=host, port=port, exc_info=error)
            raise
        finally:
            self._socket.close()
            await self._end()

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

    async def _serve(self, ready: Callable[[], None], connections: int) -> None:
        self._slots = asyncio.Semaphore(connections)
        waits = (self._accept(), self._sweep(), self._stop.wait())
        tasks = [self._loop.create_task(each) for each in waits]
        try:
            ready()
            ended, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        for task in ended:
            task.result()  # raises what failed: only `stop` is no failure

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
        try:
            environ = environ_of(request, connection.addresses)
            environ[TIMES] = times
            answer = run(self._application, environ)
        except (Exception, SystemExit) as error:
            # The application answers its own errors: this one is from outside its handlers. A
            # thread that it ended would be missing from then on.
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
