"""What a fault is, and one that was chosen."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from supplier_api.contract.codes import ErrorCode, ReasonCode

# A JSON value that a parameter can have.
Value = str | float | int
CALLS = (
    "service-problems",
    "service-problem-amendments",
    "service-problem-cancellations",
    "service-problem-resolutions",
)
TOKEN = "token"  # noqa: S105 - the name of an operation
REASONS = tuple(str(reason) for reason in ReasonCode)


# Returns messages about parameters, and operations that were named, that do not go together.
Findings = Callable[[Mapping[str, Value], Sequence[str]], list[str]]


def no_findings(_values: Mapping[str, Value], _operations: Sequence[str]) -> list[str]:
    """Find nothing: whatever is chosen goes together."""
    return []


class Direction(StrEnum):
    """Which way the call goes that a fault strikes."""

    IN = "in"
    OUT = "out"


class Place(StrEnum):
    """Which process a fault happens in."""

    WEB = "web"
    WORKER = "worker"


@dataclass(frozen=True, slots=True)
class FaultParameter:
    """Something about a fault that a tester may set.

    `type` says in words what `read` takes, a JSON value; it raises ValueError for anything else.
    """

    name: str
    type: str
    default: Value
    description: str
    read: Callable[[object], Value]


@dataclass(frozen=True, slots=True)
class ContractBreach:
    """The clause of the contract that a fault breaks, and what the contract expects in answer.

    No statuses where the fault is an answer itself, and nothing is answered to it.
    """

    clause: str
    statuses: tuple[int, ...] = ()
    code: ErrorCode | None = None

    @property
    def expected(self) -> str:
        """The expected answer in words, as in `422 NOT_FOUND` or `204 or 429`."""
        statuses = " or ".join(map(str, self.statuses))
        return f"{statuses} {self.code}" if self.code else statuses

    def plain(self) -> dict[str, str]:
        """Return the clause, and the expected answer if there is one."""
        return {"clause": self.clause} | ({"expected": self.expected} if self.statuses else {})


@dataclass(frozen=True, slots=True)
class FaultKind:
    """A kind of fault. `operations` are those that it can strike; the last are by name only.

    `findings` tells what cannot be about parameters and operations that were chosen together. By
    name only: a request for a token says nothing of whose it is, so such a fault strikes none
    unless a tester has asked for it.
    """

    name: str
    direction: Direction
    description: str
    operations: tuple[str, ...]
    parameters: tuple[FaultParameter, ...] = ()
    breach: ContractBreach | None = None
    place: Place = Place.WORKER
    findings: Findings = no_findings

    def strikes(self, operation: str, chosen: tuple[str, ...]) -> bool:
        """Tell whether it strikes an operation, where these were chosen; none stands for all."""
        if operation not in self.operations:
            return False
        return operation in chosen if chosen else operation != TOKEN


@dataclass(frozen=True, slots=True)
class Fault:
    """A kind with the parameters that were given; `id` is the number under which it was set."""

    id: int
    kind: FaultKind
    values: Mapping[str, Value] = field(default_factory=dict)

    def get(self, name: str) -> Any:
        """Return a parameter's value, or its default."""
        if name in self.values:
            return self.values[name]
        return next(each.default for each in self.kind.parameters if each.name == name)

    def plain(self) -> dict[str, Any]:
        """Return what is told of it beside a call that it struck, in JSON values."""
        breach = self.kind.breach
        told: dict[str, Any] = {"kind": self.kind.name, "description": self.kind.description}
        values = {each.name: self.get(each.name) for each in self.kind.parameters}
        told |= {"parameters": values} if values else {}
        return told | (breach.plain() if breach else {})


def is_struck(seed: int, number: int, share: float) -> bool:
    """Tell whether the call of that number, from 1, is among the share that a seed chooses.

    Worked out from the two alone: the same in every process and in every run.
    """
    digest = hashlib.sha256(f"{seed}/{number}".encode()).digest()
    return int.from_bytes(digest[:8], "big") < share * 2**64
