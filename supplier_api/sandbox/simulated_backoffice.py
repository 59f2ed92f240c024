"""A fault desk that is played: it works every problem to its resolution on a timetable.

It holds no state and never waits: its answer to an order says what it will do when, and the desk
keeps that as timers. It plays the scenario that comes with an order. With the pace `manual` it only
opens tickets, and waits for events from outside.
"""

from supplier_api.problems.work import OrderAnswer, WorkOrder
from supplier_api.sandbox.scenarios.timetable import timetable
from supplier_api.settings.model import BackOfficeSettings


class SimulatedBackOffice:
    """Plays the supplier's fault desk."""

    def __init__(self, settings: BackOfficeSettings) -> None:
        """Work at the pace of the settings: a factor on every step's time, or `manual`."""
        self._pace = None if settings.pace == "manual" else settings.pace

    def submit(self, order: WorkOrder) -> OrderAnswer:
        """Open a ticket and say what will be done about it, and when."""
        # The end of the order's id: its beginning is shared by many.
        return OrderAnswer(
            back_office_id=f"TICKET-{order.id[-12:].upper()}",
            later=() if self._pace is None else timetable(order, self._pace),
        )
