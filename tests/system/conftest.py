"""Installations and gateways that are gone when the test is over."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from tests.system.gateway import Arrival, Gateway
from tests.system.installation import Installation
from tests.upgraded import upgrade

Install = Callable[..., Installation]
MakeGateway = Callable[[Callable[[Arrival], int]], Gateway]


@pytest.fixture
def install(tmp_path: Path, upgraded_sqlite: Path) -> Iterator[Install]:
    """Return a function that makes an installation with these settings, its database ready.

    The names of the settings are those of the environment, without SUPPLIER_API__.
    """
    with ExitStack() as stack:

        def made(*, upgraded: bool = True, **settings: object) -> Installation:
            installation = stack.enter_context(closing(Installation(tmp_path, settings)))
            if upgraded and installation.database.startswith("sqlite"):
                shutil.copy(upgraded_sqlite, installation.database.removeprefix("sqlite:///"))
            elif upgraded:
                upgrade(installation.database)
            return installation

        yield made


@pytest.fixture
def make_gateway() -> Iterator[MakeGateway]:
    """Return a function that starts a gateway which answers KCIs as it is told."""
    with ExitStack() as stack:

        def made(answer: Callable[[Arrival], int]) -> Gateway:
            gateway = stack.enter_context(closing(Gateway(answer)))
            gateway.start()
            return gateway

        yield made


@pytest.fixture
def gateway(make_gateway: MakeGateway) -> Gateway:
    """Return a gateway that takes everything."""
    return make_gateway(lambda _: 204)
