"""The inventory: a CSV file or a supplier's own adapter, and its time limit.

An adapter of the supplier's own is published under the entry point group `supplier_api.inventory`:
a class or function that is given the section `inventory` of the settings and returns a
facts.Inventory. Its attribute `options`, if it has one, is a subclass of settings.AdapterOptions:
what `[inventory.options]` may say.
"""

import csv
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import TimeoutError as Overdue
from difflib import get_close_matches
from functools import lru_cache, partial
from importlib.metadata import entry_points
from io import StringIO
from pathlib import Path
from typing import NamedTuple

from supplier_api.clock import MachineClock, SystemMachineClock
from supplier_api.contract.limits import HEADER_MAX, SERVICE_ID_MAX, STRING_MAX
from supplier_api.logging import SafeToLog, get_logger
from supplier_api.rules.fact_kinds import shape_of_class
from supplier_api.rules.facts import UNKNOWN, Inventory, InventoryUnavailable, Service, Unknown
from supplier_api.rules.model import BookFinding
from supplier_api.rules.plugins import DaemonThreads
from supplier_api.settings.model import InventorySettings

ENTRY_POINTS = "supplier_api.inventory"
CSV = "csv"  # the adapter that reads a file
InventoryFactory = Callable[[InventorySettings], Inventory]

# The attributes of a service that can be written in a cell, and how the cells are read.
_KINDS = {name: kind.value for name, kind in shape_of_class(Service).items() if kind.value.in_csv}
_READERS = {name: kind.in_csv for name, kind in _KINDS.items() if kind.in_csv}
COLUMNS = tuple(_READERS)
_FIRST_COLUMNS = 8  # of the first release; a file may lack those that were added since
INCIDENT_MAX = 64  # as the database has it
_LENGTHS = {
    "service_id": SERVICE_ID_MAX,
    "specification_name": STRING_MAX,
    "incident": INCIDENT_MAX,
    "tenant": HEADER_MAX,
    "area": STRING_MAX,
    "exchange": STRING_MAX,
}
LIVE = "live"
# Other words for it. A service in any other state than `live` has every problem refused.
_MEANS_LIVE = frozenset({LIVE, "active", "in service", "in-service", "in_service"})
_STATE = re.compile(r"[a-z][a-z0-9 _-]*")
SHOWN = 20  # errors of a file that are listed, and characters of a cell that are shown

_ANY_LIVE = re.compile(r"SI[0-9]{13}")
_SCENARIO = "SCENARIO_"

CALLS_AT_ONCE = 16

_log = get_logger(__name__)


class InventoryError(SafeToLog):
    """The inventory cannot be used; the text names file, line, column and error."""


class Fault(NamedTuple):
    """An error in one field of a service, with a hint."""

    column: str
    text: str
    hint: str = ""


def faults(service: Service) -> Iterator[Fault]:
    """Yield the errors of a service that an inventory returned."""
    if hint := state_hint(service.state):
        yield Fault("state", f"state: {service.state[:SHOWN]} is not known", hint)
    for column, longest in _LENGTHS.items():
        if len(getattr(service, column) or "") > longest:
            yield Fault(column, f"{column}: longer than {longest} characters")


@lru_cache  # a file repeats a few states many times
def state_hint(state: str) -> str:
    """Return a hint for an invalid state; empty for a valid one."""
    word = state.strip().casefold()
    if state == LIVE:
        return ""
    if word in _MEANS_LIVE or get_close_matches(word, [LIVE], cutoff=0.75):
        return f"did you mean {LIVE}?"
    return "" if _STATE.fullmatch(state) else f"{LIVE}, or in small letters why it is not"


class CsvInventory:
    """The services of a CSV file, read once; one that names its tenant is there for that one only.

    `any_live` adds the services of the sandbox: each `SI` with 13 digits that has no row is a live
    FTTH service at any address, each `SCENARIO_...` a live one that no request contradicts.
    """

    def __init__(self, path: Path, *, any_live: bool) -> None:
        """Read the file; raises InventoryError with all errors, in the order of the file."""
        self._any_live = any_live
        try:
            text = path.read_text(encoding="utf-8-sig")
        except (OSError, UnicodeError) as error:
            raise InventoryError(f"{path}: cannot be read: {error}") from None
        parser = _CsvParser(path, text)
        self._services = parser.services
        if parser.findings:
            shown = [str(finding) for finding in parser.findings[:SHOWN]]
            more = len(parser.findings) - SHOWN
            raise InventoryError("\n".join([*shown, *([f"and {more} more"] if more > 0 else [])]))

    def __len__(self) -> int:
        """Return how many services have a row."""
        return len(self._services)

    def find(self, tenant: str, service_id: str) -> Service | None:
        """Return the service, or None when it is not there for this tenant."""
        row = self._services.get(service_id)
        if row and row.tenant not in (None, tenant):
            return None
        if row or not self._any_live:
            return row
        if _ANY_LIVE.fullmatch(service_id):
            return Service(service_id, "ftthl2r", "FTTH")
        return Service(service_id) if service_id.startswith(_SCENARIO) else None


