"""What the pages of a message show: the message with its lane, and with what is personal masked."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from supplier_api.console.access import person
from supplier_api.console.acts import refusals
from supplier_api.console.context import here
from supplier_api.contract.differences import FieldDifference, differences
from supplier_api.contract.personal import PERSONAL_FIELDS, PLACEHOLDER, masked_inside
from supplier_api.db import UnitOfWork
from supplier_api.db.operator_actions import OperatorActionRepository
from supplier_api.delivery import message_queries
from supplier_api.delivery.message_actions import COMMANDS, MessageAction, why_not
from supplier_api.delivery.message_admin import OPEN
from supplier_api.delivery.seen_message import SeenMessage
from supplier_api.outbox.messages import MessageRepository

OPENED_FOR = timedelta(hours=1)
SHOWN = 20  # messages of a lane
# A status, a code, a UUID.
_CODE = re.compile(r"[A-Z0-9_]{1,64}|[0-9a-fA-F-]{36}")
# A receiver's refusal names a field first, as in `serviceProblem.notes: not that`.
_FIELD_FIRST = re.compile(r"([A-Za-z0-9_.\[\]]{1,100}): .*", re.DOTALL)


@dataclass(frozen=True, slots=True)
class MessageView:
    """A message as its page shows it: plain values, what is possible, and its lane."""

    word: str
    seen: SeenMessage
    shown: Mapping[str, Any]
    why_not: Mapping[MessageAction, str | None]
    lane: Sequence[Mapping[str, Any]]
    more_in_lane: bool


def read_view(message_id: UUID) -> MessageView:
    """Return a message as it is now; raises ActRefused."""

    def read(uow: UnitOfWork) -> MessageView:
        stored = message_queries.by_id(uow, str(message_id))
        messages = MessageRepository(uow)
        behind = messages.held_by(stored.lane_id) if stored.parked else None
        lane = messages.undelivered(stored.problem_id, stored.destination)
        return MessageView(
            word=message_queries.WORDS[stored.destination],
            seen=SeenMessage.of(uow, stored),
            shown={
                **message_queries.show(uow, stored),
                "destination": stored.destination,
                "reference": stored.reference,
            },
            why_not=why_not(stored, behind),
            lane=[message_queries.summary(each) for each in lane[:SHOWN]],
            more_in_lane=len(lane) > SHOWN,
        )

    with refusals():
        return here().services.store.read(read)


def edits(view: MessageView) -> list[FieldDifference]:
    """Return what differs from the message as it was at first."""
    original = view.shown["original"]
    return [] if original is None else list(differences(original, view.shown["body"]))


def masked(shown: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is shown of a message without what is personal in it."""
    refusal = {name: _masked_words(each) for name, each in (shown["refusal"] or {}).items()}
    return {**shown, "body": masked_inside(shown["body"]), "refusal": refusal}


def _masked_words(said: Any) -> Any:
    """Leave of what a receiver said codes, and the field that it names: the rest may quote it."""
    if isinstance(said, list):
        return [_masked_words(each) for each in said]
    if _CODE.fullmatch(str(said)):
        return said
    named = _FIELD_FIRST.fullmatch(str(said))
    return f"{named[1]}: {PLACEHOLDER}" if named else PLACEHOLDER


def masked_change(change: FieldDifference) -> FieldDifference:
    """Return a difference without what is personal in it."""
    if PERSONAL_FIELDS & set(re.split(r"[.\[]", change.path)):
        return FieldDifference(change.path, PLACEHOLDER, PLACEHOLDER)
    return FieldDifference(change.path, masked_inside(change.old), masked_inside(change.new))


def is_opened(message_id: UUID) -> bool:
    """Return whether this person opened the message within the last hour."""
    name, services = str(message_id), here().services
    since = services.machine.now() - OPENED_FOR
    names = {f"{command} {OPEN}" for command in COMMANDS.values()}
    done_to_it = services.store.read(lambda uow: OperatorActionRepository(uow).of_message(name))
    return any(
        each.action in names and each.who == person().name and each.at > since
        for each in done_to_it
    )
