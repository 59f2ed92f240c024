"""The sample desk as the contract test for adapters sees it."""

from collections.abc import Sequence

import requests

from supplier_api.backoffice.contract import Failure, TicketSystem, Webhook
from supplier_api.backoffice.port import TicketState
from supplier_api.sandbox.sample_desk.web import RunningDesk

# What people do to bring a ticket to a state.
DONE = {
    TicketState.IN_PROGRESS: {"status": "Working"},
    TicketState.RESOLVED: {"status": "Done", "cause": "Cable", "note": "A joint was replaced."},
}


class DeskSystem(TicketSystem):
    """Does to a sample desk what the contract test asks for."""

    def __init__(self, running: RunningDesk) -> None:
        """Work on the tickets of `running`."""
        self._running = running

    def effects(self) -> Sequence[object]:
        """Return each ticket and each comment."""
        tickets = self._running.desk.tickets()
        return [(each["number"], n) for each in tickets for n in ("", *each["comments"])]

    def fail(self, how: Failure) -> None:
        """Have the next call that writes fail."""
        requests.put(f"{self._running.url}/failure", json={"how": how}, timeout=5)

    def ask_to_wait(self, seconds: int) -> None:
        """Have the next call that writes asked to wait."""
        failure = {"how": "busy", "wait": seconds}
        requests.put(f"{self._running.url}/failure", json=failure, timeout=5)

    def work(self, ticket: str, state: TicketState) -> None:
        """Do what people do."""
        self._running.desk.change(ticket, DONE[state])

    def webhooks(self) -> list[Webhook]:
        """Return what would be sent."""
        desk = self._running.desk
        found = desk.webhooks()
        for number, _ in found:
            desk.sent(number)
        return [Webhook({"content-type": "application/json"}, body) for _, body in found]