class _CsvParser:
    """Parses the CSV file and collects all its errors."""

    def __init__(self, path: Path, text: str) -> None:
        self._path = path
        self._lines = StringIO(text, newline="").readlines()
        self.services: dict[str, Service] = {}
        self.findings: list[BookFinding] = []
        # The first line of the row: a quoted cell may hold line ends.
        self._line = 1
        self._columns: tuple[str, ...] = COLUMNS
        self._rows = csv.reader(self._lines, strict=True)
        try:
            self._read()
        except csv.Error as error:
            self._report(0, f"no CSV: {error}")

    def _read(self) -> None:
        self._columns = tuple(next(self._rows, ()))
        if self._columns != COLUMNS[: max(len(self._columns), _FIRST_COLUMNS)]:
            self._report(0, f"the columns must be {','.join(COLUMNS)}")
            return
        self._line = self._rows.line_num + 1
        for row in self._rows:
            if row:
                self._add_row(row)
            self._line = self._rows.line_num + 1

    def _add_row(self, row: list[str]) -> None:
        if len(row) != len(self._columns):
            self._report(0, f"{len(self._columns)} columns are needed, not {len(row)}")
            return
        # Most cells stand in many rows: each text is kept once.
        cells = dict(zip(self._columns, map(sys.intern, row), strict=True))
        wrong = [*_cell_faults(cells)]
        if not wrong:
            service = _service(cells)
            wrong = [*faults(service)]
            if service.service_id in self.services:
                wrong.append(Fault("service_id", f"{service.service_id} stands here twice"))
            self.services[service.service_id] = service
        for fault in wrong:
            self._report(COLUMNS.index(fault.column), fault.text, fault.hint)

    def _report(self, column: int, text: str, hint: str = "") -> None:
        """Add a finding at the cell with index `column` of the current row."""
        line, place = self._line, 1
        quoted = False
        for character in "".join(self._lines[self._line - 1 : self._rows.line_num]):
            if column == 0:
                break
            quoted ^= character == '"'
            column -= character == "," and not quoted
            line, place = (line + 1, 1) if character == "\n" else (line, place + 1)
        self.findings.append(BookFinding(str(self._path), line, place, text, hint))


def _cell_faults(cells: Mapping[str, str]) -> Iterator[Fault]:
    """Yield the errors of the single cells of a row."""
    for column, cell in cells.items():
        if cell != cell.strip() or not cell.isprintable():
            yield Fault(column, f"{column}: begins or ends with a blank, or holds a line end")
        elif column in ("service_id", "state") and not cell:
            yield Fault(column, f"{column}: is needed")
        try:
            if cell:
                _READERS[column](cell)
        except ValueError:
            yield Fault(column, f"{column} is {_KINDS[column].words}, not {cell[:SHOWN]}")


def _service(cells: Mapping[str, str]) -> Service:
    """Return the service of a row; an empty cell leaves the attribute at its default."""
    return Service(**{name: _READERS[name](cell) for name, cell in cells.items() if cell})


class TimedInventory:
    """Queries an inventory that may be slow or unavailable, under a time limit."""

    def __init__(
        self, inventory: Inventory, clock: MachineClock | None = None, *, immediate: bool = False
    ) -> None:
        """Wrap `inventory`; one that answers from memory is `immediate` and needs no thread.

        `clock` measures how long calls hang (the host's by default).
        """
        self._inventory = inventory
        # The number of services, if it is known.
        self.size = len(inventory) if isinstance(inventory, CsvInventory) else None
        self._threads: DaemonThreads | None = None
        if not immediate:
            self._threads = DaemonThreads("inventory", CALLS_AT_ONCE, clock or SystemMachineClock())

    def find(self, tenant: str, service_id: str, seconds: float) -> Service | Unknown | None:
        """Return the service, None when there is none, or UNKNOWN after `seconds` or any error."""
        try:
            return self.ask(tenant, service_id, seconds)
        except (Overdue, InventoryUnavailable) as error:
            _log.warning("the inventory gave no answer", why=type(error).__name__)
        except Exception:  # noqa: BLE001 - a supplier's adapter; the request must not fail with it
            _log.error("the inventory failed", exc_info=True)
        return UNKNOWN

    def ask(self, tenant: str, service_id: str, seconds: float) -> Service | None:
        """Return the service, or None; raises TimeoutError after `seconds`, or what it raises."""
        call = partial(self._inventory.find, tenant, service_id)
        if self._threads is None:
            return call()
        asked = self._threads.submit(call)
        try:
            return _checked(asked.result(timeout=seconds))
        finally:
            asked.cancel()


def _checked(found: Service | None) -> Service | None:
    """Return what an adapter found; raises InventoryError if it is invalid."""
    if found is not None and not isinstance(found, Service):
        raise InventoryError(f"the adapter gave {type(found).__name__}, not a Service or None")
    for fault in faults(found) if found else ():
        raise InventoryError(f"the adapter gave {fault.text}")
    return found


def load_inventory(
    settings: InventorySettings, clock: MachineClock | None = None
) -> TimedInventory:
    """Return the inventory that the settings name; raises InventoryError.

    The CSV file answers from memory; any other adapter may be slow and has a time limit.
    """
    if settings.adapter == CSV:
        return TimedInventory(
            CsvInventory(settings.file, any_live=settings.any_live), immediate=True
        )
    published = entry_points(group=ENTRY_POINTS)
    if settings.adapter not in published.names:
        names = ", ".join(sorted({CSV, *published.names}))
        raise InventoryError(
            f"inventory.adapter: {settings.adapter} is not published; expected one of: {names}"
        )
    try:
        factory: InventoryFactory = published[settings.adapter].load()
        return TimedInventory(factory(settings), clock)
    except Exception as error:
        why = f"raised {type(error).__name__}: {error}"
        raise InventoryError(f"inventory.adapter: {settings.adapter} {why}") from error
