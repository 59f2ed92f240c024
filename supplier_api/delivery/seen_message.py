"""What somebody saw of a message before they acted on it, and what happened to it meanwhile.

Failed attempts to send a queued message are no change: one that is tried every few seconds could
else never be edited.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b

from supplier_api.clock import to_wire
from supplier_api.db import UnitOfWork
from supplier_api.db.operator_actions import Action, OperatorActionRepository
from supplier_api.delivery.message_actions import BY_HAND, NotPossible
from supplier_api.outbox.messages import BY_OPERATOR
from supplier_api.outbox.model import StoredMessage

_WRITTEN = re.compile(r"([a-z]{1,20})-([0-9]{1,9})-([0-9]{1,9})-([0-9a-f]{16})")


class ChangedMeanwhile(NotPossible):
    """Nothing was done, as the message is not what was seen; `messages` say what happened to it."""

    def __init__(self, messages: Sequence[str]) -> None:
        """Keep what happened, a sentence each."""
        super().__init__("; ".join(messages))
        self.messages = messages


@dataclass(frozen=True, slots=True)
class SeenMessage:
    """A message as it was seen: its state, how many entries its log and its actions had, its body.

    As text it is a word that a form can carry.
    """

    state: str
    entries: int
    actions: int
    body: str  # its digest

    @classmethod
    def of(cls, uow: UnitOfWork, stored: StoredMessage) -> "SeenMessage":
        """Return the message as it is now."""
        return cls(stored.state, len(stored.log), len(_actions(uow, stored)), _digest(stored))

    @classmethod
    def read(cls, text: str) -> "SeenMessage":
        """Read what `str` of one wrote; raises ValueError."""
        if not (found := _WRITTEN.fullmatch(text)):
            raise ValueError("expected what the page wrote; open it again")
        return cls(found[1], int(found[2]), int(found[3]), found[4])

    def __str__(self) -> str:
        """Return it as `read` reads it."""
        return f"{self.state}-{self.entries}-{self.actions}-{self.body}"

    def check(self, uow: UnitOfWork, stored: StoredMessage) -> None:
        """Raise ChangedMeanwhile if the message is another now, with who did what, and when."""
        actions = _actions(uow, stored)
        same = (stored.state, len(actions), _digest(stored))
        if same == (self.state, self.actions, self.body):
            return
        first = f"{stored.name} has changed since this page was made: it is {stored.state} now"
        happened = sorted([*_done(actions[self.actions :]), *_tried(stored, self.entries)])
        raise ChangedMeanwhile([first, *(f"{to_wire(at)}: {text}" for at, text in happened)])


def _actions(uow: UnitOfWork, stored: StoredMessage) -> list[Action]:
    """Return what people did to the message; that they looked at it is no change."""
    done = OperatorActionRepository(uow).of_message(stored.uuid)
    return [each for each in done if each.action in BY_HAND]


def _done(actions: Sequence[Action]) -> Iterator[tuple[datetime, str]]:
    for each in actions:
        yield each.at, f"{each.action} by {each.who}: {each.reason}"


def _tried(stored: StoredMessage, known: int) -> Iterator[tuple[datetime, str]]:
    for entry in stored.log[known:]:
        # The actions tell of those.
        if entry["detail"] != BY_OPERATOR:
            said = entry["detail"] or entry["status"]
            yield datetime.fromisoformat(entry["at"]), f"{entry['outcome']} {said}"


def _digest(stored: StoredMessage) -> str:
    return blake2b(stored.body.encode(), digest_size=8).hexdigest()
