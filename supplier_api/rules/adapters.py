"""Loads the inventory adapter that the settings name: the CSV file, or a supplier's own.

A supplier's own is published under the entry point group `supplier_api.inventory`: a class or
function that is given the section `inventory` of the settings and returns a facts.Inventory.
"""

from collections.abc import Callable
from importlib.metadata import entry_points

from supplier_api.clock import MachineClock
from supplier_api.rules.external_calls import OutageLimits
from supplier_api.rules.facts import Inventory
from supplier_api.rules.inventory import CsvInventory, InventoryError, TimedInventory
from supplier_api.settings.model import InventorySettings

GROUP = "supplier_api.inventory"
CSV = "csv"
Factory = Callable[[InventorySettings], Inventory]


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
    published = entry_points(group=GROUP)
    if settings.adapter not in published.names:
        names = ", ".join(sorted({CSV, *published.names}))
        raise InventoryError(
            f"inventory.adapter: {settings.adapter} is not published; expected one of: {names}"
        )
    try:
        factory: Factory = published[settings.adapter].load()
        return TimedInventory(factory(settings), clock)
    except Exception as error:
        why = f"raised {type(error).__name__}: {error}"
        raise InventoryError(f"inventory.adapter: {settings.adapter} {why}") from error


def limits(settings: InventorySettings) -> OutageLimits:
    """Return the limits after which the inventory counts as down."""
    return OutageLimits(settings.down_after_failures, settings.down_after, settings.probe_every)
