"""The inventory in a CSV file, and how any inventory is asked without waiting for too long."""

import csv
import re
from collections.abc import Iterable
from concurrent.futures import TimeoutError as Overdue
from functools import partial
from pathlib import Path

from supplier_api.decisions.calls import DaemonThreads
from supplier_api.decisions.facts import UNKNOWN, Inventory, InventoryUnavailable, Service, Unknown
from supplier_api.observability import SafeToLog, get_logger

COLUMNS = (
    "service_id",
    "specification",
    "specification_name",
    "state",
    "address_id",
    "address_type",
    "incident",
    "appointment_needed",
)
_FLAGS = {"true": True, "false": False, "": False}

_ANY_LIVE = re.compile(r"SI[0-9]{13}")
_SCENARIO = "SCENARIO_"

CALLS_AT_ONCE = 16

_log = get_logger(__name__)


class InventoryError(SafeToLog):
    """The inventory's file cannot be used; the text names file, line and what is wrong."""


class CsvInventory:
    """The services of a CSV file, the same for every tenant, read once.

    With `any_live` the world of the sandbox is added: each `SI` with 13 digits that has no row is
    a live FTTH service at any address, each `SCENARIO_...` a live one that nothing contradicts.
    """

    def __init__(self, path: Path, *, any_live: bool) -> None:
        """Read the file; raises InventoryError."""
        self._any_live = any_live
        try:
            with path.open(encoding="utf-8-sig", newline="") as file:
                self._services = _read(file, path)
        except (OSError, UnicodeError, csv.Error) as error:
            raise InventoryError(f"{path}: cannot be read: {error}") from None

    def find(self, tenant: str, service_id: str) -> Service | None:  # noqa: ARG002 - the port's
        """Return the service, or None."""
        row = self._services.get(service_id)
        if row or not self._any_live:
            return row
        if _ANY_LIVE.fullmatch(service_id):
            return Service(service_id, "ftthl2r", "FTTH")
        return Service(service_id) if service_id.startswith(_SCENARIO) else None


def _read(file: Iterable[str], path: Path) -> dict[str, Service]:
    rows = csv.reader(file, strict=True)
    if tuple(next(rows, ())) != COLUMNS:
        raise InventoryError(f"{path}:1: the columns must be {','.join(COLUMNS)}")
    services: dict[str, Service] = {}
    for row in filter(None, rows):
        try:
            service = _service(row)
            if service.service_id in services:
                raise ValueError(f"{service.service_id} stands here twice")
        except ValueError as error:
            raise InventoryError(f"{path}:{rows.line_num}: {error}") from None
        services[service.service_id] = service
    return services


def _service(row: list[str]) -> Service:
    """Return the service of a row, which stands in the order of the columns."""
    if len(row) != len(COLUMNS):
        raise ValueError(f"{len(COLUMNS)} columns are needed")
    service_id, specification, name, state, address_id, address_type, incident, flag = row
    if flag not in _FLAGS:
        raise ValueError(f"appointment_needed is true or false, not {flag}")
    if not service_id or not state:
        raise ValueError("service_id and state are needed")
    return Service(
        service_id=service_id,
        specification=specification or None,
        specification_name=name or None,
        state=state,
        address_id=address_id or None,
        address_type=address_type or None,
        incident=incident or None,
        appointment_needed=_FLAGS[flag],
    )


class TimedInventory:
    """Asks an inventory that may be slow or away, and answers in time."""

    def __init__(self, inventory: Inventory, *, immediate: bool = False) -> None:
        """Take the inventory; one that answers from memory is `immediate` and needs no thread."""
        self._inventory = inventory
        self._threads = None if immediate else DaemonThreads("inventory", CALLS_AT_ONCE)

    def find(self, tenant: str, service_id: str, seconds: float) -> Service | Unknown | None:
        """Return the service, None when there is none, or UNKNOWN after `seconds` or any error."""
        call = partial(self._inventory.find, tenant, service_id)
        try:
            if self._threads is None:
                return call()
            asked = self._threads.submit(call)
            try:
                return asked.result(timeout=seconds)
            finally:
                asked.cancel()
        except (Overdue, InventoryUnavailable) as error:
            _log.warning("the inventory gave no answer", why=type(error).__name__)
        except Exception:  # noqa: BLE001 - a supplier's adapter; the request must not fail with it
            _log.error("the inventory failed", exc_info=True)
        return UNKNOWN
