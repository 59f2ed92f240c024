"""Who has a port."""

import os
import re
import socket
from collections.abc import Iterator

import pytest

from supplier_api.cli import local
from supplier_api.cli.errors import CommandRefused
from supplier_api.settings import load_settings


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def test_a_port_that_somebody_listens_on(listener: socket.socket) -> None:
    port = listener.getsockname()[1]

    assert not local.is_free("127.0.0.1", port)
    listener.close()
    assert local.is_free("127.0.0.1", port)


def test_a_port_whose_last_connection_lingers_is_free(listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    with socket.create_connection(("127.0.0.1", port)):
        listener.accept()[0].close()
    listener.close()

    assert local.is_free("127.0.0.1", port)


@pytest.mark.parametrize("host", ["192.0.2.1", "2001:db8::1", "nowhere.invalid", "a b", "."])
def test_an_address_of_somebody_else_and_a_name_of_nobody(host: str) -> None:
    with pytest.raises(CommandRefused, match=re.escape(host)):
        local.is_free(host, 18080)


def test_a_name_stands_for_its_address(listener: socket.socket) -> None:
    assert not local.is_free("localhost", listener.getsockname()[1])
    assert local.ip_address_of("localhost") == "127.0.0.1"
    assert local.ip_address_of("::1") == "::1"


def test_a_free_port() -> None:
    port = local.free_port("127.0.0.1")

    assert local.is_free("127.0.0.1", port)


def test_who_listens(listener: socket.socket) -> None:
    holder = local.holder_of(listener.getsockname()[1])

    assert holder is not None
    assert holder.pid == os.getpid()


def test_nobody_listens() -> None:
    assert local.holder_of(local.free_port("127.0.0.1")) is None


def starting(**names: str) -> None:
    """Check the ports of what `run` starts, each one free unless `names` say which."""
    free = {name: str(local.free_port("127.0.0.1")) for name in ("SERVER__PORT", "SANDBOX__PORT")}
    given = {f"SUPPLIER_API__{name}": value for name, value in {**free, **names}.items()}
    local.check_ports(load_settings({"SUPPLIER_API_PROFILE": "sandbox", **given}))


@pytest.mark.parametrize(
    "name", ["BACKOFFICE__LISTEN", "OPERATIONS__LISTEN", "WORKER__OPERATIONS_LISTEN"]
)
def test_run_looks_at_every_listener(listener: socket.socket, name: str) -> None:
    starting(**{name: f"127.0.0.1:{local.free_port('127.0.0.1')}"})
    port = listener.getsockname()[1]
    other = port + 10_000 if port < 50_000 else port - 10_000

    with pytest.raises(CommandRefused) as caught:
        starting(**{name: f"127.0.0.1:{port}"})

    told = caught.value.message
    assert told.startswith(f"port {port} is in use (by PID {os.getpid()}, ")
    assert told.endswith(f"; try SUPPLIER_API__{name}=127.0.0.1:{other} make run")


def test_run_starts_no_two_parts_at_one_address() -> None:
    place = f"127.0.0.1:{local.free_port('127.0.0.1')}"

    with pytest.raises(CommandRefused) as caught:
        starting(BACKOFFICE__LISTEN=place, WORKER__OPERATIONS_LISTEN=place)

    assert caught.value.message == (
        "SUPPLIER_API__BACKOFFICE__LISTEN and SUPPLIER_API__WORKER__OPERATIONS_LISTEN"
        f" are one address: {place}"
    )
