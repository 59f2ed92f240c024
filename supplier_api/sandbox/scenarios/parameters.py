"""The parameters of scenarios: their types, limits and defaults."""

import re
from enum import StrEnum

from supplier_api.contract.codes import ProblemCode, ReasonCode, ResolutionCode
from supplier_api.contract.limits import STRING_MAX, TEXT_MAX
from supplier_api.sandbox.scenarios.model import ScenarioParameter, Value

DELAY_MAX = 7 * 86400
STEPS_MAX = 100
# What SERVICE_PROBLEM_SUCCESSFUL can tell on its way.
ALSO = (ReasonCode.UPDATE, ReasonCode.ADDITIONAL, ReasonCode.WARNING, ReasonCode.REAPPOINTED)
_SECONDS = re.compile(r"[0-9]{1,6}(\.[0-9]{1,3})?")
_STEPS = re.compile(r"[0-9]{1,3}")


def read_delay(text: str) -> float:
    """Read seconds; raises ValueError."""
    if not _SECONDS.fullmatch(text) or float(text) > DELAY_MAX:
        raise ValueError
    return float(text)


def read_problem_code(text: str) -> str:
    """Read a published problem code; raises ValueError."""
    return str(ProblemCode(text))


DELAY_TYPE = f"seconds, 0 to {DELAY_MAX}"
DELAY = ScenarioParameter(
    "delay",
    DELAY_TYPE,
    None,
    "Time to the first update and between any two. Default: X-Kci-Delay, else 30 if the scenario "
    "was chosen by X-Scenario, else the back office's own pace.",
    read_delay,
)
CODE_TYPE = "a problemCode"
CODE = ScenarioParameter(
    "problemCode",
    CODE_TYPE,
    ProblemCode.UNKNOWN_FAULT,
    "The code that goes with it. Default: X-Problem-Code, else UNKNOWN_FAULT.",
    read_problem_code,
)


def text(
    default: str, description: str = "The words that go with it.", *, most: int = TEXT_MAX
) -> ScenarioParameter:
    """Return the parameter for free text, of at most as many characters as it may have there."""
    return _words("text", default, description, most)


def note(default: str, description: str) -> ScenarioParameter:
    """Return the parameter for free text that is told as a note."""
    return text(default, description, most=STRING_MAX)


def _words(name: str, default: str, description: str, most: int) -> ScenarioParameter:
    def read(given: str) -> Value:
        if not 1 <= len(given) <= most:
            raise ValueError
        return given

    return ScenarioParameter(name, f"1 to {most} characters", default, description, read)


def steps(default: int, description: str) -> ScenarioParameter:
    """Return the parameter for how often something happens."""

    def read(given: str) -> Value:
        if not _STEPS.fullmatch(given) or not 1 <= int(given) <= STEPS_MAX:
            raise ValueError
        return int(given)

    return ScenarioParameter("steps", f"a number, 1 to {STEPS_MAX}", default, description, read)


def also() -> ScenarioParameter:
    """Return the parameter for updates on the way; an empty value means none."""

    def read(given: str) -> Value:
        return [_one_of(ReasonCode, each, ALSO) for each in given.split(",") if given]

    return ScenarioParameter(
        "also",
        f"any of {', '.join(ALSO)}, with commas between; may be empty",
        [str(ReasonCode.UPDATE)],
        "The updates between COMMITTED and RESOLVED, in this order.",
        read,
    )


RESOLUTION = (
    ScenarioParameter(
        "resolutionCode",
        "a resolutionCode",
        ResolutionCode.NETWORK_CABLING,
        "How the problem was resolved.",
        lambda given: str(ResolutionCode(given)),
    ),
    _words(
        "resolutionText",
        "A corroded joint in the street cabinet was replaced; the line is stable.",
        "The words of the resolution.",
        STRING_MAX,
    ),
)


def _one_of(codes: type[StrEnum], given: str, allowed: tuple[StrEnum, ...]) -> str:
    code = codes(given)
    if code not in allowed:
        raise ValueError
    return str(code)
