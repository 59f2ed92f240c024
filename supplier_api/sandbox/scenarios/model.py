"""What a scenario is, one that was chosen, and what can be set about it."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from supplier_api.contract.codes import ProblemCode, ReasonCode, ResolutionCode
from supplier_api.contract.limits import STRING_MAX, TEXT_MAX
from supplier_api.problems.lifecycle import (
    BACK_OFFICE_MOVES,
    Event,
    always_carried,
    legal_events,
    plan,
)
from supplier_api.problems.model import Awaits, Base, State, Waiting
from supplier_api.rules.model import Operation, Outcome
from supplier_api.sandbox.catalogue import CatalogueEntry, Parameter, ParameterValue

# What the back office says, and the fields of its event.
Step = tuple[Event, Mapping[str, Any]]
DELAY_MAX = 7 * 86400
STEPS_MAX = 100
# What has to happen before any other work can, by where the problem stands.
OPENING: dict[str, tuple[Event, ...]] = {
    Base.UNDECIDED: (Event.ACCEPT,),
    Base.ACKNOWLEDGED: (),
    Base.IN_PROGRESS: (),
    Waiting.NETWORK_INCIDENT: (Event.RESUME,),
}
_SECONDS = re.compile(r"[0-9]{1,6}(\.[0-9]{1,3})?")
_STEPS = re.compile(r"[0-9]{1,3}")


def _also() -> dict[ReasonCode, Event]:
    """Return the back office's events that leave a problem in work as it is, by their reason."""
    working = State(Base.IN_PROGRESS)
    events = [move.event for move in BACK_OFFICE_MOVES if move.event in legal_events(working)]
    steps = [step for event in events for step in plan(working, event) if step.state == working]
    found = {step.kci: step.event for step in steps}
    return {reason: found[reason] for reason in ReasonCode if reason in found}


# The updates that SERVICE_PROBLEM_SUCCESSFUL can make on its way, as events.
ALSO: Mapping[ReasonCode, Event] = _also()


class PlanPhase(Enum):
    """A part of a plan whose events depend on where the problem stands, or on what is asked for."""

    OPEN = "what has to happen before any other work can"
    BEGIN = "that, and the start of work where it has not begun"
    UPDATES = "the updates of `also`, as often as `steps` says"


