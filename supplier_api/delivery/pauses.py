"""Whether a pause applies to a message: pure functions of the pauses that were read."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from supplier_api.outbox.model import Message
from supplier_api.outbox.pauses import Cause, HeldUp, Pause


@dataclass(frozen=True, slots=True)
class ActivePauses:
    """The pauses that touch one destination, as they were last read."""

    pauses: tuple[Pause, ...] = ()

    @classmethod
    def of(cls, destination: str, pauses: Iterable[Pause]) -> "ActivePauses":
        """Choose the pauses that touch `destination`."""
        return cls(tuple(p for p in pauses if p.scope.destination in {None, destination}))

    def breaker(self) -> Pause | None:
        """Return the breaker's pause if it is open for the whole destination."""
        return next((p for p in self.pauses if p.cause is Cause.BREAKER and is_whole(p)), None)

    def stopped(self, now: datetime) -> Pause | None:
        """Return the pause of the whole destination, other than the breaker's."""
        return next(
            (p for p in self._in_force(now) if is_whole(p) and p.cause is not Cause.BREAKER), None
        )

    def failure_pause(self, message: Message, now: datetime) -> Pause | None:
        """Return the pause which says that the destination cannot take such a message now."""
        return next(
            (
                pause
                for pause in self._in_force(now)
                if pause.cause is not Cause.OPERATOR and _covers(pause, message)
            ),
            None,
        )

    def held(self, now: datetime) -> HeldUp:
        """Return what is paused of the destination while the rest goes on."""
        parts = [pause.scope for pause in self._in_force(now) if not is_whole(pause)]
        return HeldUp(
            tenants=frozenset(p.tenant for p in parts if p.tenant and p.problem_id is None),
            problems=frozenset(p.problem_id for p in parts if p.problem_id is not None),
        )

    def covers(self, message: Message, now: datetime, *, but: int | None = None) -> bool:
        """Return whether a message is paused, leaving the pause with id `but` out of account."""
        return any(pause.id != but and _covers(pause, message) for pause in self._in_force(now))

    def _in_force(self, now: datetime) -> list[Pause]:
        return [pause for pause in self.pauses if pause.until is None or pause.until > now]


def time_within(
    spans: Iterable[tuple[datetime, datetime | None]], begin: datetime, end: datetime
) -> timedelta:
    """Return how much of the time from `begin` to `end` the spans cover together.

    Spans may overlap; one without an end is still open.
    """
    total, reached = timedelta(), begin
    for since, until in sorted(spans, key=lambda span: span[0]):
        first, last = max(since, reached), min(until or end, end)
        if last > first:
            total += last - first
            reached = last
    return total


def is_whole(pause: Pause) -> bool:
    """Return whether a pause covers everything that goes to its destination."""
    return pause.scope.tenant is None and pause.scope.problem_id is None


def _covers(pause: Pause, message: Message) -> bool:
    if pause.scope.problem_id is not None:
        return pause.scope.problem_id == message.problem_id
    return pause.scope.tenant in {None, message.tenant}
