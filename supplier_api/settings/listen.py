"""Where a server listens, as a setting has it: "127.0.0.1:8081", or "[::1]:8081"."""

import re
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Annotated

from pydantic import BeforeValidator

# Brackets stand around an address of IPv6, and around nothing else.
_WRITTEN = re.compile(r"(?:\[([^\[\]\s]+)\]|([^\[\]:/\s]+)):([0-9]{1,5})")
EXPECTED = "should be HOST:PORT, as in 127.0.0.1:8081 or [::1]:8081, with a port from 1 to 65535"
PORT_MAX = 65_535


@dataclass(frozen=True, slots=True)
class ListenAddress:
    """The host and the port that a server listens on."""

    host: str
    port: int

    def __str__(self) -> str:
        """Return it as it is written in the settings."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def listen_address(text: object) -> ListenAddress:
    """Return the address that a text names; raises ValueError for any other text."""
    found = _WRITTEN.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        raise ValueError(EXPECTED)
    bracketed, name, port = found.groups()
    if not 1 <= int(port) <= PORT_MAX or (bracketed and not _is_ipv6(bracketed)):
        raise ValueError(EXPECTED)
    return ListenAddress(bracketed or name, int(port))


def _is_ipv6(text: str) -> bool:
    try:
        return ip_address(text).version == 6
    except ValueError:
        return False


Listen = Annotated[ListenAddress, BeforeValidator(listen_address)]
