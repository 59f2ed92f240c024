"""A database for tests that cut its sessions: those of applications that stand are not among them.

A module imports the fixture.
"""

from collections.abc import Iterator
from uuid import uuid4

import pytest

from tests import postgresql
from tests.upgraded import upgrade


@pytest.fixture(scope="module")
def upgraded_postgresql(postgresql_server: str) -> Iterator[str]:
    """Yield the URL of an upgraded PostgreSQL database of this module alone."""
    with postgresql.database(postgresql_server, f"test_{uuid4().hex}") as url:
        upgrade(url)
        yield url
