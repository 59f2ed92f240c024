"""The doors of a web server, and where each of them listens."""

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

from supplier_api.settings.addresses import own_listeners
from supplier_api.settings.listen import ListenAddress
from supplier_api.settings.model import Settings
from supplier_api.settings.schema import Path


class Door(StrEnum):
    """A door by the name that `serve --door` knows it by."""

    GATEWAY = "gateway"
    BACK_OFFICE = "back-office"
    CONSOLE = "console"
    OPERATIONS = "operations"


SERVER: Path = ("server", "port")
# The setting by which a door gets a listener of its own.
SETTINGS: dict[Door, Path] = {
    Door.GATEWAY: SERVER,
    Door.BACK_OFFICE: ("backoffice", "listen"),
    Door.CONSOLE: ("console", "listen"),
    Door.OPERATIONS: ("operations", "listen"),
}


@dataclass(frozen=True, slots=True)
class Listener:
    """An address, the setting that says it, and the doors that are there."""

    address: ListenAddress
    setting: Path
    doors: tuple[Door, ...]


def listeners(settings: Settings, doors: Collection[Door] = tuple(Door)) -> list[Listener]:
    """Return where these doors are, the gateway's first; a door that is off is left out.

    One without a listener of its own is at the server's port in the sandbox, and off in production.
    """
    own = own_listeners(settings)
    server = ListenAddress(settings.server.host, settings.server.port)
    at: dict[Path, ListenAddress] = {SERVER: server, **own}
    found: dict[Path, list[Door]] = {}
    for door in (each for each in Door if each in doors):
        setting = SETTINGS[door]
        if setting in at:
            found.setdefault(setting, []).append(door)
        elif settings.in_sandbox:
            found.setdefault(SERVER, []).append(door)
    return [Listener(at[setting], setting, tuple(here)) for setting, here in found.items()]
