"""What holds messages up: pure functions of the standstills that were read."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from supplier_api.outbox.model import Message
from supplier_api.outbox.pauses import Cause, HeldUp, Pause


@dataclass(frozen=True, slots=True)
class Standstills:
    """What holds up one destination, as it was last read: the standstills that touch it."""

    pauses: tuple[Pause, ...] = ()

    @classmethod
    def of(cls, destination: str, pauses: Iterable[Pause]) -> "Standstills":
        """Choose those that touch `destination`."""
        return cls(tuple(p for p in pauses if p.scope.destination in {None, destination}))

    def breaker(self) -> Pause | None:
        """Return the breaker if it is open for the whole destination."""
        return next((p for p in self.pauses if p.cause is Cause.BREAKER and is_whole(p)), None)

    def stopped(self, now: datetime) -> Pause | None:
        """Return what holds up the whole destination, but for the breaker."""
        return next(
            (p for p in self._in_force(now) if is_whole(p) and p.cause is not Cause.BREAKER), None
        )

    def unwell(self, message: Message, now: datetime) -> Pause | None:
        """Return what says that the destination itself cannot take such a message now."""
        return next(
            (
                pause
                for pause in self._in_force(now)
                if pause.cause is not Cause.OPERATOR and _covers(pause, message)
            ),
            None,
        )

    def held(self, now: datetime) -> HeldUp:
        """Return what is held up of it while the rest goes on."""
        parts = [pause.scope for pause in self._in_force(now) if not is_whole(pause)]
        return HeldUp(
            tenants=frozenset(p.tenant for p in parts if p.tenant and p.problem_id is None),
            problems=frozenset(p.problem_id for p in parts if p.problem_id is not None),
        )

    def covers(self, message: Message, now: datetime, *, but: int | None = None) -> bool:
        """Tell whether a message is held up, leaving the standstill `but` out of account."""
        return any(pause.id != but and _covers(pause, message) for pause in self._in_force(now))

    def _in_force(self, now: datetime) -> list[Pause]:
        return [pause for pause in self.pauses if pause.until is None or pause.until > now]


def time_within(
    spans: Iterable[tuple[datetime, datetime | None]], begin: datetime, end: datetime
) -> timedelta:
    """Return how much of the time from `begin` to `end` the spans cover together.

    They may overlap; one without an end lasts on.
    """
    total, reached = timedelta(), begin
    for since, until in sorted(spans, key=lambda span: span[0]):
        first, last = max(since, reached), min(until or end, end)
        if last > first:
            total += last - first
            reached = last
    return total


def is_whole(pause: Pause) -> bool:
    """Tell whether a standstill is one of everything that goes to its destination."""
    return pause.scope.tenant is None and pause.scope.problem_id is None


def _covers(pause: Pause, message: Message) -> bool:
    if pause.scope.problem_id is not None:
        return pause.scope.problem_id == message.problem_id
    return pause.scope.tenant in {None, message.tenant}
