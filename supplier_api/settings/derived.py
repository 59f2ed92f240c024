"""The settings that follow from others when nobody says otherwise."""

from collections.abc import Mapping
from pathlib import Path as FilePath

from supplier_api.files import sqlite_url
from supplier_api.settings.layers import Value
from supplier_api.settings.schema import Path

# An address that listens everywhere is called from the same machine by its loopback.
LOOPBACK = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared with, not bound


def worked_out(
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
        ("sandbox", "supplier_url"): f"{supplier}{said('server', 'prefix', '')}",
        ("sandbox", "database"): sqlite_url(data_dir / "sandbox.db"),
    }
    if profile == "sandbox":
        found["gateway", "kci_url"] = f"{gateway}/kcis"
        found["gateway", "token_url"] = f"{gateway}/auth/supplier/access-token"
    return found


def base_url(host: object, port: object) -> str:
    """Return the URL under which a server on this machine is called, without a path."""
    bare = str(host).strip("[]")
    name = LOOPBACK.get(bare, bare)
    return f"http://[{name}]:{port}" if ":" in name else f"http://{name}:{port}"
