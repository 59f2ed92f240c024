"""The facts that rules are evaluated on: groups, paths and values; and the port to the inventory.

A group is what a rule names first: `request.serviceId` is a path into the group `request`. Each
operation has its own groups, and `request` has its own fields in each. FACT_GROUPS lists them all.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Any, Protocol, TypeAlias

from supplier_api.clock import to_wire
from supplier_api.contract.limits import MESSAGE_MAX
from supplier_api.contract.personal import PERSONAL_FIELDS, PLACEHOLDER, masked
from supplier_api.contract.schemas import (
    AMENDMENT_REQUEST,
    CANCELLATION_REQUEST,
    SERVICE_PROBLEM_REQUEST,
)
from supplier_api.rules.fact_kinds import (
    Fact,
    FactKind,
    Shape,
    shape_of_class,
    shape_of_message,
)
from supplier_api.rules.model import Operation
from supplier_api.value_object import value_object

# A fact beside the list of the wire: request.characteristicsByName["SERVICE_HAS_WORKED"].
BY_NAME = "characteristicsByName"

ABSENT = "none"  # in a message, for a fact that is absent

REQUESTS = {
    Operation.PROBLEM: SERVICE_PROBLEM_REQUEST,
    Operation.AMENDMENT: AMENDMENT_REQUEST,
    Operation.CANCELLATION: CANCELLATION_REQUEST,
}


class Unknown(Enum):
    """A fact that was not available in time. Rules that name it cannot be evaluated."""

    UNKNOWN = "unknown"


UNKNOWN = Unknown.UNKNOWN


@dataclass(frozen=True, slots=True)
class Service:
    """A service in the supplier's inventory. Each attribute is a fact and a column of the CSV file.

    `state` is `live`, or a word for why the service is not. None in `specification` or `address_id`
    means that the inventory does not know it, so that no request can contradict it.
    `incident` names the network incident that the service is part of. `tenant` owns the service:
    for all others the CSV file has no such service; None is a service of all. `area` and `exchange`
    are where it is: a network incident may be declared over one of them.
    """

    service_id: str
    specification: str | None = None
    specification_name: str | None = None
    state: str = "live"
    address_id: str | None = None
    address_type: str | None = None
    incident: str | None = None
    appointment_needed: bool = False
    tenant: str | None = None
    area: str | None = None
    exchange: str | None = None


@dataclass(frozen=True, slots=True)
class ProblemFacts:
    """The problem that an amendment or a cancellation is about. Each attribute is a fact.

    `status`, `base` and `waiting` are words of the lifecycle; `awaits` is `information` or
    `appointment` while the problem waits for the tenant.
    """

    reference: str
    status: str
    base: str
    waiting: str | None = None
    awaits: str | None = None
    open: bool = True
    terminal: bool = False


@value_object
class Facts:
    """The facts of one decision. What is not given is UNKNOWN.

    `request` is the wire document, `now` business time, `service` None when the inventory does not
    have it, `open_problems` the gateway's ids of problems open on the same service, `incidents` the
    names of known network incidents that touch it.
    """

    request: Mapping[str, Any]
    tenant: str
    now: datetime
    service: Service | Unknown | None = UNKNOWN
    open_problems: Sequence[str] | Unknown = UNKNOWN
    incidents: Sequence[str] | Unknown = UNKNOWN
    problem: ProblemFacts | Unknown = UNKNOWN


class InventoryUnavailable(Exception):
    """The inventory cannot answer now."""


class Inventory(Protocol):
    """The port to the supplier's list of services."""

    def find(self, tenant: str, service_id: str) -> Service | None:
        """Return the service, or None when there is no such service for this tenant.

        May be slow: it is called outside transactions and under a time limit. Raises
        InventoryUnavailable.
        """


# The names of those fields of a group that are read; None for all.
FieldNames: TypeAlias = Collection[str] | None


