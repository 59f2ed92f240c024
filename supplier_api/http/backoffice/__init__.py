"""HTTP that the supplier's own systems call."""

from supplier_api.http.backoffice.events import register

__all__ = ["register"]
