"""What a kind of fault is, one that was chosen, and what can be set about it."""

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Any

from supplier_api.contract.codes import ErrorCode, ReasonCode
from supplier_api.sandbox.catalogue import CatalogueEntry, Parameter, ParameterValue, one_of

CALLS = (
    "service-problems",
    "service-problem-amendments",
    "service-problem-cancellations",
    "service-problem-resolutions",
)
TOKEN = "token"  # noqa: S105 - the name of an operation
# Where a request carries the fault that struck it.
STRUCK = "supplier_api.fault"
REASONS = tuple(str(reason) for reason in ReasonCode)
Values = Mapping[str, ParameterValue]
# Returns messages about parameters, and operations that were named, that do not go together.
FindConflicts = Callable[[Values, Sequence[str]], list[str]]


def no_conflicts(_values: Values, _operations: Sequence[str]) -> list[str]:
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


class When(StrEnum):
    """Whether a fault strikes before the request is done, or after."""

    BEFORE = "before"
    AFTER = "after"


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


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultKind(CatalogueEntry):
    """A kind of fault. `operations` are those that it can strike; the last are by name only.

    `conflicts` says what cannot be about parameters and operations that were chosen together. By
    name only: a request for a token says nothing of whose it is, so such a fault strikes none
    unless a tester has asked for it.
    """

    direction: Direction = Direction.OUT
    operations: tuple[str, ...] = REASONS
    breach: ContractBreach | None = None
    place: Place = Place.WORKER
    conflicts: FindConflicts = no_conflicts

    def strikes(self, operation: str, chosen: tuple[str, ...]) -> bool:
        """Tell whether it strikes an operation, where these were chosen; none stands for all."""
        if operation not in self.operations:
            return False
        return operation in chosen if chosen else operation != TOKEN


@dataclass(frozen=True, slots=True)
class InjectedFault:
    """A kind with the parameters that were given; `id` is the number under which it was set."""

    id: int
    kind: FaultKind
    values: Values = field(default_factory=dict)

    def get(self, name: str) -> Any:
        """Return a parameter's value, or its default."""
        return self.kind.value(self.values, name)

    def all_values(self) -> dict[str, ParameterValue]:
        """Return every parameter's value."""
        return {each.name: self.get(each.name) for each in self.kind.parameters}

    def plain(self) -> dict[str, Any]:
        """Return what is recorded of it with a call that it struck, in JSON values."""
        recorded: dict[str, Any] = {"kind": self.kind.name, "description": self.kind.description}
        if values := self.all_values():
            recorded["parameters"] = values
        return recorded | (self.kind.breach.plain() if self.kind.breach else {})


def is_struck(seed: int, number: int, share: float) -> bool:
    """Tell whether the call of that number, from 1, is among the share that a seed chooses.

    Worked out from the two alone: the same in every process and in every run.
    """
    digest = hashlib.sha256(f"{seed}/{number}".encode()).digest()
    return int.from_bytes(digest[:8], "big") < share * 2**64


def seconds(default: float, most: float, description: str) -> Parameter:
    """Return the parameter for a time of machine time."""

    def read(given: Any) -> ParameterValue:
        number = isinstance(given, int | float | Decimal) and not isinstance(given, bool)
        if not number or not 0 <= given <= most:
            raise ValueError
        return float(given)

    return Parameter("seconds", f"a number, 0 to {most:g}", default, description, read)


def whole(name: str, default: int, least: int, most: int, description: str) -> Parameter:
    """Return a parameter for a whole number."""

    def read(given: object) -> ParameterValue:
        if isinstance(given, bool) or not isinstance(given, int) or not least <= given <= most:
            raise ValueError
        return given

    return Parameter(name, f"a whole number, {least} to {most}", default, description, read)


def word(name: str, words: tuple[str, ...], description: str) -> Parameter:
    """Return a parameter for one of these words; the first is the default."""

    def read(given: object) -> ParameterValue:
        if given not in words:
            raise ValueError
        return str(given)

    return Parameter(name, one_of(words), words[0], description, read)


def text(name: str, default: str, form: str, most: int, description: str) -> Parameter:
    """Return a parameter for a text of this form (a regular expression), or none at all."""
    pattern = re.compile(form, re.DOTALL)

    def read(given: object) -> ParameterValue:
        if not isinstance(given, str) or len(given) > most or not pattern.fullmatch(given):
            raise ValueError
        return given

    return Parameter(name, f"a text of at most {most} characters", default, description, read)


def when(default: When) -> Parameter:
    """Return the parameter for whether the request is done before the fault strikes."""
    words = (default, *(each for each in When if each is not default))
    return word(
        "when",
        tuple(map(str, words)),
        "before: nothing was done. after: the request was done and is kept; only its answer is"
        " struck.",
    )
