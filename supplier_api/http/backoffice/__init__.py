"""HTTP that the supplier's own systems call."""

from supplier_api.http.backoffice.events import register
from supplier_api.http.backoffice.hooks import Hooks

__all__ = ["Hooks", "register"]
