"""HTTP that the supplier's own systems call."""

from supplier_api.backoffice_api.events import register

__all__ = ["register"]
