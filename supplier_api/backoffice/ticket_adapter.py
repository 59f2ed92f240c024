"""An adapter for a ticket system with an API of its own: the author writes only its client.

What is the same for all of them is here: an order that comes twice has one effect though the
system knows no idempotency key, orders become comments and transitions, records become snapshots.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Protocol

from supplier_api.backoffice.mapping import TicketMapping
from supplier_api.backoffice.port import (
    Notice,
    OrderAnswer,
    Snapshot,
    WorkOrder,
)
from supplier_api.rules.model import Operation

# A ticket as the mapping reads it: in the form of a webhook's body.
Record = Mapping[str, Any]
# After these orders the ticket is brought to the status of the problem's state.
MOVING = (Operation.CANCELLATION, Notice.RESOLUTION_ANSWER, Notice.CLOSED)


class TicketClient(Protocol):
    """The calls to a ticket system. Each limits its own time; any error means "try again"."""

    def find(self, reference: str) -> Record | None:
        """Return the ticket that carries our reference."""

    def create(self, reference: str, title: str, text: str, priority: str | None) -> Record:
        """Make a ticket; raises OrderRefused if that will never be possible."""

    def comment(self, ticket: str, text: str) -> None:
        """Write a comment."""

    def comments(self, ticket: str) -> Iterable[str]:
        """Return the comments of a ticket."""

    def transition(self, ticket: str, status: str) -> Record:
        """Bring a ticket to a status; nothing happens if it has it."""

    def read(self, ticket: str) -> Record | None:
        """Return a ticket; None if there is none."""

    def changed(self, since: datetime) -> Iterable[Record]:
        """Return the tickets that changed since then."""


class TicketAdapter:
    """One ticket for a problem, and what follows as comments in it."""

    def __init__(self, mapping: TicketMapping, client: TicketClient) -> None:
        """Work through `client`; `mapping` says what its records mean."""
        self.mapping, self.client = mapping, client

    def submit(self, order: WorkOrder) -> OrderAnswer:
        """Make the problem's ticket, or write into it."""
        if order.kind is Operation.PROBLEM:
            return self._opened(order)
        ticket = order.ticket or self._ticket_of(order.reference)
        # No version without a transition: what people changed meanwhile is still to be seen.
        answer = OrderAnswer()
        if ticket is None or any(order.id in text for text in self.client.comments(ticket)):
            return answer
        if status := self._status_after(order):
            moved = self._answer(self.client.transition(ticket, status))
            answer = OrderAnswer(version=moved.version)
        # Last, as it marks the order as done: one that comes again must not undo what people did.
        self.client.comment(ticket, comment_on(order))
        return answer

    def parse(self, headers: Mapping[str, str], body: bytes) -> list[Snapshot]:  # noqa: ARG002
        """Read a webhook."""
        return self.mapping.parse(body)

    def changed(self, since: datetime) -> Iterator[Snapshot]:
        """Yield the tickets that changed and concern us."""
        for record in self.client.changed(since):
            if found := self.mapping.snapshot(record):
                yield found

    def read(self, ticket: str) -> Snapshot | None:
        """Look at a ticket."""
        record = self.client.read(ticket)
        return None if record is None else self.mapping.snapshot(record)

    def comment(self, ticket: str, text: str) -> None:
        """Write to the people who work on a ticket."""
        self.client.comment(ticket, text)

    def ping(self) -> str:
        """Look for a ticket that there is not."""
        self.client.find("-")
        return "the ticket system answers"

    def _opened(self, order: WorkOrder) -> OrderAnswer:
        """Make the ticket, or find it where the answer before was lost."""
        record = self.client.find(order.reference)
        if record is None:
            return self._answer(self._create(order))
        answer, found = self._answer(record), self.mapping.snapshot(record)
        assert answer.version is not None
        if found is None or self.mapping.is_new(found):
            return answer
        # People have worked on it since: only what is older is an echo of our order.
        return replace(answer, version=answer.version - 1)

    def _create(self, order: WorkOrder) -> Record:
        problem = order.problem
        title = f"{problem['problemType']} {problem['serviceId']}"
        priority = self.mapping.outbound.priority(problem["problemType"])
        return self.client.create(order.reference, title, text_of(order), priority)

    def _ticket_of(self, reference: str) -> str | None:
        """Return the ticket of a problem whose first order named none."""
        record = self.client.find(reference)
        return None if record is None else self._answer(record).back_office_id

    def _status_after(self, order: WorkOrder) -> str | None:
        if order.decide or order.kind not in MOVING:
            return None
        return self.mapping.outbound.status(order.standing)

    def _answer(self, record: Record) -> OrderAnswer:
        found = self.mapping.snapshot(record)
        if found is None:
            raise ValueError("the mapping's `when` leaves out a ticket of ours")
        return OrderAnswer(found.ticket, found.url, version=found.version)


def text_of(order: WorkOrder) -> str:
    """Return what people need to know of a problem, line by line."""
    problem, contact = order.problem, order.problem.get("primaryContact") or {}
    lines = [
        problem.get("problemText"),
        problem.get("notes"),
        "Contact: " + ", ".join(str(value) for value in contact.values()) if contact else None,
        "Please decide: accept or reject." if order.decide else None,
    ]
    return "\n".join(str(line) for line in lines if line)


def comment_on(order: WorkOrder) -> str:
    """Return the comment for an order that follows; the order's id in it marks it as written."""
    subject = order.subject or {}
    asked = ": please decide" if order.decide else ""
    lines = [f"{order.kind}{asked} ({order.standing})"]
    lines += [f"{name}: {value}" for name, value in subject.items() if isinstance(value, str | int)]
    return "\n".join([*lines, f"[{order.id}]"])