@dataclass(frozen=True, slots=True)
class FactGroup:
    """A group of facts: its name, its kind or shape, and the operations that have it.

    `attribute` is where Facts holds it. `plain` turns that into plain values of the shape, without
    absent fields, and without those that are not read. `example` returns the attribute for what an
    example gives: {} where the example is silent, None for a null. What is read `in_transaction`,
    in which the decision is made, is known too late for rules in Python.
    """

    name: str
    fact: Fact
    attribute: str
    plain: Callable[[Any, FieldNames], Any]
    example: Callable[[Any], Any]
    operations: frozenset[Operation] = frozenset(Operation)
    in_transaction: bool = False


def _request_shape(operation: Operation) -> Shape:
    shape: dict[str, Fact] = {}
    for name, fact in shape_of_message(REQUESTS[operation]).items():
        shape[name] = fact
        if name == "characteristics":
            shape[BY_NAME] = FactKind.TEXT_BY_NAME
    return shape


def _plain_request(request: Mapping[str, Any], read: FieldNames) -> Mapping[str, Any]:
    named = request.get("characteristics")
    wanted = request if read is None else read
    plain = {name: request[name] for name in wanted if name in request}
    if named is not None and (read is None or BY_NAME in read):
        plain[BY_NAME] = {each["name"]: each["value"] for each in named}
    return plain


def _plain_service(service: Service | None, read: FieldNames) -> Mapping[str, Any]:
    if service is None:
        return {"known": False}
    plain = {"known": True, "id": service.service_id}
    others = [name for name in (_SERVICE_SHAPE if read is None else read) if name not in plain]
    return plain | _present(service, others)


def _plain_problem(problem: ProblemFacts, read: FieldNames) -> Mapping[str, Any]:
    return _present(problem, _PROBLEM if read is None else read)


def _present(source: Service | ProblemFacts, names: Iterable[str]) -> dict[str, Any]:
    pairs = ((name, getattr(source, name)) for name in names)
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in pairs
        if value is not None
    }


def _plain_text(text: str, _: FieldNames) -> str:
    return text


def _plain_texts(texts: Sequence[str], _: FieldNames) -> list[str]:
    return list(texts)


def _plain_clock(now: datetime, _: FieldNames) -> Mapping[str, Any]:
    return {"now": now}


def _example_service(given: Mapping[str, Any] | None) -> Service | None:
    if given is None or not given.get("known", True):
        return None
    more = {name: value for name, value in given.items() if name not in ("known", "id")}
    return Service(given.get("id", "SI0000000000000"), **more)


def _example_problem(given: Mapping[str, Any] | None) -> ProblemFacts:
    default = {"reference": "SP_EXAMPLE", "status": "IN_PROGRESS", "base": "IN_PROGRESS"}
    return ProblemFacts(**(default | dict(given or {})))


def _example_now(given: Mapping[str, Any] | None) -> datetime:
    now: datetime = (given or {}).get("now") or datetime(2026, 1, 5, 12, tzinfo=UTC)
    return now


_SERVICE = shape_of_class(Service)
_PROBLEM = shape_of_class(ProblemFacts)
_SERVICE_SHAPE: Shape = {
    "known": FactKind.FLAG,
    **{"id" if name == "service_id" else name: fact for name, fact in _SERVICE.items()},
}

FACT_GROUPS = (
    *(
        FactGroup(
            "request",
            _request_shape(operation),
            "request",
            _plain_request,
            example=lambda given: given or {},
            operations=frozenset({operation}),
        )
        for operation in Operation
    ),
    FactGroup(
        "tenant", FactKind.TEXT, "tenant", _plain_text, example=lambda given: given or "TENANT1"
    ),
    FactGroup("service", _SERVICE_SHAPE, "service", _plain_service, _example_service),
    FactGroup(
        "open_problems",
        FactKind.TEXTS,
        "open_problems",
        _plain_texts,
        example=lambda given: given or (),
        operations=frozenset({Operation.PROBLEM}),
        in_transaction=True,
    ),
    FactGroup(
        "incidents",
        FactKind.TEXTS,
        "incidents",
        _plain_texts,
        example=lambda given: given or (),
        in_transaction=True,
    ),
    FactGroup(
        "problem",
        _PROBLEM,
        "problem",
        _plain_problem,
        _example_problem,
        operations=frozenset({Operation.AMENDMENT, Operation.CANCELLATION}),
        in_transaction=True,
    ),
    FactGroup("clock", {"now": FactKind.INSTANT}, "now", _plain_clock, _example_now),
)

