"""Testers' tools on a supplier that runs as it does outside tests: by real time, with a worker."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from supplier_api.app.services import build_services
from supplier_api.app.web import create_app
from supplier_api.app.worker import build_worker
from supplier_api.settings import Settings, load_settings
from tests.integration.sandbox.admin.target import Target
from tests.system.gateway import Gateway


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    """Yield a gateway that takes everything."""
    with closing(Gateway()) as gateway:
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


@pytest.fixture
def target(running: Settings, gateway: Gateway) -> Iterator[Target]:
    """Yield the supplier without a worker: nothing moves by itself."""
    app = create_app(running)
    yield Target(app.test_client(), gateway)
    app.extensions["services"].store.close()


@pytest.fixture
def worked(target: Target, running: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Target]:
    """Yield the supplier with its worker."""
    services = build_services(running)
    monkeypatch.setattr("supplier_api.app.worker.build_services", lambda *_: services)
    worker = build_worker(running)
    worker.start()
    yield target
    target.gateway.let_go()
    worker.stop(10)
    services.store.close()
