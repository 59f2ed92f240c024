"""What a scenario is, and one that was chosen."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from supplier_api.problems.lifecycle import Event
from supplier_api.problems.model import Awaits

# A JSON value that a parameter can have.
Value = str | float | list[str]
# What the back office says, and the fields of its event.
Step = tuple[Event, Mapping[str, Any]]


class ScenarioKind(StrEnum):
    """What a scenario is about, in the words of the rule book's operations."""

    PROBLEM = "problem"
    AMENDMENT = "amendment"
    CANCELLATION = "cancellation"


class ScenarioAnswer(StrEnum):
    """What the gateway is answered at once, in the words of the rule book's outcomes."""

    REJECT = "reject"
    DEFER = "defer"
    ACKNOWLEDGE = "acknowledge"
    COMMIT = "commit"


@dataclass(frozen=True, slots=True)
class ScenarioParameter:
    """Something about a scenario that a tester may set.

    `type` says in words what `read` takes; it raises ValueError for anything else. A default of
    None is explained in the description.
    """

    name: str
    type: str
    default: Value | None
    description: str
    read: Callable[[str], Value]


@dataclass(frozen=True, slots=True)
class Scenario:
    """An outcome that a tester can choose by its name.

    `steps` is what the back office does after the answer, told where the problem then stands. One
    that puts a question to the tenant names it, and goes `onward` when it is answered. With
    `incident` the problem is part of a network incident from the start.
    """

    name: str
    kind: ScenarioKind
    description: str
    answer: ScenarioAnswer
    steps: Callable[["Play", str], tuple[Step, ...]]
    parameters: tuple[ScenarioParameter, ...] = ()
    question: Awaits | None = None
    onward: Callable[["Play"], tuple[Step, ...]] | None = None
    incident: str | None = None


@dataclass(frozen=True, slots=True)
class Play:
    """A scenario with the parameters that were given.

    Not `named`: nobody asked for this scenario, only for its pace; what is answered stays as the
    rule book says.
    """

    scenario: Scenario
    values: Mapping[str, Value] = field(default_factory=dict)
    named: bool = True

    def get(self, name: str) -> Any:
        """Return a parameter's value, or its default."""
        if name in self.values:
            return self.values[name]
        return next(each.default for each in self.scenario.parameters if each.name == name)

    @property
    def delay(self) -> float | None:
        """Seconds between the steps; None for the back office's own pace."""
        seconds = self.values.get("delay")
        return seconds if isinstance(seconds, int | float) else None

    def plain(self) -> dict[str, Any]:
        """Return what is stored of it, in JSON values; catalogue.recall reads it back."""
        return {"name": self.scenario.name, "values": dict(self.values)}
