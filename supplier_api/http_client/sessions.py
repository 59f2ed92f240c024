"""The one place that makes HTTP calls to the outside: on the connection pools of requests.

requests' adapter chooses the pool: it knows proxies, and which certificates to trust. The call
itself is the pool's. So nothing is taken from the environment: no proxy variables, and no .netrc
that would replace our bearer token; no redirect is followed, which would turn the POST into a GET
that might "succeed"; and no cookie is kept from one call to the next. Each thread has an adapter of
its own, so that its connections stay open between calls (http_client.connections says how long).
"""

import threading
from collections.abc import Mapping
from functools import lru_cache
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from requests.utils import DEFAULT_CA_BUNDLE_PATH
from urllib3 import BaseHTTPResponse, Timeout

from supplier_api.clock import MachineClock
from supplier_api.http_client.connections import (
    USER_AGENT,
    Adapter,
    ConnectionLimits,
    Endpoint,
)

# The headers of every call.
_DEFAULT_HEADERS = {"User-Agent": USER_AGENT, "Accept-Encoding": "gzip, deflate"}


class _OfThread(threading.local):
    """What one thread keeps from call to call."""

    def __init__(self, limits: ConnectionLimits | None, clock: MachineClock | None) -> None:
        """Begin without connections; runs in each thread that calls."""
        self.adapter = Adapter(limits, clock)
        # To find the pool takes a fifth of a call's time, so the last one is remembered.
        self.last: Endpoint | None = None


class Sessions:
    """The open connections to one destination, by thread."""

    def __init__(
        self,
        *,
        connect_timeout: float = 5.0,
        ca_file: Path | None = None,
        proxy: str | None = None,
        no_proxy: tuple[str, ...] = (),
        limits: ConnectionLimits | None = None,
        clock: MachineClock | None = None,
    ) -> None:
        """Prepare to call.

        `connect_timeout` is in seconds; `ca_file` (PEM) replaces the usual authorities; `proxy` is
        used except for loopback and for hosts that are, or end in, a name of `no_proxy`. `limits`
        say how long a connection is kept, measured by `clock`.
        """
        self._connect_timeout = connect_timeout
        self._authorities = str(ca_file or DEFAULT_CA_BUNDLE_PATH)
        self._proxy = proxy
        self._no_proxy = no_proxy
        self._of_thread = _OfThread(limits, clock)

    def post(
        self, url: str, *, data: bytes, headers: Mapping[str, str], read_timeout: float
    ) -> BaseHTTPResponse:
        """POST `data` and return the response, its body still unread; close it after use.

        `read_timeout`, in seconds, is for each read. Raises one of calls.NETWORK_ERRORS.
        """
        return self._send("POST", url, data, headers, read_timeout)

    def get(self, url: str, *, headers: Mapping[str, str], read_timeout: float) -> BaseHTTPResponse:
        """Send a GET request; otherwise like `post`."""
        return self._send("GET", url, None, headers, read_timeout)

    def options(
        self, url: str, *, headers: Mapping[str, str], read_timeout: float
    ) -> BaseHTTPResponse:
        """Send an OPTIONS request, which changes nothing; otherwise like `post`."""
        return self._send("OPTIONS", url, None, headers, read_timeout)

    def renew(self) -> None:
        """Have this thread make its next call on a new connection."""
        if last := self._of_thread.last:
            last.pool.close()
        self._of_thread.adapter.close()
        self._of_thread.last = None

    def proxy_for(self, url: str) -> str | None:
        """Return the proxy that a call to `url` goes through, or None."""
        return self._proxies(url).get("https")

    def _send(
        self,
        method: str,
        url: str,
        data: bytes | None,
        headers: Mapping[str, str],
        read_timeout: float,
    ) -> BaseHTTPResponse:
        endpoint = self._endpoint(url)
        return endpoint.pool.urlopen(
            method,
            endpoint.target,
            body=data,
            headers={**_DEFAULT_HEADERS, **headers},
            timeout=Timeout(self._connect_timeout, max(read_timeout, 0.001)),
            retries=False,
            redirect=False,
            assert_same_host=False,  # a proxy is asked for the whole URL
            preload_content=False,
            decode_content=False,
        )

    def _endpoint(self, url: str) -> Endpoint:
        last = self._of_thread.last
        if last is None or last.url != url:
            adapter, proxies = self._of_thread.adapter, self._proxies(url)
            last = self._of_thread.last = adapter.endpoint(url, self._authorities, proxies)
        return last

    def _proxies(self, url: str) -> dict[str, str]:
        if self._proxy is None or _goes_direct(_host(url), self._no_proxy):
            return {}
        return {"http": self._proxy, "https": self._proxy}


@lru_cache(maxsize=1024)
def _host(url: str) -> str:
    return urlsplit(url).hostname or ""


def _goes_direct(host: str, no_proxy: tuple[str, ...]) -> bool:
    names = [name.lower().lstrip(".") for name in no_proxy]
    return is_loopback(host) or any(host == name or host.endswith(f".{name}") for name in names)


def is_loopback(host: str) -> bool:
    """Tell whether a host is this machine under a name that only it can have."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
