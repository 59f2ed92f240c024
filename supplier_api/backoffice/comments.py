"""Tells the people who work on a ticket, by a comment in it, why it is apart."""

from supplier_api.backoffice.port import Comments
from supplier_api.logging import get_logger
from supplier_api.problems.services import Services
from supplier_api.problems.ticket_repository import ApartTicket, TicketRepository

LOOK_EVERY = 5.0  # seconds
# What could not be written is tried again after this time.
AFTER_FAILURE = 60.0  # seconds
log = get_logger(__name__)


class ApartComments:
    """Comments tickets that are apart, one a turn: a slow system holds up no other chore."""

    def __init__(self, services: Services, adapter: Comments) -> None:
        """Write through `adapter`, outside transactions."""
        self._services = services
        self._adapter = adapter

    def turn(self) -> float:
        """Comment the ticket that is apart for longest untold; return the seconds until the next.

        A comment may come twice, as from two workers.
        """
        services = self._services
        found = services.store.read(
            lambda uow: TicketRepository(uow, services.adapter).untold(limit=1)
        )
        if not found:
            return LOOK_EVERY
        try:
            self._adapter.comment(found[0].ticket, comment_on(found[0]))
        except Exception:
            log.warning("ticket.comment-failed", ticket=found[0].ticket, exc_info=True)
            return AFTER_FAILURE
        now = services.machine.now()
        services.store.write(
            lambda uow: TicketRepository(uow, services.adapter).told(found[0], now)
        )
        return 0.0


def comment_on(apart: ApartTicket) -> str:
    """Return what the people who work on a ticket are told."""
    return f"Not passed on to the customer's provider: {apart.reason}."
