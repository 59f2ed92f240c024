"""A snapshot: what a ticket of the back office IS, said in the lifecycle's words.

An adapter makes it from what its ticket system sends or answers, by a mapping. The status and the
fields of the ticket system stay in the adapter: the core compares `wanted` with the problem's
state, or applies `decision` to the change, and works out which events lead there.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from math import isfinite
from typing import Any

import orjson

from supplier_api.contract.codes import ProblemCode
from supplier_api.contract.personal import masked_inside
from supplier_api.problems.model import Awaits

VERSION_MAX = 2**63 - 1
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class TicketState(StrEnum):
    """The states of the lifecycle that a ticket can stand for."""

    ACKNOWLEDGED = "ACKNOWLEDGED"
    IN_PROGRESS = "IN_PROGRESS"
    PENDING = "PENDING"
    HELD = "HELD"
    RESOLVED = "RESOLVED"
    COMPLETED = "COMPLETED"
    CANCELLED = "CANCELLED"
    REJECTED = "REJECTED"


@dataclass(frozen=True, slots=True)
class Wanted:
    """The state that a ticket stands for, and what the KCIs on the way there carry.

    `awaits` says what PENDING waits for. `resolution` is as in BackOfficeEvent, needed where the
    problem is not resolved yet.
    """

    state: TicketState
    problem_code: ProblemCode | None = None
    text: str | None = None
    supplier_codes: tuple[str, ...] = ()
    note: Mapping[str, str] | None = None
    awaits: Awaits = Awaits.INFORMATION
    resolution: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class ChangeDecision:
    """What a ticket decides about an amendment or a cancellation; a refusal needs code and text."""

    accept: bool
    problem_code: ProblemCode | None = None
    text: str | None = None
    supplier_codes: tuple[str, ...] = ()
    note: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a ticket is, as of `version`: a whole number that rises with each change of it.

    `status` is the ticket system's own word, for people. `wanted` counts if the ticket is a
    problem's, `decision` if it is a change's: an adapter that cannot tell which gives both. A
    snapshot without the one that counts says nothing, and changes nothing. `reference` is our
    reference of the problem or change, if the ticket carries it: it links a ticket that the core
    does not know yet. `trouble` says why the ticket could not be mapped (a short reason for
    operators, nothing personal): such a ticket is put apart.
    """

    ticket: str
    version: int
    status: str
    wanted: Wanted | None = None
    decision: ChangeDecision | None = None
    reference: str | None = None
    url: str | None = None
    trouble: str | None = None

    def __post_init__(self) -> None:
        """Raise ValueError for what cannot be stored: a version, a NUL, half a character."""
        if not 0 <= self.version <= VERSION_MAX:
            raise ValueError(f"version of ticket {self.ticket}: {self.version} is out of range")
        if not self.ticket:
            raise ValueError("a snapshot without the name of its ticket")
        try:
            storable = "\\u0000" not in self.to_body()
        except TypeError:
            storable = False
        if not storable:
            raise ValueError("a snapshot with a text that holds a NUL or half a character")

    def to_body(self) -> str:
        """Return the snapshot in its stored form."""
        return orjson.dumps(asdict(self)).decode()

    def shown(self) -> dict[str, Any]:
        """Return what it says, as plain JSON values, with what people wrote masked."""
        plain: dict[str, Any] = masked_inside(orjson.loads(self.to_body()))
        return {name: value for name, value in plain.items() if value is not None}

    @classmethod
    def from_body(cls, body: str) -> "Snapshot":
        """Read a snapshot back from its stored form."""
        data = orjson.loads(body)
        wanted, decision = data.pop("wanted"), data.pop("decision")
        return cls(
            **data,
            wanted=wanted and Wanted(**_read(wanted)),
            decision=decision and ChangeDecision(**_read(decision)),
        )


def version_from(value: float | str | datetime) -> int:
    """Return a version as the core compares it: a whole number as it is, a time in microseconds.

    A time is a datetime, its text in ISO 8601 (`2026-01-05T12:00:00.000+0000`), or seconds since
    1970 with a fraction. One without a zone is taken for UTC: only the order counts. Raises
    ValueError.
    """
    if isinstance(value, str):
        value = _number_or_time(value.strip())
    if isinstance(value, datetime):
        when = value if value.tzinfo else value.replace(tzinfo=UTC)
        return (when - EPOCH) // timedelta(microseconds=1)
    if isinstance(value, int):
        return value
    if not isfinite(value):
        raise ValueError(f"{value} is no version")
    return round(value * 1_000_000)


def _number_or_time(text: str) -> float | datetime:
    if text.isascii() and text.isdigit():
        return int(text)
    try:
        return float(text)
    except ValueError:
        return datetime.fromisoformat(text)


def _read(data: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a Wanted or ChangeDecision with their types."""
    code = data["problem_code"]
    typed = {
        "problem_code": code and ProblemCode(code),
        "supplier_codes": tuple(data["supplier_codes"]),
    }
    if "state" in data:
        typed |= {"state": TicketState(data["state"]), "awaits": Awaits(data["awaits"])}
    return {**data, **typed}
