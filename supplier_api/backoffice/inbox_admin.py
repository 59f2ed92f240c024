"""The operators' actions on webhooks in the inbox, each recorded with who and why.

They replay and skip them, and in the console they have one shown as it came.

A webhook is locked by the transaction that changes it, so a worker that reads it meanwhile finds it
changed and leaves it.
"""

from collections.abc import Callable
from typing import Any

from supplier_api.clock import to_wire
from supplier_api.db import UnitOfWork
from supplier_api.db.operator_actions import Action, OperatorActionRepository
from supplier_api.problems.inbox_repository import InboxRepository, InboxState, StoredWebhook
from supplier_api.problems.services import Services

# What is possible in a state; a webhook that is applied again is ignored where nothing is new.
POSSIBLE = {
    InboxState.QUEUED: ("replay", "skip"),
    InboxState.FAILED: ("replay", "skip"),
    InboxState.SKIPPED: ("replay",),
    InboxState.APPLIED: ("replay",),
}


class InboxRefused(Exception):
    """Nothing was done; the text says why, and what is possible."""


class NoSuchWebhook(InboxRefused):
    """There is no webhook of that number."""


class InboxAdmin:
    """Replays and skips webhooks, and shows one as it came."""

    def __init__(self, services: Services) -> None:
        """Work with `services`."""
        self._services = services

    def replay(self, webhook_id: int, who: str, reason: str) -> StoredWebhook:
        """Have a webhook applied anew, now; return it as it was. Raises InboxRefused."""
        now = self._services.machine.now()
        return self._do(
            "replay",
            webhook_id,
            who,
            reason,
            lambda inbox, webhook: inbox.queue_again(webhook, now),
        )

    def skip(self, webhook_id: int, who: str, reason: str) -> StoredWebhook:
        """Give a webhook up: it is not applied. Return it as it was. Raises InboxRefused."""
        now = self._services.machine.now()
        return self._do(
            "skip",
            webhook_id,
            who,
            reason,
            lambda inbox, webhook: inbox.settle(webhook, InboxState.SKIPPED, now, webhook.error),
        )

    def unmask(self, webhook_id: int, who: str, reason: str) -> StoredWebhook:
        """Return a webhook as it came, to be shown to somebody. Raises NoSuchWebhook."""

        def work(uow: UnitOfWork) -> StoredWebhook:
            webhook = _locked(uow, webhook_id)
            self._record(uow, "unmask", webhook, who, reason)
            return webhook

        return self._services.store.write(work)

    def _do(
        self,
        action: str,
        webhook_id: int,
        who: str,
        reason: str,
        change: Callable[[InboxRepository, StoredWebhook], None],
    ) -> StoredWebhook:
        def work(uow: UnitOfWork) -> StoredWebhook:
            webhook = _locked(uow, webhook_id)
            if action not in POSSIBLE[webhook.state]:
                possible = ", ".join(("show", *POSSIBLE[webhook.state]))
                why = f"webhook {webhook_id} is {webhook.state}: no {action}; possible: {possible}"
                raise InboxRefused(why)
            change(InboxRepository(uow), webhook)
            self._record(uow, action, webhook, who, reason)
            return webhook

        return self._services.store.write(work)

    def _record(
        self, uow: UnitOfWork, action: str, webhook: StoredWebhook, who: str, reason: str
    ) -> None:
        detail = {"webhook": webhook.id, "hook": webhook.hook, "was": webhook.state}
        OperatorActionRepository(uow).add(
            Action(self._services.machine.now(), who, f"inbox {action}", reason, detail=detail)
        )


def _locked(uow: UnitOfWork, webhook_id: int) -> StoredWebhook:
    webhook = InboxRepository(uow).lock(webhook_id)
    if webhook is None:
        raise NoSuchWebhook(f"there is no webhook {webhook_id}")
    return webhook


def summary(webhook: StoredWebhook) -> dict[str, Any]:
    """Return a webhook in short, as plain JSON values, without what it says."""
    times = (webhook.received, webhook.due_at, webhook.settled)
    received, due, settled = (to_wire(at) if at else None for at in times)
    return {
        "number": webhook.id,
        "hook": webhook.hook,
        "key": webhook.key,
        "state": webhook.state.value,
        "attempts": webhook.attempts,
        "error": webhook.error,
        "received": received,
        "due": due,
        "settled": settled,
    }
