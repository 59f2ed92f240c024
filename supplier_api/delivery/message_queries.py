"""Messages as operators name, list and look at them."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from supplier_api.clock import to_wire
from supplier_api.db import UnitOfWork
from supplier_api.db.operator_actions import Action, OperatorActionRepository
from supplier_api.outbox.message_repository import MessageRepository, OutboxMessage
from supplier_api.outbox.model import MessageState
from supplier_api.problems.services import BACK_OFFICE, GATEWAY

# What they are called, by destination, and the command that is about them.
WORDS = {GATEWAY: "KCI", BACK_OFFICE: "work order"}
COMMANDS = {GATEWAY: "kci", BACK_OFFICE: "work-order"}
_NUMBERED = re.compile(r"([A-Z0-9_]{5,25})#([1-9][0-9]{0,8})")


class NoSuchMessage(Exception):
    """No message is called that; the text says what is expected."""


def find(uow: UnitOfWork, name: str, destination: str) -> OutboxMessage:
    """Return the message to `destination` that `name` stands for: a UUID, or REFERENCE#NUMBER.

    Raises NoSuchMessage.
    """
    word = WORDS[destination]
    letter = None
    if numbered := _NUMBERED.fullmatch(name):
        letter = MessageRepository(uow).numbered(numbered[1], destination, int(numbered[2]))
    elif uuid := _uuid(name):
        letter = MessageRepository(uow).find(uuid)
    else:
        raise NoSuchMessage(f"{name!r} names no {word}; expected its UUID or REFERENCE#NUMBER")
    if letter is None:
        raise NoSuchMessage(f"there is no {word} {name}")
    if letter.destination != destination:
        other = COMMANDS.get(letter.destination, letter.destination)
        raise NoSuchMessage(f"{name} is no {word}; look at it with `supplier-api {other} show`")
    return letter


def _uuid(name: str) -> str | None:
    try:
        return str(UUID(name))
    except ValueError:
        return None


def summary(letter: OutboxMessage) -> dict[str, Any]:
    """Return a message in a line's worth of plain JSON values, with nothing personal in it."""
    return {
        "name": letter.name,
        "id": letter.uuid,
        "kind": letter.kind,
        "state": letter.state,
        "parked": letter.parked and letter.state == MessageState.QUEUED,
        "tenant": letter.tenant,
        "gatewayId": letter.gateway_id,
        "created": to_wire(letter.created),
        "settled": _maybe(letter.settled),
        "attempts": letter.attempts,
        "answer": _answer(letter),
        "mended": letter.mended,
    }


def show(uow: UnitOfWork, letter: OutboxMessage) -> dict[str, Any]:
    """Return all that is known of a message, as plain JSON values: its body and the texts, too."""
    return {
        **summary(letter),
        "subject": letter.subject,
        "conversationId": letter.conversation_id,
        "mayHaveArrived": letter.unknown,
        "firstAttempt": _maybe(letter.first_attempt),
        "laneParked": letter.parked,
        "laneDue": _maybe(letter.due_at),
        "digest": letter.digest,
        "backOfficeId": letter.back_office_id,
        "log": letter.log,
        "refusal": letter.refusal,
        "actions": [
            _action(each) for each in OperatorActionRepository(uow).of_message(letter.uuid)
        ],
        "body": orjson.loads(letter.body),
        "original": orjson.loads(letter.original) if letter.original is not None else None,
    }


def _answer(letter: OutboxMessage) -> str | None:
    """Return what was last said of it, in a word or two of ours."""
    said = [entry for entry in letter.log if entry["status"] or entry["detail"]]
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
