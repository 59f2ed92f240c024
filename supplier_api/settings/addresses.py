"""The addresses that follow from other settings, and which addresses are this machine's own."""

from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path as FilePath
from urllib.parse import urlsplit

from supplier_api.files import sqlite_url
from supplier_api.settings.layers import Value
from supplier_api.settings.model import Settings
from supplier_api.settings.schema import Path

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
    host = "127.0.0.1" if parts.hostname == "localhost" else parts.hostname or ""
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
