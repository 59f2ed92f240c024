"""Probes of the route to one server: name lookup, connection, the proxy's tunnel, TLS.

What is wrong with a server's certificate is said in plain text.
"""

import base64
import errno
import math
import os
import re
import socket
import ssl
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

from cryptography import x509
from requests.utils import DEFAULT_CA_BUNDLE_PATH

from supplier_api.http_client.connections import tls_context
from supplier_api.http_client.errors import distrust, in_words
from supplier_api.settings.addresses import PORTS

HEAD_LIMIT = 65_536  # bytes of a proxy's answer
# Of OpenSSL (openssl/x509_vfy.h).
NOT_YET_VALID, EXPIRED, OTHER_NAME, OTHER_ADDRESS = 9, 10, 62, 64
UNKNOWN_AUTHORITY = (18, 19)  # self-signed, itself or at the end of its chain
UNKNOWN_ISSUER = (20, 21)


@dataclass(frozen=True, slots=True)
class ProbeStep:
    """One step of the route and what was seen; if it failed, the likely cause."""

    name: str
    text: str
    cause: str | None = None

    @property
    def made(self) -> bool:
        """Whether the step succeeded."""
        return self.cause is None


@dataclass(frozen=True, slots=True)
class Route:
    """How a URL is reached: through `proxy` if any; `connect_timeout` is in seconds."""

    url: str
    proxy: str | None
    ca_file: Path | None
    connect_timeout: float

    @property
    def target(self) -> tuple[str, int]:
        """The server's host and port."""
        return _host_and_port(urlsplit(self.url))

    @property
    def first(self) -> tuple[str, int]:
        """Where the connection goes: to the proxy, or to the server itself."""
        return _host_and_port(urlsplit(self.proxy)) if self.proxy else self.target

    @property
    def tunnels(self) -> bool:
        """Whether the proxy is asked for a tunnel."""
        return self.proxy is not None and self.url.startswith("https:")


def walk(way: Route, now: datetime) -> Iterator[ProbeStep]:
    """Yield each step; the last one yielded may have failed."""
    for take in (_name, _connection, _tunnel, _tls):
        step = take(way, now)
        if step is not None:
            yield step
            if not step.made:
                return


def _name(way: Route, _now: datetime) -> ProbeStep | None:
    host, port = way.first
    name = f"name {host}"
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        cause = "the name is unknown here: look at the URL, and at this machine's name servers"
        return ProbeStep(name, f"not found ({error.strerror or in_words(error)})", cause)
    addresses = dict.fromkeys(str(each[4][0]) for each in found)
    return ProbeStep(name, ", ".join(addresses))


def _connection(way: Route, _now: datetime) -> ProbeStep | None:
    host, port = way.first
    name = f"connection to {host}:{port}" + (" (the proxy)" if way.proxy else "")
    try:
        with closing(_open(way)) as connection:
            return ProbeStep(name, f"made, from our address {connection.getsockname()[0]}")
    except ConnectionRefusedError:
        cause = "nothing listens at that port, or a firewall refuses: look at the port in the URL"
        return ProbeStep(name, "refused", cause)
    except TimeoutError:
        cause = (
            "a firewall drops it: ask whether our address is among those that are let in, and"
            " whether this machine may call out"
        )
        return ProbeStep(name, f"no answer within {way.connect_timeout:g} s", cause)
    except OSError as error:
        cause = "there is no route: look at this machine's network"
        return ProbeStep(name, in_words(error), cause)


def _tunnel(way: Route, _now: datetime) -> ProbeStep | None:
    if not way.tunnels:
        return None
    host, port = way.target
    name = f"the proxy's way to {host}:{port}"
    try:
        with closing(_open(way)) as connection:
            status = _ask_tunnel(connection, way)
    except OSError as error:
        cause = "what is set as gateway.proxy is no HTTP proxy"
        return ProbeStep(name, in_words(error), cause)
    if 200 <= status < 300:
        return ProbeStep(name, "opened")
    return ProbeStep(name, f"answered {status}", _proxy_cause(status))


def _tls(way: Route, now: datetime) -> ProbeStep | None:
    if not way.url.startswith("https:"):
        return None
    host, _ = way.target
    name = f"TLS with {host}"
    try:
        seen = _certificate(way, _trusting(way.ca_file))
    except ssl.SSLError as error:
        shown, der = _shown(way, now)
        return ProbeStep(name, shown, _tls_cause(error, way.ca_file, der))
    except OSError as error:
        cause = "the connection was closed before TLS began: a firewall, or no port of TLS"
        return ProbeStep(name, in_words(error), cause)
    return ProbeStep(name, f"a certificate {_describe(seen, now)}")


def _shown(way: Route, now: datetime) -> tuple[str, bytes]:
    """Return the certificate that was not trusted, as text and as DER, if it can be read."""
    try:
        seen = _certificate(way, _unchecked())
        return f"a certificate {_describe(seen, now)}", seen
    except (OSError, ValueError):
        return "no certificate", b""


