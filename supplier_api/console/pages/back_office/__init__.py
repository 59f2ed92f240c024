"""The page Back office: its adapter, what it said that waits for people, and network incidents."""

from supplier_api.console.pages.back_office import (
    adapter,
    comparison,
    inbox,
    incidents,
    mapping,
    tickets,
)
from supplier_api.console.pages.back_office.blueprint import blueprint

# Each module adds its views to the blueprint.
__all__ = ["adapter", "blueprint", "comparison", "inbox", "incidents", "mapping", "tickets"]
