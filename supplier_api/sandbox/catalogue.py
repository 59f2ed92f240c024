"""What testers choose from: entries with parameters, how choices are read, how they are listed.

There are two such catalogues, each a list of entries: scenarios, which are outcomes, and kinds of
faults, which are what goes wrong on purpose.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

# A JSON value that a parameter can have.
ParameterValue = str | float | int | list[str]


class WrongChoice(Exception):
    """There is no such choice. `messages` say what there is."""

    def __init__(self, messages: list[str]) -> None:
        """Keep at least one message, each with where the choice was."""
        self.messages = messages
        super().__init__("; ".join(messages))


@dataclass(frozen=True, slots=True)
class Parameter:
    """Something about an entry that a tester may set.

    `type` says in words what `read` takes; it raises ValueError for anything else. A default of
    None is explained in the description.
    """

    name: str
    type: str
    default: ParameterValue | None
    description: str
    read: Callable[[Any], ParameterValue]

    def listed(self) -> dict[str, Any]:
        """Return it in JSON values."""
        default = {} if self.default is None else {"default": self.default}
        return {"name": self.name, "type": self.type, "description": self.description, **default}


@dataclass(frozen=True, slots=True)
class CatalogueEntry:
    """What can be chosen by its name, with what it does in words."""

    name: str
    description: str
    parameters: tuple[Parameter, ...] = ()

    def value(self, values: Mapping[str, ParameterValue], name: str) -> Any:
        """Return a parameter's value where these were chosen, or its default."""
        if name in values:
            return values[name]
        return next(each.default for each in self.parameters if each.name == name)

    def read(
        self, given: Iterable[tuple[str, Any]], place: str, unknown: Callable[[str], str]
    ) -> dict[str, ParameterValue]:
        """Return the values of the parameters that are given; raises WrongChoice.

        A message about a parameter begins with `place` and its name, one about a name that no
        parameter has with `unknown` of it.
        """
        known = {parameter.name: parameter for parameter in self.parameters}
        values: dict[str, ParameterValue] = {}
        wrong: list[str] = []
        for name, value in given:
            if name not in known:
                wrong.append(f"{unknown(name)}; expected {one_of(known)}")
            elif name in values:
                wrong.append(f"{place}{name}: given twice")
            else:
                try:
                    values[name] = known[name].read(value)
                except ValueError:
                    wrong.append(f"{place}{name}: expected {known[name].type}")
        if wrong:
            raise WrongChoice(list(dict.fromkeys(wrong)))
        return values


E = TypeVar("E", bound=CatalogueEntry)


def find(entries: Mapping[str, E], name: str, unknown: str) -> E:
    """Return the entry of that name; else raises WrongChoice, which begins with `unknown`."""
    if name not in entries:
        raise WrongChoice([f"{unknown}; expected {one_of(entries)}"])
    return entries[name]


def one_of(names: Iterable[str]) -> str:
    """Return in words that one of these names is expected."""
    listed = ", ".join(names)
    return f"one of {listed}" if listed else "none"
