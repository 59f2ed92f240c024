"""A back office that nobody may call: it fetches its work orders itself, and answers each.

`GET /back-office/v1/work-orders` and `POST /back-office/v1/work-orders/{id}/answer` are its doors;
the worker sends it nothing.
"""

from supplier_api.problems.work import ORDER_KINDS, OrderAnswer, WorkOrder
from supplier_api.settings.model import BackOfficeSettings

PULL = "pull"


class PullBackOffice:
    """Stands for a back office that fetches; it is told all that there is to know."""

    kinds = ORDER_KINDS

    def __init__(self, settings: BackOfficeSettings) -> None:
        """Need nothing of the settings."""

    def submit(self, order: WorkOrder) -> OrderAnswer:
        """Refuse to send: there is nobody to send to."""
        raise NotImplementedError(f"order {order.id} is fetched, not sent")

    def ping(self) -> str:
        """Say that there is no system to be reached."""
        return "the back office fetches its work orders"
