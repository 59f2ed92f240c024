"""A back office without a system of its own: people decide, with `supplier-api problem event`.

An order is taken at once, so nothing waits for it: `supplier-api work-order list --state delivered`
shows what came, `supplier-api problem list` where the problems stand.
"""

from supplier_api.problems.work import OrderAnswer, WorkOrder
from supplier_api.settings.model import BackOfficeSettings


class ManualBackOffice:
    """Takes every order, decides nothing, and has no tickets."""

    def __init__(self, settings: BackOfficeSettings) -> None:
        """Need nothing of the settings."""

    def submit(self, order: WorkOrder) -> OrderAnswer:  # noqa: ARG002 - the port's
        """Take the order; what follows from it is said by people."""
        return OrderAnswer()

    def ping(self) -> str:
        """Say that there is no system to be reached."""
        return "people decide"
