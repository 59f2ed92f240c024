"""What an operator may do with a message: the actions, and which are possible in its state."""

from collections.abc import Mapping
from enum import StrEnum

from supplier_api.clock import to_wire
from supplier_api.outbox.model import NO_BODY, MessageState, StoredMessage
from supplier_api.problems.services import BACK_OFFICE, GATEWAY


class MessageAction(StrEnum):
    """An operator's action on a message."""

    REPLAY = "replay"
    EDIT = "edit"
    SKIP = "skip"


_KCI = (MessageAction.REPLAY, MessageAction.EDIT, MessageAction.SKIP)
_ORDER = (MessageAction.REPLAY, MessageAction.SKIP)
# The possible actions, by destination and state. A delivered message cannot change; nor can a KCI
# that was left out, because the next KCI mentions it.
POSSIBLE: Mapping[str, Mapping[str, tuple[MessageAction, ...]]] = {
    GATEWAY: {
        MessageState.QUEUED: _KCI,
        MessageState.REFUSED: _KCI,
        MessageState.EXPIRED: _KCI,
        MessageState.SKIPPED: (),
        MessageState.DELIVERED: (),
    },
    BACK_OFFICE: {
        MessageState.QUEUED: _ORDER,
        MessageState.REFUSED: _ORDER,
        MessageState.EXPIRED: _ORDER,
        MessageState.SKIPPED: (MessageAction.REPLAY,),
        MessageState.DELIVERED: (),
    },
}
PAST = {
    MessageAction.REPLAY: "replayed",
    MessageAction.EDIT: "edited",
    MessageAction.SKIP: "withdrawn",
}


# Their names in the record of what people did.
COMMANDS = {GATEWAY: "kci", BACK_OFFICE: "work-order"}
BY_HAND = frozenset(
    f"{command} {action}" for command in COMMANDS.values() for action in MessageAction
)


class NotPossible(Exception):
    """Nothing was done or recorded; the text says why, and what is possible."""


def possible(stored: StoredMessage) -> tuple[MessageAction, ...]:
    """Return the actions possible on a message as it stands; none once its body was removed."""
    if stored.body == NO_BODY:
        return ()
    return POSSIBLE[stored.destination][stored.state]


def check(stored: StoredMessage, action: MessageAction) -> None:
    """Raise NotPossible, with what is possible, if an action on a message is not."""
    can = possible(stored)
    if action in can:
        return
    when = f" (on {to_wire(stored.settled)})" if stored.settled else ""
    rest = ", ".join(["show", *can])
    raise NotPossible(f"{stored.name} is {stored.state}{when}: no {action}; possible: {rest}")


def why_not(
    stored: StoredMessage, behind: StoredMessage | None
) -> Mapping[MessageAction, str | None]:
    """Return each action that its destination knows, and why it is not possible now, if so.

    `behind` is the dead letter that holds its lane up, if one does.
    """
    known = POSSIBLE[stored.destination][MessageState.QUEUED]
    return {action: _refusal(stored, action, behind) for action in known}


def _refusal(
    stored: StoredMessage, action: MessageAction, behind: StoredMessage | None
) -> str | None:
    try:
        check(stored, action)
        check_order(stored, action, behind)
    except NotPossible as error:
        return str(error)
    return None


def waits(behind: StoredMessage) -> str:
    """Say that a message waits behind a dead letter."""
    return f"waits behind {behind.name}, which is {behind.state}"


def check_order(stored: StoredMessage, action: MessageAction, behind: StoredMessage | None) -> None:
    """Raise NotPossible for a replay of what is queued behind a dead letter."""
    if behind and action is MessageAction.REPLAY and stored.state == MessageState.QUEUED:
        raise NotPossible(f"{stored.name} {waits(behind)}; replay, edit or skip that")