# A tuple happens as often as the parameter `steps` says.
PlanPart = Event | PlanPhase | tuple[Event, ...]
Plan = tuple[PlanPart, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario(CatalogueEntry):
    """An outcome that a tester can choose by its name.

    `plan` is what the back office does after the answer. One that puts a question to the tenant
    names it, and goes `onward` when it is answered. With `incident` the problem is part of a
    network incident from the start.
    """

    kind: Operation
    answer: Outcome
    plan: Plan = ()
    question: Awaits | None = None
    onward: Plan = ()
    incident: str | None = None


@dataclass(frozen=True, slots=True)
class Play:
    """A scenario with the parameters that were given.

    Not `named`: nobody asked for this scenario, only for its pace; what is answered stays as the
    rule book says.
    """

    scenario: Scenario
    values: Mapping[str, ParameterValue] = field(default_factory=dict)
    named: bool = True

    def get(self, name: str) -> Any:
        """Return a parameter's value, or its default."""
        return self.scenario.value(self.values, name)

    @property
    def delay(self) -> float | None:
        """Seconds between the steps; None for the back office's own pace."""
        seconds = self.values.get("delay")
        return seconds if isinstance(seconds, int | float) else None

    def plain(self) -> dict[str, Any]:
        """Return what is stored of it, in JSON values; catalogue.recall reads it back."""
        return {"name": self.scenario.name, "values": dict(self.values)}


def read_delay(given: str) -> float:
    """Read seconds; raises ValueError."""
    if not _SECONDS.fullmatch(given) or float(given) > DELAY_MAX:
        raise ValueError
    return float(given)


def read_problem_code(given: str) -> str:
    """Read a published problem code; raises ValueError."""
    return str(ProblemCode(given))


def text(name: str, default: str, description: str, *, most: int) -> Parameter:
    """Return a parameter for free text, of at most as many characters as it may have there."""

    def read(given: str) -> ParameterValue:
        if not 1 <= len(given) <= most:
            raise ValueError
        return given

    return Parameter(name, f"1 to {most} characters", default, description, read)


def note(default: str, description: str) -> Parameter:
    """Return the parameter for free text that becomes a note."""
    return text("text", default, description, most=STRING_MAX)


def reason(default: str) -> tuple[Parameter, ...]:
    """Return the parameters for why something happens: a code, and by default these words."""
    return (CODE, text("text", default, "The words that go with it.", most=TEXT_MAX))


def steps(default: int, description: str) -> Parameter:
    """Return the parameter for how often something happens."""

    def read(given: str) -> ParameterValue:
        if not _STEPS.fullmatch(given) or not 1 <= int(given) <= STEPS_MAX:
            raise ValueError
        return int(given)

    return Parameter("steps", f"a number, 1 to {STEPS_MAX}", default, description, read)


def _read_also(given: str) -> ParameterValue:
    codes = [ReasonCode(each) for each in given.split(",") if each]
    if not set(codes) <= set(ALSO):
        raise ValueError
    return [str(code) for code in codes]


DELAY_TYPE = f"seconds, 0 to {DELAY_MAX}"
DELAY = Parameter(
    "delay",
    DELAY_TYPE,
    None,
    "Time to the first update and between any two. Default: X-Kci-Delay, else 30 if the scenario "
    "was chosen by X-Scenario, else the back office's own pace.",
    read_delay,
)
CODE = Parameter(
    "problemCode",
    "a problemCode",
    ProblemCode.UNKNOWN_FAULT,
    "The code that goes with it. Default: X-Problem-Code, else UNKNOWN_FAULT.",
    read_problem_code,
)
UPDATES = Parameter(
    "also",
    f"any of {', '.join(ALSO)}, with commas between; may be empty",
    [str(ReasonCode.UPDATE)],
    "The updates between COMMITTED and RESOLVED, in this order.",
    _read_also,
)
RESOLUTION = (
    Parameter(
        "resolutionCode",
        "a resolutionCode",
        ResolutionCode.NETWORK_CABLING,
        "How the problem was resolved.",
        lambda given: str(ResolutionCode(given)),
    ),
    text(
        "resolutionText",
        "A corroded joint in the street cabinet was replaced; the line is stable.",
        "The words of the resolution.",
        most=STRING_MAX,
    ),
)


def steps_of(play: Play, plan: Plan, standing: str) -> tuple[Step, ...]:
    """Return the steps of a plan for a problem in the state `standing`, a word of the lifecycle."""
    return tuple(_step(play, event) for part in plan for event in _events(play, part, standing))


def _events(play: Play, part: PlanPart, standing: str) -> Iterator[Event]:
    match part:
        case Event():
            yield part
        case PlanPhase.OPEN:
            yield from OPENING[standing]
        case PlanPhase.BEGIN:
            yield from OPENING[standing]
            if standing != Base.IN_PROGRESS:
                yield Event.START
        case PlanPhase.UPDATES:
            yield from [ALSO[reason] for reason in play.get("also")] * play.get("steps")
        case _:
            yield from part * play.get("steps")


def _step(play: Play, event: Event) -> Step:
    """Return an event with what it says."""
    details: dict[str, Any] = {}
    carries = always_carried(event)
    if "problemCode" in carries:
        details = {"problem_code": ProblemCode(play.get("problemCode")), "text": play.get("text")}
    elif "text" in carries:
        details = {"text": play.get("text")}
    elif event is Event.UPDATE:
        # Without a text of its own a note is sent as an UPDATE.
        return (Event.NOTE, {"note": {"note": play.get("text")}})
    elif event is Event.RESOLVE:
        resolution = {
            "resolutionCode": play.get("resolutionCode"),
            "resolutionText": play.get("resolutionText"),
            "supplierCodes": ["R9"],
            "faultCode": ["CORRODED_JOINT"],
        }
        details = {"resolution": resolution}
    return (event, details)
