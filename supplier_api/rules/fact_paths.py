"""Paths into the facts: their types and values, and what a trace may show of them."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

from supplier_api.clock import to_wire
from supplier_api.contract.personal import PERSONAL_FIELDS, PLACEHOLDER, masked
from supplier_api.rules.fact_kinds import Fact, FactKind, Shape
from supplier_api.rules.facts import BY_NAME

Path: TypeAlias = tuple[str, ...]

_SIMPLE = frozenset({str, int, bool})
_PERSONAL = PERSONAL_FIELDS | {BY_NAME}


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
        if type(found) in _SIMPLE:
            return found
        if self.path == ("request",):
            return masked({name: value for name, value in found.items() if name != BY_NAME})
        return _plain(found)


def readings(paths: Iterable[Path]) -> tuple[Reading, ...]:
    """Return a reading of each distinct path, in order."""
    return tuple(Reading(spelled(path), path, is_personal(path)) for path in dict.fromkeys(paths))


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return to_wire(value)
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    return value


def spelled(path: Path) -> str:
    """Return the path as written in a rule."""
    return ".".join(path)


def leaves(groups: Shape, prefix: Path = ()) -> Iterator[Path]:
    """Yield the path of every single fact, for hints and for tests."""
    for name, fact in groups.items():
        path = (*prefix, name)
        if isinstance(fact, Mapping):
            yield from leaves(fact, path)
        else:
            yield path
