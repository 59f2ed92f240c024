"""How operators name, list and view messages."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from supplier_api.clock import to_wire
from supplier_api.db import UnitOfWork
from supplier_api.db.operator_actions import Action, OperatorActionRepository
from supplier_api.delivery.message_actions import COMMANDS
from supplier_api.outbox.messages import MessageRepository
from supplier_api.outbox.model import MessageState, StoredMessage, shown_log
from supplier_api.problems.services import BACK_OFFICE, GATEWAY

# How a message is called, by destination.
WORDS = {GATEWAY: "KCI", BACK_OFFICE: "work order"}
_NUMBERED = re.compile(r"([A-Z0-9_]{5,25})#([1-9][0-9]{0,8})")


class NoSuchMessage(Exception):
    """No message has that name; the text says what is expected."""


def find(uow: UnitOfWork, name: str, destination: str) -> StoredMessage:
    """Return the message to `destination` with that name: a UUID, or REFERENCE#NUMBER.

    Raises NoSuchMessage.
    """
    word = WORDS[destination]
    stored = None
    if numbered := _NUMBERED.fullmatch(name):
        stored = MessageRepository(uow).numbered(numbered[1], destination, int(numbered[2]))
    elif uuid := _uuid(name):
        stored = MessageRepository(uow).find(uuid)
    else:
        raise NoSuchMessage(f"{name!r} names no {word}; expected its UUID or REFERENCE#NUMBER")
    if stored is None:
        raise NoSuchMessage(f"there is no {word} {name}")
    if stored.destination != destination:
        other = COMMANDS.get(stored.destination, stored.destination)
        raise NoSuchMessage(f"{name} is no {word}; look at it with `supplier-api {other} show`")
    return stored


def by_id(uow: UnitOfWork, uuid: str) -> StoredMessage:
    """Return the message with that UUID, to any destination; raises NoSuchMessage."""
    stored = MessageRepository(uow).find(uuid)
    if stored is None:
        raise NoSuchMessage(f"there is no message {uuid}")
    return stored


def _uuid(name: str) -> str | None:
    try:
        return str(UUID(name))
    except ValueError:
        return None


def summary(stored: StoredMessage) -> dict[str, Any]:
    """Return a message in short, as plain JSON values, with nothing personal in it."""
    return {
        "name": stored.name,
        "id": stored.uuid,
        "kind": stored.kind,
        "state": stored.state,
        "parked": stored.parked and stored.state == MessageState.QUEUED,
        "tenant": stored.tenant,
        "gatewayId": stored.gateway_id,
        "created": to_wire(stored.created),
        "settled": _maybe(stored.settled),
        "attempts": stored.attempts,
        "answer": _answer(stored),
        "mended": stored.mended,
    }


def show(uow: UnitOfWork, stored: StoredMessage) -> dict[str, Any]:
    """Return all that is known of a message, as plain JSON values, its body and texts included."""
    return {
        **summary(stored),
        "subject": stored.subject,
        "conversationId": stored.conversation_id,
        "mayHaveArrived": stored.unknown,
        "firstAttempt": _maybe(stored.first_attempt),
        "laneParked": stored.parked,
        "laneDue": _maybe(stored.due_at),
        "digest": stored.digest,
        "backOfficeId": stored.back_office_id,
        "log": shown_log(stored.log),
        "refusal": stored.refusal,
        "actions": [
            _action(each) for each in OperatorActionRepository(uow).of_message(stored.uuid)
        ],
        "body": orjson.loads(stored.body),
        "original": orjson.loads(stored.original) if stored.original is not None else None,
    }


def _answer(stored: StoredMessage) -> str | None:
    """Return the last detail or status in its log."""
    said = [entry for entry in stored.log if entry["status"] or entry["detail"]]
    return said[-1]["detail"] or str(said[-1]["status"]) if said else None


def _action(action: Action) -> Mapping[str, Any]:
    return {
        "at": to_wire(action.at),
        "who": action.who,
        "action": action.action,
        "reason": action.reason,
        "detail": action.detail,
    }


def _maybe(instant: datetime | None) -> str | None:
    return to_wire(instant) if instant else None