GROUPS: Mapping[Operation, Shape] = {
    operation: {each.name: each.fact for each in FACT_GROUPS if operation in each.operations}
    for operation in Operation
}
EXTERNAL_GROUPS = frozenset(each.name for each in FACT_GROUPS if not each.in_transaction)
_BY_GROUP = {each.name: each for each in FACT_GROUPS}


def values(facts: Facts, group: str, read: FieldNames = None) -> Any:
    """Return one group as plain values of its shape, without absent fields, or UNKNOWN.

    With `read` only these of its fields.
    """
    known = _BY_GROUP[group]
    found = getattr(facts, known.attribute)
    return UNKNOWN if found is UNKNOWN else known.plain(found, read)


Path: TypeAlias = tuple[str, ...]
_PERSONAL = PERSONAL_FIELDS | {BY_NAME}


def leaves(groups: Shape, prefix: Path = ()) -> Iterator[Path]:
    """Yield the path of every single fact, for hints and for tests."""
    for name, fact in groups.items():
        path = (*prefix, name)
        if isinstance(fact, Mapping):
            yield from leaves(fact, path)
        else:
            yield path


def resolve(groups: Shape, names: Iterable[str]) -> tuple[Path, Fact] | None:
    """Follow `names` from the groups as far as they are facts; the rest is a method.

    Returns the path and the fact at its end, or None when the first name is no group. A name after
    a TEXT_BY_NAME belongs to the path, as its key.
    """
    fact: Fact = groups
    path: Path = ()
    for name in names:
        if isinstance(fact, Mapping) and name in fact:
            fact = fact[name]
        elif fact is FactKind.TEXT_BY_NAME:
            fact = FactKind.TEXT
        else:
            break
        path += (name,)
    return (path, fact) if path else None


def at(values: Mapping[str, Any], path: Path) -> Any:
    """Return the value at `path`, or None when it or a part of the path is absent."""
    found: Any = values
    for name in path:
        found = found.get(name)
        if found is None:
            return None
    return found


def is_personal(path: Path) -> bool:
    """Return whether the path leads to personal data or free text of the request."""
    return len(path) > 1 and path[0] == "request" and path[1] in _PERSONAL


@dataclass(frozen=True, slots=True)
class Reading:
    """A path that a rule reads, and the name under which a trace shows its value."""

    name: str
    path: Path
    personal: bool

    def shown(self, values: Mapping[str, Any]) -> Any:
        """Return the JSON value for the trace: personal data is masked, None if absent."""
        found = at(values, self.path)
        if found is None:
            return None
        if self.personal:
            return PLACEHOLDER
        if self.path == ("request",):
            return masked({name: value for name, value in found.items() if name != BY_NAME})
        return _json(found)


def readings(paths: Iterable[Path]) -> tuple[Reading, ...]:
    """Return a reading of each distinct path, in order."""
    return tuple(Reading(".".join(path), path, is_personal(path)) for path in dict.fromkeys(paths))


def _json(value: Any) -> Any:
    if isinstance(value, datetime):
        return to_wire(value)
    if isinstance(value, dict):
        return {name: _json(each) for name, each in value.items()}
    return value


@dataclass(frozen=True, slots=True)
class Template:
    """A checked message: literal texts, each followed by the value of a path."""

    parts: tuple[tuple[str, Path | None], ...]

    @property
    def reads(self) -> tuple[Path, ...]:
        """The paths that the message names."""
        return tuple(path for _, path in self.parts if path)

    def render(self, values: Mapping[str, Any]) -> str:
        """Return the message, cut to the limit of the contract (1000 code points)."""
        pieces = (text + (_written(at(values, path)) if path else "") for text, path in self.parts)
        return "".join(pieces)[:MESSAGE_MAX]


def _written(value: Any) -> str:
    if value is None or value == []:
        return ABSENT
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return ", ".join(value)
    return to_wire(value) if isinstance(value, datetime) else str(value)
