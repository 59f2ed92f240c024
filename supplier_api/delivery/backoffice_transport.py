"""The back-office transport: passes work orders to the adapter of the supplier's own systems."""

from supplier_api.backoffice.port import BackOffice, OrderRefused
from supplier_api.contract.limits import MESSAGE_MAX
from supplier_api.delivery.transport import Meaning, Reply
from supplier_api.http_client.failures import in_words
from supplier_api.logging import get_logger
from supplier_api.outbox.model import Message
from supplier_api.problems.work import WorkOrder

log = get_logger(__name__)


class BackOfficeTransport:
    """Passes work orders to an adapter.

    Any exception but OrderRefused means "try again later": the back office may have the order
    already, and recognises it by its id. An adapter limits the time of its own calls; a thread that
    it holds longer than the lease is replaced.
    """

    def __init__(self, adapter: BackOffice) -> None:
        """Prepare to pass orders to `adapter`."""
        self._adapter = adapter

    def send(self, message: Message, seconds: float) -> Reply:  # noqa: ARG002 - see the class
        """Pass the order on once; the reply carries the adapter's answer for the hooks."""
        order = WorkOrder.from_body(message.uuid, message.body)
        try:
            answer = self._adapter.submit(order)
        except OrderRefused as refusal:
            said = {"messages": [str(refusal)[:MESSAGE_MAX]]}
            return Reply(Meaning.REFUSED, "refused by the back office", refusal=said)
        except Exception as error:
            log.warning("work-order.failed", kind=order.kind, exc_info=True)
            return Reply(Meaning.TROUBLE, f"the adapter failed: {in_words(error)}", unknown=True)
        return Reply(Meaning.TAKEN, "taken", answer=answer)
