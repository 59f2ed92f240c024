"""Work orders that the back office fetches, instead of being called.

They are leased and settled as the worker does it: the first order of each due lane, under the
number of its claim. One that is not answered while its lease lasts is due again. There is no cursor
that could pass over an order: what is not settled comes again.
"""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from supplier_api.backoffice.order_answer import OfficeAnswer
from supplier_api.contract import refusals
from supplier_api.contract.limits import MESSAGE_MAX
from supplier_api.db import UnitOfWork
from supplier_api.delivery.completer import Completer
from supplier_api.delivery.flow_control import FlowControl
from supplier_api.delivery.model import Destination, Lease, Meaning, Reply, Sent
from supplier_api.outbox.messages import MessageRepository
from supplier_api.outbox.model import (
    DEAD_LETTERS,
    Claim,
    Fenced,
    Message,
    MessageState,
    StoredMessage,
)
from supplier_api.outbox.pauses import ActivePauses, PauseRepository
from supplier_api.outbox.repository import LaneRepository
from supplier_api.problems.services import BACK_OFFICE, Services
from supplier_api.problems.ticket_repository import tickets_of_order
from supplier_api.problems.work import WorkOrder

SETTLE_SECONDS = 60.0  # that the transaction which settles an order may take


@dataclass(frozen=True, slots=True)
class PulledOrder:
    """An order that was given out; its answer names the number `claim`."""

    order: WorkOrder
    claim: int


@dataclass(frozen=True, slots=True)
class OrderResult:
    """What is stored of an order that was answered: its state, and the ticket that it has."""

    state: str
    ticket: str | None


class PulledOrders:
    """Gives out the orders that are due, and takes their answers."""

    def __init__(self, services: Services, destination: Destination) -> None:
        """Work with `services`; the hooks of `destination` apply what is answered."""
        self._services = services
        store, clock, id_source = services.store, services.machine, services.id_source
        # Nobody is called, so no outcome says anything of a destination: it never holds up.
        flow_control = FlowControl(destination, store, clock, id_source, services.process)
        self._completer = Completer(
            destination, store, clock, id_source, SETTLE_SECONDS, flow_control
        )

    def lease(self, limit: int, seconds: float, who: str) -> Sequence[PulledOrder]:
        """Give out up to `limit` orders to the client `who`, each the first of a lane that is due.

        For so many `seconds` they are given to nobody else. Raises db.StoreUnavailable.
        """
        services, now = self._services, self._services.machine.now()

        def due(uow: UnitOfWork) -> ActivePauses | None:
            pauses = ActivePauses.of(BACK_OFFICE, PauseRepository(uow).active(now))
            if pauses.stopped(now):
                return None
            due_at = LaneRepository(uow).next_due(BACK_OFFICE, pauses.held(now))
            return pauses if due_at and due_at <= now else None

        # Whoever waits asks often: only what is due is worth a transaction that writes.
        pauses = services.store.read(due)
        if pauses is None:
            return []
        held, until = pauses.held(now), now + timedelta(seconds=seconds)

        def claim(uow: UnitOfWork) -> list[PulledOrder]:
            claims = LaneRepository(uow).claim(
                BACK_OFFICE, who, now, until, limit=limit, failed=limit, held=held
            )
            return [PulledOrder(_order(uow, each.message), each.claim_no) for each in claims]

        return services.store.write(claim)

    def answer(self, order_id: str, claim_no: int, said: OfficeAnswer) -> OrderResult:
        """Settle an order as taken, with what follows from the answer; a repeat has no effect.

        One that the office refuses makes its lane wait for an operator. Raises RequestRefused:
        there is no such order, it was given out again since, or it was settled otherwise. Raises
        what the events of the answer raise, and db.StoreUnavailable; then nothing is settled.
        """
        store, until = self._services.store, self._services.machine.monotonic() + SETTLE_SECONDS
        stored, message = store.read(lambda uow: _find(uow, order_id))
        if message is not None:
            lease = Lease(Claim(claim_no, 0, message), until)
            # Of two answers at once the other one may settle it.
            with contextlib.suppress(Fenced):
                self._completer.complete_now(Sent(lease, _reply(said, message), 0))
            stored, message = store.read(lambda uow: _find(uow, order_id))
            if message is not None:
                raise refusals.ORDER_GIVEN_OUT.error(claim=claim_no)
        if (said.refused is not None) is not (stored.state in DEAD_LETTERS):
            raise refusals.ORDER_SETTLED.error(state=stored.state)
        return OrderResult(stored.state, stored.back_office_id)


def _reply(said: OfficeAnswer, message: Message) -> Reply:
    """Return an answer as delivery knows the answers of those whom it calls."""
    if said.refused is not None:
        why = {"messages": [said.refused[:MESSAGE_MAX]]}
        return Reply(Meaning.REFUSED, "refused by the back office", refusal=why, counts=False)
    answer = said.to(WorkOrder.from_body(message.uuid, message.body))
    return Reply(Meaning.ACCEPTED, "taken", answer=answer, counts=False)


def _find(uow: UnitOfWork, order_id: str) -> tuple[StoredMessage, Message | None]:
    """Return an order as it is stored, and as its lane has it while it is to be sent next.

    Raises RequestRefused.
    """
    stored = MessageRepository(uow).find(order_id)
    if stored is None or stored.destination != BACK_OFFICE:
        raise refusals.UNKNOWN_ORDER.error()
    if stored.state != MessageState.QUEUED:
        return stored, None
    first = LaneRepository(uow).first(stored.lane_id)
    if first is None or first.uuid != stored.uuid:
        raise refusals.ORDER_NOT_GIVEN_OUT.error()
    return stored, first


def _order(uow: UnitOfWork, message: Message) -> WorkOrder:
    order = WorkOrder.from_body(message.uuid, message.body)
    ticket, change_ticket = tickets_of_order(uow, message.problem_id, message.subject)
    return replace(order, ticket=ticket, change_ticket=change_ticket)