def _certificate(way: Route, context: ssl.SSLContext) -> bytes:
    host, _ = way.target
    with closing(_open(way)) as connection:
        if way.tunnels:
            _ask_tunnel(connection, way)
        with context.wrap_socket(connection, server_hostname=host) as secured:
            return secured.getpeercert(binary_form=True) or b""


def _open(way: Route) -> socket.socket:
    return socket.create_connection(way.first, timeout=way.connect_timeout)


def _ask_tunnel(connection: socket.socket, way: Route) -> int:
    """Ask the proxy for a tunnel (RFC 9110, section 9.3.6) and return its status."""
    host, port = way.target
    place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    lines = [f"CONNECT {place} HTTP/1.1", f"Host: {place}"]
    proxy = urlsplit(way.proxy or "")
    if proxy.username is not None:
        named = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}".encode()
        lines.append(f"Proxy-Authorization: Basic {base64.b64encode(named).decode()}")
    connection.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
    words = _final_head(connection).split(b" ", 2)
    if len(words) < 2 or not words[0].startswith(b"HTTP/") or not words[1][:3].isdigit():
        raise OSError(errno.EPROTO, os.strerror(errno.EPROTO))
    return int(words[1][:3])


def _final_head(connection: socket.socket) -> bytes:
    """Read the head of an answer, skipping interim ones (RFC 9110, section 15.2)."""
    seen, read = b"", 0
    while True:
        head, ended, rest = seen.partition(b"\r\n\r\n")
        if ended and not re.match(rb"HTTP/\S+ 1", head):
            return head
        if ended:
            seen = rest
            continue
        more = connection.recv(4096)
        read += len(more)
        if not more or read > HEAD_LIMIT:
            return head
        seen += more


def _proxy_cause(status: int) -> str:
    if status == 407:
        return "the proxy wants a name and password: gateway.proxy = http://NAME:PASSWORD@host:port"
    if status in (403, 405):
        return "the proxy does not let us there: ask its operator for the gateway's host and port"
    return "the proxy does not reach the gateway: ask its operator"


def _host_and_port(parts: SplitResult) -> tuple[str, int]:
    return parts.hostname or "", parts.port or PORTS.get(parts.scheme, 80)


def _trusting(ca_file: Path | None) -> ssl.SSLContext:
    """Return a context that trusts what our sessions trust: `ca_file`, or the usual authorities."""
    made = tls_context()
    made.load_verify_locations(cafile=str(ca_file or DEFAULT_CA_BUNDLE_PATH))
    return made


def _unchecked() -> ssl.SSLContext:
    """Return a context that trusts any server: only to read a certificate that is not trusted."""
    lenient = ssl.create_default_context()
    lenient.check_hostname = False
    lenient.verify_mode = ssl.CERT_NONE
    return lenient


def _describe(der: bytes, now: datetime) -> str:
    """Return whom a certificate names and for how many days it is valid."""
    certificate = x509.load_der_x509_certificate(der)
    left = math.floor((certificate.not_valid_after_utc - now).total_seconds() / 86400)
    holds = f"{left} days left" if left >= 0 else f"expired {-left} days ago"
    return f"for {', '.join(_certificate_names(certificate)) or 'no name'}; {holds}"


def _tls_cause(error: ssl.SSLError, ca_file: Path | None, der: bytes = b"") -> str:
    """Return the likely cause of a failed handshake; `der` is the certificate, if it was seen."""
    if not isinstance(error, ssl.SSLCertVerificationError):
        reason = (error.reason or type(error).__name__).replace("_", " ").lower()
        return f"no TLS ({reason}): is the port one of TLS, and of version 1.2 or later?"
    if error.verify_code in (OTHER_NAME, OTHER_ADDRESS):
        return _misnamed(der)
    trusted = f"{ca_file} does not hold it" if ca_file else "set gateway.ca_file"
    unknown = f"its authority is not one that we trust ({trusted})"
    causes = {
        EXPIRED: "the certificate has expired: the gateway's operator must renew it",
        NOT_YET_VALID: "the certificate is not valid yet: look at this machine's clock",
        **dict.fromkeys(UNKNOWN_AUTHORITY, f"{unknown}, or a proxy opens TLS up"),
        **dict.fromkeys(
            UNKNOWN_ISSUER,
            f"{unknown}, the server does not send those between, or a proxy opens TLS up",
        ),
    }
    untrusted = f"the certificate is not trusted: {distrust(error)} ({error.verify_message})"
    return causes.get(error.verify_code, untrusted)


def _misnamed(der: bytes) -> str:
    if der and not _certificate_names(x509.load_der_x509_certificate(der)):
        return (
            "the certificate names its host only in the common name, which nobody looks at any"
            " more: its operator must have it issued again with a subjectAltName"
        )
    return "the certificate is for another name: look at the host in the URL"


def _certificate_names(certificate: x509.Certificate) -> list[str]:
    try:
        kind = x509.SubjectAlternativeName
        found = certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return []
    names = found.get_values_for_type(x509.DNSName)
    return [*names, *map(str, found.get_values_for_type(x509.IPAddress))]
