"""Asks whether what runs here is ready: the container's health check. Exit code 0 or 1.

    python -m supplier_api.cli.health

Follows the settings (port, host, prefix). Of a whole chain, as `supplier-api run` starts it, every
web server is asked; of `serve` alone, that one.
"""

import sys

import requests

from supplier_api.cli import local
from supplier_api.settings import Settings, load_settings
from supplier_api.settings.derived import base_url
from supplier_api.settings.model import Sandbox, Server

TIMEOUT = 3.0  # seconds


def unready(settings: Settings) -> list[str]:
    """Return the addresses that should be ready and are not."""
    servers: list[Server | Sandbox] = [settings.server]
    if local.endpoints_file(settings).exists():
        servers.append(settings.sandbox)
    asked = [f"{base_url(server.host, server.port)}/health/ready" for server in servers]
    return [url for url in asked if not _is_ready(url)]


def _is_ready(url: str) -> bool:
    with requests.Session() as session:
        session.trust_env = False
        try:
            return session.get(url, timeout=TIMEOUT, allow_redirects=False).status_code == 200
        except requests.RequestException:
            return False


if __name__ == "__main__":
    if waiting := unready(load_settings()):
        sys.exit(f"not ready: {', '.join(waiting)}")
