"""The settings of what must not be forgotten: decisions that people owe, problems gone silent."""

from typing import Literal

from pydantic import ValidationInfo, field_validator

from supplier_api.settings.section import Hours, OneLine, SectionSettings


class DecisionDeadlineSettings(SectionSettings):
    """By when people must have decided on a request that was answered 202.

    `hours` of business time count from the request; without them there is no deadline. The back
    office is reminded `remind_hours` before it. `fallback` is what is decided when it passes; a
    rejection carries `problem_code` and `text`. Without it people are reminded once more.
    """

    hours: Hours | None = None
    remind_hours: Hours | None = None
    problem_code: OneLine | None = None
    text: OneLine | None = None
    fallback: Literal["accept", "reject"] | None = None

    @field_validator("remind_hours")
    @classmethod
    def _before_the_deadline(cls, given: float | None, info: ValidationInfo) -> float | None:
        hours = info.data.get("hours")
        if given is not None and (hours is None or given >= hours):
            raise ValueError("should be less than hours, the time until the deadline")
        return given

    @field_validator("fallback")
    @classmethod
    def _is_whole(cls, given: str | None, info: ValidationInfo) -> str | None:
        if given is not None and info.data.get("hours") is None:
            raise ValueError("needs hours, the time until the deadline")
        if given == "reject" and not (info.data.get("problem_code") and info.data.get("text")):
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
