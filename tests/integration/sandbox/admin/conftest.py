"""Testers' tools on a supplier that runs as it does outside tests: by real time, with a worker."""

from collections.abc import Iterator
from contextlib import closing

import pytest
from flask import Flask

from supplier_api.app.services import build_services
from supplier_api.app.web import create_app
from supplier_api.app.worker import build_worker
from supplier_api.settings import Settings, load_settings
from tests.integration.sandbox.admin.target import Target
from tests.integration.standing import sqlite_file
from tests.system.gateway import Gateway
from tests.system.installation import free_port
from tests.waiting import PATIENCE

__all__ = ["sqlite_file"]


@pytest.fixture(scope="session")
def gateway_port() -> int:
    """Return where all gateways are, one after the other: the applications know it."""
    return free_port()


@pytest.fixture
def gateway(gateway_port: int) -> Iterator[Gateway]:
    """Yield a gateway that takes everything."""
    with closing(Gateway(port=gateway_port)) as gateway:
        gateway.start()
        yield gateway


@pytest.fixture
def also() -> dict[str, str]:
    """Return further settings; a test that needs some parametrizes this."""
    return {}


@pytest.fixture
def running(environ: dict[str, str], gateway: Gateway, also: dict[str, str]) -> Settings:
    """Return the settings of a supplier that knows the gateway."""
    more = {
        f"SUPPLIER_API__{name}": str(value) for name, value in (gateway.settings | also).items()
    }
    return load_settings(environ | more)


@pytest.fixture(scope="session")
def running_apps() -> Iterator[dict[str, Flask]]:
    """Yield the applications that stand, by their settings: to make one takes a while."""
    made: dict[str, Flask] = {}
    yield made
    for app in made.values():
        app.extensions["services"].store.close()


@pytest.fixture
def target(
    running: Settings,
    gateway: Gateway,
    also: dict[str, str],
    more_settings: dict[str, str],
    running_apps: dict[str, Flask],
) -> Iterator[Target]:
    """Yield the supplier without a worker: nothing moves by itself."""
    key = f"{running.database.url} {also} {more_settings}"
    if key not in running_apps:
        running_apps[key] = create_app(running)
    app = running_apps[key]
    yield Target(app.test_client(), gateway)
    # Its journal is written by a thread of its own, which would meet the next emptying.
    assert app.extensions["recorder"].flush(PATIENCE)


@pytest.fixture
def worked(target: Target, running: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Target]:
    """Yield the supplier with its worker."""
    services = build_services(running)
    monkeypatch.setattr("supplier_api.app.worker.build_services", lambda *_: services)
    worker = build_worker(running)
    worker.start()
    yield target
    target.gateway.let_go()
    worker.stop(PATIENCE)
    services.store.close()
