"""The settings of what must not be forgotten: decisions that people owe, problems gone silent."""

from math import inf
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from supplier_api.settings.section import Hours, SectionSettings, one_line

# The tenant reads code and text: they are those of the contract, which settings may not import.
ProblemCodeName = Literal[
    "ACCESS_ISSUE",
    "ACTIVATION_FAILED",
    "ADDITIONAL_WORK",
    "APPOINTMENT_NOT_REQUIRED",
    "CAPACITY_ISSUE",
    "COST_ISSUE",
    "CUSTOMER_CHANGED_MIND",
    "FAULT_AT_NODE",
    "FAULT_AT_ONT",
    "FAULT_AT_POP",
    "INFORMATION_REQUIRED",
    "INSTALL_FAILED",
    "INVALID_REQUEST",
    "LINKED_ORDER_ISSUE",
    "NETWORK_ISSUE",
    "NETWORK_UNAVAILABLE",
    "NOT_IMPLEMENTED",
    "NO_LONGER_REQUIRED",
    "OTHER",
    "PARTIAL_INSTALL",
    "PLANNING_ISSUE",
    "PROPERTY_UNOCCUPIED",
    "REJECTION",
    "ROUTER_NOT_AVAILABLE",
    "SITE_UNSAFE",
    "SURVEY_REQUIRED",
    "TELECARE_ISSUE",
    "TIMED_OUT",
    "UNABLE_TO_ATTEND",
    "UNKNOWN_FAULT",
    "WAYLEAVE_ISSUE",
]
DeadlineText = Annotated[str, Field(min_length=1, max_length=1000), AfterValidator(one_line)]


class DecisionDeadlineSettings(SectionSettings):
    """By when people must have decided on a request that was answered 202.

    `hours` of business time count from the request; without them there is no deadline. The back
    office is reminded `remind_hours` before it. `fallback` is what is decided when it passes; a
    rejection carries `problem_code` and `text`. Without it people are reminded once more.
    """

    hours: Hours | None = None
    remind_hours: Hours | None = None
    problem_code: ProblemCodeName | None = None
    text: DeadlineText | None = None
    fallback: Literal["accept", "reject"] | None = None

    @field_validator("remind_hours")
    @classmethod
    def _before_the_deadline(cls, given: float | None, info: ValidationInfo) -> float | None:
        hours = info.data.get("hours", inf)
        if given is not None and (hours is None or given >= hours):
            raise ValueError("should be less than hours, the time until the deadline")
        return given

    @field_validator("fallback")
    @classmethod
    def _is_whole(cls, given: str | None, info: ValidationInfo) -> str | None:
        # A value that is wrong is not in `data`: it is reported by itself.
        lacking = {name for name, value in info.data.items() if value is None}
        if given is not None and "hours" in lacking:
            raise ValueError("needs hours, the time until the deadline")
        if given == "reject" and lacking & {"problem_code", "text"}:
            raise ValueError("needs problem_code and text: a rejection must carry both")
        return given


class DecisionDeadlinesSettings(SectionSettings):
    """The deadline of each operation that may be answered 202."""

    problem: DecisionDeadlineSettings = DecisionDeadlineSettings()
    amendment: DecisionDeadlineSettings = DecisionDeadlineSettings()
    cancellation: DecisionDeadlineSettings = DecisionDeadlineSettings()


class SilentHours(SectionSettings):
    """For how many hours nothing may happen to an open problem, by its state."""

    acknowledged: Hours
    in_progress: Hours
    pending: Hours
    held: Hours
    network_incident: Hours
