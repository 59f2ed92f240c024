"""The addresses that follow from other settings, and which addresses are this machine's own."""

from collections.abc import Iterator, Mapping
from ipaddress import ip_address
from itertools import combinations
from pathlib import Path as FilePath
from urllib.parse import urlsplit

from supplier_api.files import sqlite_url
from supplier_api.settings.layers import NOT_SET, SettingsFinding, Value
from supplier_api.settings.listen import ListenAddress
from supplier_api.settings.model import Settings
from supplier_api.settings.schema import Path, dotted

# An address that listens everywhere is called from the same machine by its loopback.
CALLED_AS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared with, not bound
PORTS = {"http": 80, "https": 443}


def derived_values(
    values: Mapping[Path, Value], profile: str, data_dir: FilePath
) -> dict[Path, object]:
    """Return what the values given lead to: the databases, and in the sandbox each side's URL.

    In production nobody but the supplier knows the gateway's addresses, so none are made up.
    """

    def said(section: str, key: str, otherwise: object) -> object:
        value = values.get((section, key))
        return otherwise if value is None else value.raw

    server_host = said("server", "host", "127.0.0.1")
    sandbox_host = said("sandbox", "host", server_host)
    supplier = base_url(server_host, said("server", "port", 0))
    gateway = base_url(sandbox_host, said("sandbox", "port", 0))
    found: dict[Path, object] = {
        ("database", "url"): sqlite_url(data_dir / "supplier.db"),
        ("sandbox", "host"): sandbox_host,
        ("sandbox", "url"): gateway,
        ("sandbox", "supplier_url"): f"{supplier}{said('server', 'prefix', '')}",
        ("sandbox", "database"): sqlite_url(data_dir / "sandbox.db"),
    }
    if profile == "sandbox":
        found["gateway", "kci_url"] = f"{gateway}/kcis"
        found["gateway", "token_url"] = f"{gateway}/auth/supplier/access-token"
    return found


def goes_to_our_sandbox(settings: Settings) -> bool:
    """Tell whether updates go to the sandbox gateway that `sandbox.url` names, and so is ours.

    Whatever else `gateway.kci_url` names is somebody else's: it gets no credentials but its own.
    """
    sandbox = f"{settings.sandbox.url.rstrip('/')}/kcis"
    return settings.in_sandbox and _place(settings.gateway.kci_url) == _place(sandbox)


def _place(url: str) -> tuple[str, str, int | None, str]:
    """Return what says where a URL leads, however it is written."""
    parts = urlsplit(url)
    host = _known_as(parts.hostname or "")
    return parts.scheme, host, parts.port or PORTS.get(parts.scheme), parts.path.rstrip("/")


def base_url(host: object, port: object) -> str:
    """Return the URL under which a server on this machine is called, without a path."""
    bare = str(host).strip("[]")
    name = CALLED_AS.get(bare, bare)
    return f"http://[{name}]:{port}" if ":" in name else f"http://{name}:{port}"


def is_loopback(host: str) -> bool:
    """Tell whether what listens on `host` can be called from this machine only."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


# -- where servers listen


def own_listeners(settings: Settings) -> dict[Path, ListenAddress]:
    """Return where web servers listen beside `server.port`, by the settings' paths."""
    found = {
        ("backoffice", "listen"): settings.backoffice.listen,
        ("console", "listen"): settings.console.listen,
        ("operations", "listen"): settings.operations.listen,
    }
    return {path: address for path, address in found.items() if address}


def console_url(settings: Settings) -> str:
    """Return the address of the console: the one that is set, or that of its listener here."""
    at = settings.console.listen or settings.server
    return f"{(settings.console.url or base_url(at.host, at.port)).rstrip('/')}/console/"


def console_is_open(settings: Settings) -> bool:
    """Tell whether nobody needs to sign in to the console: in the sandbox, on loopback.

    A proxy before it, or an address of another machine's name, bring in others all the same.
    """
    console = settings.console
    hosts = [(console.listen or settings.server).host]
    if console.url:
        hosts.append(urlsplit(console.url).hostname or "")
    return settings.in_sandbox and not console.proxies and all(map(is_loopback, hosts))


def callers_share_an_address(settings: Settings) -> bool:
    """Tell whether the console knows all who use it by one address.

    They come by loopback, so from one machine; behind the published port of a container that is
    the address of Docker's bridge. A proxy tells who called it.
    """
    console = settings.console
    host = urlsplit(console.url or "").hostname or ""
    return is_loopback(host) and not console.proxies


def clash_findings(settings: Settings, values: Mapping[Path, Value]) -> Iterator[SettingsFinding]:
    """Yield one finding for each two listeners of a web server that have one address.

    Those of other processes are not compared: in a container of their own all ports are their own,
    and elsewhere one that finds its port taken names its setting.
    """
    server = ListenAddress(settings.server.host, settings.server.port)
    for first, second in clashes({("server", "port"): server, **own_listeners(settings)}):
        yield SettingsFinding(
            dotted(second),
            values[second].source if second in values else NOT_SET,
            f"is the address of {dotted(first)} too: expected one of its own",
        )


def clashes(listeners: Mapping[Path, ListenAddress]) -> Iterator[tuple[Path, Path]]:
    """Yield each two of these that cannot both be listened on. Port 0 is any free one."""
    for (first, one), (second, other) in combinations(listeners.items(), 2):
        hosts = {_known_as(one.host), _known_as(other.host)}
        if one.port == other.port != 0 and (len(hosts) == 1 or hosts & CALLED_AS.keys()):
            yield first, second


def _known_as(host: str) -> str:
    return "127.0.0.1" if host == "localhost" else host
