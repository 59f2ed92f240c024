"""What the back office does in each scenario, as steps without times.

`standing` is where the problem stands when the work order comes, in a word of the lifecycle.
"""

from typing import Any

from supplier_api.contract.codes import ProblemCode, ReasonCode
from supplier_api.problems.lifecycle import Event
from supplier_api.problems.model import Base, Waiting
from supplier_api.sandbox.scenarios.model import Play, Step

Steps = tuple[Step, ...]
# What has to happen before any other work can.
OPENING: dict[str, Steps] = {
    Base.UNDECIDED: ((Event.ACCEPT, {}),),
    Base.ACKNOWLEDGED: (),
    Base.IN_PROGRESS: (),
    Waiting.NETWORK_INCIDENT: ((Event.RESUME, {}),),
}
START: Step = (Event.START, {})


def nothing(_play: Play, _standing: str) -> Steps:
    """Leave the problem as it was answered."""
    return ()


def succeed(play: Play, standing: str) -> Steps:
    """Begin, tell what else is asked for, resolve."""
    told = tuple(_told(play, reason) for reason in play.get("also"))
    return (*_begun(standing), *(told * int(play.get("steps"))), _resolved(play))


def resolve(play: Play, standing: str) -> Steps:
    """Begin and resolve."""
    return (*_begun(standing), _resolved(play))


def complete(play: Play, standing: str) -> Steps:
    """Begin, resolve, and close without waiting for the tenant."""
    return (*resolve(play, standing), (Event.COMPLETE, {}))


def reject(play: Play, _standing: str) -> Steps:
    """Refuse what was left open."""
    return ((Event.REJECT, _why(play)),)


def delay(play: Play, standing: str) -> Steps:
    """Begin, be held up and go on, resolve."""
    held: Steps = ((Event.HOLD, _why(play)), (Event.RESUME, {}))
    return (*_begun(standing), *(held * int(play.get("steps"))), _resolved(play))


def ask(play: Play, standing: str) -> Steps:
    """Ask the tenant for information before the work begins."""
    question: Steps = ((Event.ASK_INFORMATION, _why(play)),)
    return (*OPENING[standing], *(question * int(play.get("steps"))))


def ask_then(play: Play) -> Steps:
    """Begin when the information is there, and resolve."""
    return (START, _resolved(play))


def reappoint(play: Play, standing: str) -> Steps:
    """Begin, and ask the tenant for another appointment."""
    question: Steps = ((Event.ASK_APPOINTMENT, _why(play)),)
    return (*_begun(standing), *(question * int(play.get("steps"))))


def reappoint_then(play: Play) -> Steps:
    """Resolve at the new appointment."""
    return (_resolved(play),)


def cancel(play: Play, standing: str) -> Steps:
    """Begin, and give it up."""
    return (*_begun(standing), (Event.CANCEL, _why(play)))


def never_resolve(play: Play, standing: str) -> Steps:
    """Begin, and tell that work goes on."""
    told: Steps = (_told(play, ReasonCode.UPDATE),)
    return (*_begun(standing), *(told * int(play.get("steps"))))


def accept_change(_play: Play, _standing: str) -> Steps:
    """Agree to what was left open."""
    return ((Event.ACCEPT_CHANGE, {}),)


def reject_change(play: Play, _standing: str) -> Steps:
    """Refuse what was left open."""
    return ((Event.REJECT_CHANGE, _why(play)),)


def _begun(standing: str) -> Steps:
    begun = standing == Base.IN_PROGRESS
    return OPENING[standing] if begun else (*OPENING[standing], START)


def _told(play: Play, reason: str) -> Step:
    if reason == ReasonCode.ADDITIONAL:
        return (Event.NOTE, {"text": play.get("text")})
    if reason == ReasonCode.WARNING:
        return (Event.WARN, _why(play))
    if reason == ReasonCode.REAPPOINTED:
        return (Event.REAPPOINTED, {})
    # Without a text of its own a note is told as an UPDATE.
    return (Event.NOTE, {"note": {"note": play.get("text")}})


def _why(play: Play) -> dict[str, Any]:
    return {"problem_code": ProblemCode(play.get("problemCode")), "text": play.get("text")}


def _resolved(play: Play) -> Step:
    resolution = {
        "resolutionCode": play.get("resolutionCode"),
        "resolutionText": play.get("resolutionText"),
        "supplierCodes": ["R9"],
        "faultCode": ["CORRODED_JOINT"],
    }
    return (Event.RESOLVE, {"resolution": resolution})
