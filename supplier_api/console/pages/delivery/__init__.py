"""The page Delivery: what is not delivered, each message, windows of them, and pauses."""

from supplier_api.console.pages.delivery import editing, listed, message, pauses, windows
from supplier_api.console.pages.delivery.blueprint import blueprint

# Each module adds its views to the blueprint.
__all__ = ["blueprint", "editing", "listed", "message", "pauses", "windows"]
