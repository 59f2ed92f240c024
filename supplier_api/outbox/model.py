"""The types of the outbox: the message, the claim on a lane, the attempt to send."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from supplier_api.clock import to_wire

# The body of a message whose content retention removed.
NO_BODY = "{}"


class MessageState(StrEnum):
    """The state of a message."""

    QUEUED = "queued"
    DELIVERED = "delivered"
    REFUSED = "refused"
    EXPIRED = "expired"
    SKIPPED = "skipped"


class Revision(StrEnum):
    """Why a message's body differs from the first one."""

    EDITED = "edited"  # by an operator
    LATE = "late"  # the receiver accepted later ones before it
    WITHDRAWN = "withdrawn"  # it only says that it was withdrawn
    NOTED = "noted"  # it also says that an earlier one was left out


class Fenced(Exception):
    """The claim is no longer ours: another worker holds the lane, and nothing was written."""


@dataclass(frozen=True, slots=True)
class Message:
    """A queued message and its attempts; `log` holds the attempts, oldest first.

    `gateway_id` and `reference` are the problem's: the gateway's id of it, and ours.
    """

    id: int
    lane_id: int
    problem_id: int
    tenant: str
    destination: str
    number: int
    uuid: str
    kind: str
    subject: str | None
    conversation_id: str
    gateway_id: int
    reference: str
    body: str
    body_version: int
    not_before: datetime | None
    attempts: int
    first_attempt: datetime | None
    unknown: bool
    log: list[dict[str, Any]] = field(repr=False)
    mended: str | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to send a lane's messages while its lease lasts; `message` is the next one.

    `attempts` counts the lane's failures in a row up to now. `was_due` is when the lane was due, if
    it was claimed as a probe.
    """

    lane_id: int
    problem_id: int
    tenant: str
    claim_no: int
    attempts: int
    message: Message
    was_due: datetime | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt to send: its outcome, the HTTP status if there was one, and how long it took.

    `detail` is for people and free of personal data; the answer's body is never kept. `unknown`:
    the receiver may have the message although it did not say so.
    """

    at: datetime
    outcome: str
    status: int | None
    milliseconds: int
    detail: str
    unknown: bool = False

    def entry(self) -> dict[str, Any]:
        """Return its entry in the message's log."""
        return {
            "at": self.at.isoformat(),
            "outcome": self.outcome,
            "status": self.status,
            "ms": self.milliseconds,
            "detail": self.detail,
        }


def shown_log(log: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return a message's log as people read it: its instants are written as all others are."""
    return [{**entry, "at": to_wire(datetime.fromisoformat(entry["at"]))} for entry in log]
