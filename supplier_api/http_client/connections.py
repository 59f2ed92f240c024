"""Connections that are kept between calls, and when they are closed.

A connection is kept only after an answer that was complete and as expected. It is closed after a
failure, after a 5xx (the server behind a load balancer may be stopping), after any interim answer
and any byte beyond the answer (the next call would read them as its own), when nothing was sent on
it for a while (a firewall may have dropped it silently), and when it is old.
"""

import contextlib
import http.client
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from http.cookiejar import DefaultCookiePolicy
from importlib.metadata import version
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection

from supplier_api.clock import MachineClock, SystemMachineClock
from supplier_api.http_client import watchdog

# RFC 9110, section 10.1.5: the product and its version.
USER_AGENT = f"supplier_api/{version('supplier_api')}"
MOST_INTERIM = 20  # interim answers to one request
# Request Timeout and Misdirected Request (RFC 9110): they are about the connection.
ABOUT_THE_CONNECTION = frozenset({408, 421})
# So that a peer that has disappeared is noticed. Not every system has all of these options.
KEEP_ALIVE = (
    ("TCP_KEEPIDLE", 10),  # seconds of silence before the first probe
    ("TCP_KEEPINTVL", 5),  # seconds between probes
    ("TCP_KEEPCNT", 3),
    ("TCP_USER_TIMEOUT", 30_000),  # milliseconds that sent bytes may stay unacknowledged
)


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """How many seconds a connection is kept: without a call on it, and in all."""

    idle: float = 15.0
    age: float = 300.0


class FinalResponse(http.client.HTTPResponse):
    """A response that is never an interim one; `in_order` is False if anything else was received.

    http.client skips only 100 Continue, and takes 103 Early Hints for the response itself.
    """

    in_order = True

    def _read_status(self) -> tuple[str, int, str]:
        for _ in range(MOST_INTERIM):
            line: tuple[str, int, str] = super()._read_status()  # type: ignore[misc]
            if not 100 <= line[1] < 200:
                return line
            self.in_order = False
            http.client.parse_headers(self.fp)
        raise http.client.HTTPException("nothing but interim answers")

    def _close_conn(self) -> None:
        if not self.fp.closed and _left_over(self.fp):
            self.in_order = False
        super()._close_conn()  # type: ignore[misc]


def _left_over(reader: Any) -> bool:
    """Return whether more was read already than the answer has, without reading on."""
    reader.raw.readinto = lambda _: None
    return bool(reader.peek(1))


class KeptConnection(HTTPConnection):
    """A connection that knows whether it may be used again.

    It registers itself with the watchdog for the call that uses it, from its first byte on. Head
    and body of a request are sent with one system call instead of two.
    """

    _answer: FinalResponse | None = None
    _since: float | None = None
    _used: float = 0.0
    _handle: watchdog.SocketHandle | None = None
    _unsent: list[bytes] | None = None

    def request(self, *args: Any, **kwargs: Any) -> None:
        """Send a request."""
        if self._handle is not None:
            watchdog.seize(self._handle)
        unsent = self._unsent = []
        try:
            super().request(*args, **kwargs)
        finally:
            self._unsent = None
        super().send(b"".join(unsent))

    def send(self, data: Any) -> None:
        """Send a part of a request, or keep it until all of it is there."""
        if self._unsent is None:
            super().send(data)
        else:
            self._unsent.append(data)

    def close(self) -> None:
        """Close the connection."""
        super().close()
        if self._handle is not None:
            self._handle.give_up()
            self._handle = None

    def response_class(self, *args: Any, **kwargs: Any) -> FinalResponse:  # type: ignore[override]
        """Create the response to the request that was sent."""
        self._answer = FinalResponse(*args, **kwargs)
        return self._answer

    def may_be_kept(self, now: float) -> bool:
        """Note that a call on it is over at `now`; return whether another may follow."""
        self._used = now
        if self._since is None:
            self._since = now
        answer = self._answer
        return (
            answer is not None
            and answer.in_order
            and answer.isclosed()
            and answer.status < 500
            and answer.status not in ABOUT_THE_CONNECTION
        )

    def is_stale(self, now: float, limits: ConnectionLimits) -> bool:
        """Return whether it was idle for too long at `now`, or is too old."""
        since = self._since
        return since is not None and (now - self._used > limits.idle or now - since > limits.age)

    def _new_conn(self) -> socket.socket:
        new = super()._new_conn()
        new.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in KEEP_ALIVE:
            if option := getattr(socket, name, None):
                with contextlib.suppress(OSError):
                    new.setsockopt(socket.IPPROTO_TCP, option, value)
        self._answer, self._since = None, None
        self._handle = watchdog.SocketHandle(new)
        watchdog.seize(self._handle)
        return new


