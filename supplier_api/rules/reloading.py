"""The rule book and the inventory in use, reloaded when their files change.

A file is reloaded when it has changed and then was the same at two checks, so that a file that is
still being written is not loaded. A new file that cannot be used changes nothing: the old one stays
in use, and the error is reported.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Generic, TypeVar

from supplier_api.clock import MachineClock
from supplier_api.logging import SafeToLog, get_logger
from supplier_api.rules.book import RuleBook
from supplier_api.rules.inventory import CSV, InventoryError, TimedInventory, load_inventory
from supplier_api.rules.loading import load_book
from supplier_api.rules.model import Outcome
from supplier_api.rules.plugins import Plugins
from supplier_api.settings import Settings

T = TypeVar("T", RuleBook, TimedInventory)
LONGEST = 300  # characters of an error that are shown
log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Loaded:
    """The rule book and the inventory in use; replaced as a whole.

    A decision reads it once, so that it uses one version from beginning to end.
    """

    book: RuleBook
    inventory: TimedInventory


@dataclass(frozen=True, slots=True)
class NotLoaded:
    """A new file that could not be loaded: since when (machine time), and why."""

    since: datetime
    why: str


class Reloading:
    """Reloads changed files; one thread calls `look` about every second."""

    def __init__(self, settings: Settings, clock: MachineClock) -> None:
        """Load both; raises BookError and InventoryError."""
        rules, inventory = settings.rules, settings.inventory
        self.plugins = Plugins.discover(rules.python_time_limit, clock)
        self._book = _File(
            "rules",
            rules.file,
            lambda: load_book(rules.file, settings.profile, self.plugins, Outcome(rules.fallback)),
            clock,
        )
        self._inventory = _File(
            "inventory",
            inventory.file if inventory.adapter == CSV else None,
            lambda: load_inventory(inventory, clock),
            clock,
        )
        self.current = Loaded(self._book.value, self._inventory.value)

    def look(self, *, at_once: bool = False) -> None:
        """Load files that have changed; with `at_once` all, changed or not."""
        changed = [file.look(at_once) for file in (self._book, self._inventory)]
        if any(changed):
            self.current = Loaded(self._book.value, self._inventory.value)

    def not_loaded(self) -> dict[str, NotLoaded]:
        """Return the files that could not be loaded, by `rules` and `inventory`."""
        found = {file.name: file.not_loaded for file in (self._book, self._inventory)}
        return {name: failed for name, failed in found.items() if failed}


class _File(Generic[T]):
    """A file and its last loaded value; without a path it is loaded once."""

    def __init__(
        self, name: str, path: Path | None, load: Callable[[], T], clock: MachineClock
    ) -> None:
        self.name = name
        self._path = path
        self._load: Callable[[], T] = load
        self._clock = clock
        self._seen = self._tried = self._state()
        self.value: T = load()
        self.not_loaded: NotLoaded | None = None

    def look(self, at_once: bool) -> bool:
        """Load the file if it has changed; return whether there is a new value."""
        if self._path is None:
            return False
        seen, self._seen = self._seen, self._state()
        settled = self._seen == seen != self._tried
        if not (settled or at_once):
            return False
        try:
            value = self._usable(self._load())
        except Exception as error:  # noqa: BLE001 - whatever it is, the old one stays in use
            self._refuse(error)
            return False
        finally:
            self._tried = self._seen
        if self._state() != self._seen:
            # It was written meanwhile: only half of it may have been read.
            return False
        self.value, self.not_loaded = value, None
        log.info(f"{self.name}.loaded", size=value.size)
        return True

    def _usable(self, value: T) -> T:
        """Return the value; raises InventoryError if it is empty now, as a truncated file is."""
        if value.size == 0 and self.value.size:
            raise InventoryError(f"{self._path}: is empty, and had {self.value.size} services")
        return value

    def _refuse(self, error: Exception) -> None:
        first, *more = str(error).splitlines() if isinstance(error, SafeToLog) else [""]
        why = f"{first or type(error).__name__}"[:LONGEST]
        why += f" (and {len(more)} more)" if more else ""
        since = self.not_loaded.since if self.not_loaded else self._clock.now()
        self.not_loaded = NotLoaded(since, why)
        log.error(f"{self.name}.not-loaded", why=why)

    def _state(self) -> tuple[int, int, int] | None:
        """Return what identifies the version of the file; None when it does not exist."""
        try:
            found = self._path.stat() if self._path else None
        except OSError:
            return None
        return (found.st_mtime_ns, found.st_size, found.st_ino) if found else None
