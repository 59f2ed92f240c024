"""A back office without a system of its own: people decide and work, on the console or the shell.

An order is delivered at once, so that nothing waits for it. It stands in the console's queue until
somebody who has taken it is done; `supplier-api problem event` says what happened.
"""

from supplier_api.problems.work import OrderAnswer, WorkOrder
from supplier_api.settings.model import BackOfficeSettings


class ManualBackOffice:
    """Passes every order to people, decides nothing, and has no tickets."""

    def __init__(self, settings: BackOfficeSettings) -> None:
        """Need nothing of the settings."""

    def submit(self, order: WorkOrder) -> OrderAnswer:  # noqa: ARG002 - the port's
        """Have people find the order; what follows from it is said by them."""
        return OrderAnswer(for_people=True)

    def ping(self) -> str:
        """Say that there is no system to be reached."""
        return "people decide"
