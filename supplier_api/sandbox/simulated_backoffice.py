"""A back office that is played: it works every problem to its resolution on a timetable.

It holds no state and never waits: its answer to an order says what it will do when, and that is
kept as timers. It plays the scenario that a tester chose with the request. With the pace `manual`
it only opens tickets, and waits for events from outside.
"""

from collections.abc import Callable, Mapping
from typing import Any

from supplier_api.problems.work import OrderAnswer, WorkOrder
from supplier_api.sandbox.scenarios.timetable import timetable
from supplier_api.settings.model import BackOfficeSettings

Chosen = Callable[[WorkOrder], Mapping[str, Any]]


class SimulatedBackOffice:
    """Plays the supplier's back office."""

    def __init__(self, settings: BackOfficeSettings, chosen: Chosen) -> None:
        """Work at the pace of the settings: a factor on every step's time, or `manual`.

        `chosen` tells what a tester chose with the request that an order comes from, Play.plain by
        kind.
        """
        self._pace = None if settings.pace == "manual" else settings.pace
        self._chosen = chosen

    def submit(self, order: WorkOrder) -> OrderAnswer:
        """Open a ticket and say what will be done about it, and when."""
        later = () if self._pace is None else timetable(order, self._chosen(order), self._pace)
        # The end of the order's id: its beginning is shared by many.
        return OrderAnswer(back_office_id=f"TICKET-{order.id[-12:].upper()}", later=later)
