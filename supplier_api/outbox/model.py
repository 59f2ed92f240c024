"""The types of the outbox: lanes and their messages, the claim on a lane, the attempt to send."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from supplier_api.clock import to_wire
from supplier_api.value_object import value_object

# The body of a message whose content retention removed.
NO_BODY = "{}"
# The latest body version that this release makes and can send. A lane with a later one is left to
# the later release, beside which this one runs during an upgrade.
BODY_VERSION = 2
FIRST_BODY = 1


class MessageState(StrEnum):
    """The state of a message."""

    QUEUED = "queued"
    DELIVERED = "delivered"
    REFUSED = "refused"
    EXPIRED = "expired"
    SKIPPED = "skipped"


DEAD_LETTERS = (MessageState.REFUSED, MessageState.EXPIRED)


class Revision(StrEnum):
    """Why a message's body differs from the first one."""

    EDITED = "edited"  # by an operator
    LATE = "late"  # the receiver accepted later ones before it
    WITHDRAWN = "withdrawn"  # it only says that it was withdrawn
    NOTED = "noted"  # it also says that an earlier one was left out


class Fenced(Exception):
    """The claim is no longer ours: another worker holds the lane, and nothing was written."""


@value_object
class NewMessage:
    """A message to be sent; `body` is what will be sent, byte for byte."""

    number: int
    uuid: str
    kind: str
    subject: str | None
    conversation_id: str
    body: str
    contract: str
    not_before: datetime | None = None
    body_version: int = FIRST_BODY


@dataclass(frozen=True, slots=True)
class NewLane:
    """A lane to be created; nothing is sent on it before `not_before`."""

    destination: str
    not_before: datetime | None = None
    messages: Sequence[NewMessage] = field(default_factory=tuple)


@value_object
class LaneRow:
    """The columns of a lane whose row is locked."""

    id: int
    problem_id: int
    tenant: str
    destination: str
    due_at: datetime | None
    not_before: datetime | None
    attempts: int
    claim_no: int
    parked: bool
    lease_owner: str | None
    lease_until: datetime | None

    @property
    def idle(self) -> bool:
        """Whether nothing is queued, nor parked behind a dead letter."""
        return self.due_at is None and not self.parked


@value_object
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


@value_object
class Claim:
    """The right to send a lane's messages while its lease lasts; `message` is the next one.

    `attempts` counts the lane's failures in a row up to now. `was_due` is when the lane was due, if
    it was claimed as a probe.
    """

    claim_no: int
    attempts: int
    message: Message
    was_due: datetime | None = None

    @property
    def lane_id(self) -> int:
        """The lane's id."""
        return self.message.lane_id

    @property
    def problem_id(self) -> int:
        """The id of the lane's problem."""
        return self.message.problem_id


@value_object
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


@dataclass(frozen=True, slots=True)
class LockedLanes:
    """The result of locking several claimed lanes.

    `rows` are the locked ones, by lane id. `lost` are no longer ours. The others are locked by
    other transactions at the moment.
    """

    rows: dict[int, LaneRow] = field(default_factory=dict)
    lost: frozenset[int] = frozenset()


@value_object
class AttemptRecord:
    """The outcome of an attempt to send `message`, and the message's new state.

    `digest` is that of the bytes which the receiver accepted, `refusal` what it answered to a dead
    letter. An attempt that does not count only adds to the message's log, and to its being unknown.
    """

    message: Message
    attempt: Attempt
    state: MessageState
    digest: str | None = None
    refusal: Mapping[str, Any] | None = None
    counts: bool = True


@value_object
class LaneStep:
    """How a locked lane goes on: with so many failures in a row, and not before `retry_at`.

    Without `goes_on` it is given back even if its next message may be sent now. `parks`: it stops
    behind a dead letter until an operator acts.
    """

    claim: Claim
    failures: int = 0
    retry_at: datetime | None = None
    goes_on: bool = True
    parks: bool = False


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """A message with all that is stored of it, and the state of its lane.

    `reference` and `gateway_id` are the problem's. `parked`: its lane waits for an operator.
    """

    id: int
    lane_id: int
    problem_id: int
    tenant: str
    destination: str
    reference: str
    gateway_id: int
    number: int
    uuid: str
    kind: str
    subject: str | None
    conversation_id: str
    state: str
    parked: bool
    due_at: datetime | None
    body: str = field(repr=False)
    original: str | None = field(repr=False)
    mended: str | None
    refusal: dict[str, Any] | None = field(repr=False)
    log: list[dict[str, Any]] = field(repr=False)
    attempts: int
    first_attempt: datetime | None
    unknown: bool
    digest: str | None
    back_office_id: str | None
    created: datetime
    settled: datetime | None

    @property
    def name(self) -> str:
        """Its name for operators: the problem's reference and the number."""
        return f"{self.reference}#{self.number}"

    @property
    def dead(self) -> bool:
        """Whether it is a dead letter."""
        return self.state in DEAD_LETTERS

    @property
    def untried(self) -> bool:
        """Whether it is queued, and the receiver cannot have seen it in any form."""
        return self.state == MessageState.QUEUED and not self.attempts and not self.log


@dataclass(frozen=True, slots=True)
class LastMessage:
    """The last message of a lane; `created` and `settled` are machine time."""

    number: int
    uuid: str
    kind: str
    state: str
    created: datetime
    settled: datetime | None


@dataclass(frozen=True, slots=True)
class Rewritten:
    """A message's new body, and why it differs from the former one."""

    body: str = field(repr=False)
    kind: str
    mended: Revision


def shown_log(log: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return a message's log as people read it: its instants are written as all others are."""
    return [{**entry, "at": to_wire(datetime.fromisoformat(entry["at"]))} for entry in log]
