"""The window in which messages were made, as people give it."""

from dataclasses import dataclass
from datetime import datetime

from supplier_api.clock import instant_given
from supplier_api.outbox.model import StoredMessage


class WrongWindow(ValueError):
    """A window was given wrongly: `field` is since or until, `expected` what it should be."""

    def __init__(self, field: str, expected: str) -> None:
        """Keep both."""
        super().__init__(f"{field}: {expected}")
        self.field = field
        self.expected = expected


@dataclass(frozen=True, slots=True)
class TimeWindow:
    """A range of machine time in which messages were created; None is an open end."""

    since: datetime | None = None
    until: datetime | None = None

    @classmethod
    def given(cls, since: str | None, until: str | None, now: datetime) -> "TimeWindow":
        """Read its ends as people write them: ages before `now`, or date-times.

        Raises WrongWindow.
        """
        window = cls(_end("since", since, now), _end("until", until, now))
        if window.since and window.until and window.since >= window.until:
            raise WrongWindow("until", "expected a time after since")
        return window

    def holds(self, stored: StoredMessage) -> bool:
        """Return whether a message was created in the window."""
        return (self.since is None or stored.created >= self.since) and (
            self.until is None or stored.created < self.until
        )


def _end(name: str, text: str | None, now: datetime) -> datetime | None:
    try:
        return instant_given(text, now) if text is not None else None
    except ValueError as error:
        raise WrongWindow(name, str(error)) from None