def tls_context() -> ssl.SSLContext:
    """Return the context a server is verified with; the authorities are still to be loaded.

    Python 3.13 began to verify more strictly by default, and to trust what `ca_file` contains
    without its root. Here the rules are the same on every version that we support: a certificate of
    the file is trusted, whether it is a root, an issuing authority or the server's own; extensions
    that RFC 5280 requires and many private authorities lack are not required; the name must be in
    subjectAltName.
    """
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.hostname_checks_common_name = False
    made.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    made.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return made


class TlsConnection(KeptConnection, HTTPSConnection):
    """The same over TLS, verified as `tls_context` says, with the authorities given."""

    def connect(self) -> None:
        """Connect. The authorities' file is read for each connection: it may have changed."""
        self.ssl_context = tls_context()
        super().connect()


class _Keeping(HTTPConnectionPool):
    clock: MachineClock = SystemMachineClock()
    limits = ConnectionLimits()

    def _get_conn(self, timeout: float | None = None) -> Any:
        connection = super()._get_conn(timeout)
        if isinstance(connection, KeptConnection) and connection.is_stale(
            self.clock.monotonic(), self.limits
        ):
            connection.close()
        return connection

    def _put_conn(self, conn: Any) -> None:
        if isinstance(conn, KeptConnection) and not conn.may_be_kept(self.clock.monotonic()):
            conn.close()
        super()._put_conn(conn)


class Pool(_Keeping):
    """The connections to one server."""

    ConnectionCls = KeptConnection


class TlsPool(_Keeping, HTTPSConnectionPool):
    """The same over TLS."""

    ConnectionCls = TlsConnection


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A URL that is called: the pool of its server or proxy, and the target in that one's terms."""

    url: str
    pool: HTTPConnectionPool
    target: str


class Adapter(HTTPAdapter):
    """The requests adapter that uses such connections."""

    pools: Mapping[str, type[HTTPConnectionPool]] = {"http": Pool, "https": TlsPool}

    def __init__(
        self, limits: ConnectionLimits | None = None, clock: MachineClock | None = None
    ) -> None:
        """Keep connections within `limits`, measured by `clock`."""
        self._limits = limits or ConnectionLimits()
        self._clock = clock or SystemMachineClock()
        super().__init__()

    def get_connection_with_tls_context(
        self, request: requests.PreparedRequest, verify: Any, proxies: Any = None, cert: Any = None
    ) -> HTTPConnectionPool:
        """Return the pool of the server that is called, or of the proxy."""
        pool = super().get_connection_with_tls_context(request, verify, proxies, cert)
        assert isinstance(pool, _Keeping)
        pool.limits, pool.clock = self._limits, self._clock
        return pool

    def endpoint(self, url: str, authorities: str, proxies: dict[str, str]) -> Endpoint:
        """Return where to call `url`, trusting the file `authorities`, as for a call of requests.

        Raises requests' errors for a URL that is none.
        """
        request = requests.Request("POST", url).prepare()
        pool = self.get_connection_with_tls_context(request, authorities, proxies)
        return Endpoint(url, pool, self.request_url(request, proxies))

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Use our pools."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = dict(self.pools)

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> PoolManager:
        """Use our pools behind a proxy too."""
        manager: PoolManager = super().proxy_manager_for(*args, **kwargs)
        manager.pool_classes_by_scheme = dict(self.pools)
        return manager


def new_session(limits: ConnectionLimits | None = None) -> requests.Session:
    """Return a session for calls to our own servers and to those that testers name.

    It takes no proxy and no .netrc from the environment, and keeps no cookies.
    """
    session = requests.Session()
    session.trust_env = False
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))
    session.headers["User-Agent"] = USER_AGENT
    for scheme in ("http://", "https://"):
        session.mount(scheme, Adapter(limits))
    return session
