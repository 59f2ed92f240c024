"""The one place that makes HTTP calls to the outside: requests' adapters, without its Session.

So nothing is taken from the environment: no proxy variables, and no .netrc that would replace our
bearer token; no redirect is followed, which would turn the POST into a GET that might "succeed";
and no cookie is kept from one call to the next. Each thread has an adapter of its own, so that its
connections stay open between calls (http_client.connections says how long).
"""

import threading
from collections.abc import Mapping
from functools import lru_cache
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.structures import CaseInsensitiveDict
from requests.utils import default_headers
from urllib3.connectionpool import ConnectionPool

from supplier_api.clock import MachineClock
from supplier_api.http_client.connections import (
    USER_AGENT,
    Adapter,
    ConnectionLimits,
)

# The headers of every call.
_DEFAULT_HEADERS = {**default_headers(), "User-Agent": USER_AGENT}


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
        self._verify: str | bool = str(ca_file) if ca_file else True
        self._proxy = proxy
        self._no_proxy = no_proxy
        self._limits = limits
        self._clock = clock
        self._of_thread = threading.local()

    def post(
        self,
        url: str,
        *,
        data: bytes | Mapping[str, str],
        headers: Mapping[str, str],
        read_timeout: float,
    ) -> requests.Response:
        """POST `data` (a mapping as a form) and return the response, its body still unread.

        `read_timeout`, in seconds, is for each read. Raises requests' and urllib3's errors.
        """
        return self._send(_prepared("POST", url, headers, data), url, read_timeout)

    def options(
        self, url: str, *, headers: Mapping[str, str], read_timeout: float
    ) -> requests.Response:
        """Send an OPTIONS request, which changes nothing; otherwise like `post`."""
        return self._send(_prepared("OPTIONS", url, headers), url, read_timeout)

    def renew(self) -> None:
        """Have this thread make its next call on a new connection."""
        adapter: _ThreadAdapter | None = getattr(self._of_thread, "adapter", None)
        if adapter is not None:
            adapter.close()

    def proxy_for(self, url: str) -> str | None:
        """Return the proxy that a call to `url` goes through, or None."""
        return self._proxies(url).get("https")

    def _send(
        self, request: requests.PreparedRequest, url: str, read_timeout: float
    ) -> requests.Response:
        adapter: _ThreadAdapter | None = getattr(self._of_thread, "adapter", None)
        if adapter is None:
            adapter = self._of_thread.adapter = _ThreadAdapter(self._limits, self._clock)
        return adapter.send(
            request,
            stream=True,
            timeout=(self._connect_timeout, max(read_timeout, 0.001)),
            verify=self._verify,
            proxies=self._proxies(url),
        )

    def _proxies(self, url: str) -> dict[str, str]:
        if self._proxy is None or _goes_direct(_host(url), self._no_proxy):
            return {}
        return {"http": self._proxy, "https": self._proxy}


def _prepared(
    method: str,
    url: str,
    headers: Mapping[str, str],
    data: bytes | Mapping[str, str] | None = None,
) -> requests.PreparedRequest:
    """Prepare a call as a Session does, but parse the same URL only once."""
    request = requests.PreparedRequest()
    request.prepare_method(method)
    request.url = _prepared_url(url)
    request.prepare_headers({**_DEFAULT_HEADERS, **headers})
    request.prepare_body(data, None)
    return request


@lru_cache(maxsize=1024)
def _prepared_url(url: str) -> str | None:
    request = requests.PreparedRequest()
    request.prepare_url(url, {})
    return request.url


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


class _ThreadAdapter(Adapter):
    """The adapter of one thread, without what a call of ours does not need."""

    # The pool that was used last, and its key: to determine it takes a fifth of a call's time.
    _wanted: tuple[object, ...] = ()
    _pool: ConnectionPool

    def close(self) -> None:
        """Close all connections."""
        if self._wanted:
            self._pool.close()
        super().close()
        self._wanted = ()

    def get_connection_with_tls_context(
        self, request: requests.PreparedRequest, verify: Any, proxies: Any = None, cert: Any = None
    ) -> ConnectionPool:
        wanted = (request.url, verify, cert, *sorted((proxies or {}).items()))
        if wanted != self._wanted:
            self._pool = super().get_connection_with_tls_context(request, verify, proxies, cert)
            self._wanted = wanted
        return self._pool

    def request_url(
        self, request: requests.PreparedRequest, proxies: Mapping[str, str] | None
    ) -> str:
        """Return the request target: without a proxy always the path."""
        return super().request_url(request, proxies) if proxies else request.path_url

    def build_response(self, req: requests.PreparedRequest, resp: Any) -> requests.Response:
        """Return the response, without looking for cookies in it."""
        response = requests.Response()
        response.status_code, response.reason = resp.status, resp.reason
        response.headers = CaseInsensitiveDict(resp.headers)
        response.raw, response.request, response.url = resp, req, req.url or ""
        return response
