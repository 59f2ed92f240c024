"""What the back office does in each scenario: its plan as steps without times."""

from collections.abc import Iterator
from typing import Any

from supplier_api.contract.codes import ProblemCode
from supplier_api.problems.lifecycle import Event, always_carried
from supplier_api.problems.model import Base, Waiting
from supplier_api.sandbox.scenarios.model import ALSO, Move, Part, Plan, Play, Step

# What has to happen before any other work can, by where the problem stands.
OPENING: dict[str, tuple[Event, ...]] = {
    Base.UNDECIDED: (Event.ACCEPT,),
    Base.ACKNOWLEDGED: (),
    Base.IN_PROGRESS: (),
    Waiting.NETWORK_INCIDENT: (Event.RESUME,),
}


def steps_of(play: Play, plan: Plan, standing: str) -> tuple[Step, ...]:
    """Return the steps of a plan, for a problem that stands there, in a word of the lifecycle."""
    return tuple(_step(play, event) for part in plan for event in _events(play, part, standing))


def _events(play: Play, part: Part, standing: str) -> Iterator[Event]:
    match part:
        case Event():
            yield part
        case Move.OPEN:
            yield from OPENING[standing]
        case Move.BEGIN:
            yield from OPENING[standing]
            if standing != Base.IN_PROGRESS:
                yield Event.START
        case Move.UPDATES:
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
