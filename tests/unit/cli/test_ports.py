"""Who has a port."""

import os
import socket
from collections.abc import Iterator

import pytest

from supplier_api.cli import ports


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def test_a_port_that_somebody_listens_on(listener: socket.socket) -> None:
    port = listener.getsockname()[1]

    assert not ports.is_free("127.0.0.1", port)
    listener.close()
    assert ports.is_free("127.0.0.1", port)


def test_a_port_whose_last_connection_lingers_is_free(listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    with socket.create_connection(("127.0.0.1", port)):
        listener.accept()[0].close()
    listener.close()

    assert ports.is_free("127.0.0.1", port)


def test_an_address_of_somebody_else_is_left_to_the_server() -> None:
    assert ports.is_free("192.0.2.1", 8080)


def test_a_free_port() -> None:
    port = ports.free_port("127.0.0.1")

    assert ports.is_free("127.0.0.1", port)


def test_who_listens(listener: socket.socket) -> None:
    holder = ports.holder(listener.getsockname()[1])

    assert holder is not None
    assert holder.pid == os.getpid()


def test_nobody_listens() -> None:
    assert ports.holder(ports.free_port("127.0.0.1")) is None
