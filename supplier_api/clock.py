"""The two clocks, and the form of an instant on the wire.

*Business time* is what customers and contracts see: dates on the wire, timers, rule dates. A
sandbox can move it for each tenant. *Machine time* is for leases, waits, tokens and budgets; it is
never moved. Both are injected, so that tests and the sandbox can control them.
"""

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Protocol

_AGES = {"m": "minutes", "h": "hours", "d": "days"}


class MachineClock(Protocol):
    """Real time, for leases, waits, ages, tokens and budgets."""

    def now(self) -> datetime:
        """Return the current instant, aware, in UTC."""

    def monotonic(self) -> float:
        """Return seconds on a scale that never goes back; only differences mean anything."""


@dataclass(frozen=True, slots=True)
class Scale:
    """How business time follows machine time: `ahead` of it, or stopped at `stands_at`."""

    ahead: timedelta = timedelta()
    stands_at: datetime | None = None

    def at(self, machine: datetime) -> datetime:
        """Return the business time at an instant of machine time."""
        return self.stands_at or machine + self.ahead

    def reaches(self, business: datetime) -> datetime | None:
        """Return the machine time of an instant of business time; None if the clock stands."""
        return None if self.stands_at else business - self.ahead


class BusinessClock(Protocol):
    """The time that customers see, for each tenant."""

    def now(self, tenant: str) -> datetime:
        """Return the current instant for `tenant`, aware, in UTC."""

    def scales(self) -> Mapping[str, Scale]:
        """Return the scale of each tenant that has its own; "" stands for all others."""


class SystemMachineClock:
    """The clock of the host."""

    def now(self) -> datetime:
        """Return the host's UTC time."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return the host's monotonic seconds."""
        return time.monotonic()


@dataclass(frozen=True, slots=True)
class SystemBusinessClock:
    """Business time equal to machine time, as in production."""

    machine: MachineClock

    def now(self, tenant: str) -> datetime:  # noqa: ARG002 - one time for every tenant
        """Return machine time."""
        return self.machine.now()

    def scales(self) -> Mapping[str, Scale]:
        """Return an empty mapping: every tenant's time is machine time."""
        return {}


@dataclass(slots=True)
class ManualMachineClock:
    """Machine time that moves only by `advance`."""

    instant: datetime = datetime(2026, 1, 5, 12, tzinfo=UTC)
    seconds: float = 1000.0

    def now(self) -> datetime:
        """Return the instant that the clock was set to."""
        return self.instant

    def monotonic(self) -> float:
        """Return the seconds that the clock was set to."""
        return self.seconds

    def advance(self, seconds: float) -> None:
        """Move both scales forward by `seconds`."""
        self.instant += timedelta(seconds=seconds)
        self.seconds += seconds


@dataclass(slots=True)
class ManualBusinessClock:
    """Business time as an offset to machine time, per tenant, moved by hand."""

    machine: MachineClock
    moved: dict[str, timedelta] = field(default_factory=dict)

    def now(self, tenant: str) -> datetime:
        """Return machine time plus what was added for `tenant`, or else for all."""
        ahead = self.moved.get(tenant, self.moved.get("", timedelta()))
        return self.machine.now() + ahead

    def scales(self) -> Mapping[str, Scale]:
        """Return what was added, by tenant."""
        return {tenant: Scale(ahead) for tenant, ahead in self.moved.items()}

    def advance(self, seconds: float, tenant: str = "") -> None:
        """Move business time forward by `seconds`, for `tenant` or for all others."""
        ahead = self.moved.get(tenant, self.moved.get("", timedelta()))
        self.moved[tenant] = ahead + timedelta(seconds=seconds)


def latest(now: datetime, *others: datetime | None) -> datetime:
    """Return the latest of the instants that there are."""
    return max([now, *(other for other in others if other is not None)])


def to_wire(instant: datetime) -> str:
    """Write an aware instant as RFC 3339 in UTC, as in `2026-01-05T12:00:00.000Z`."""
    return instant.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def from_wire(text: str) -> datetime:
    """Read an RFC 3339 instant with any offset into aware UTC.

    Raises ValueError when the text is no date-time or names no offset.
    """
    instant = datetime.fromisoformat(text)
    if instant.tzinfo is None:
        raise ValueError("a date-time needs an offset, as in 2026-01-05T12:00:00.000Z")
    return instant.astimezone(UTC)


def age_given(text: str) -> timedelta | None:
    """Return the span that people write as 30m, 12h or 3d; None for any other text."""
    matched = re.fullmatch(r"([0-9]{1,5})([mhd])", text)
    return timedelta(**{_AGES[matched[2]]: int(matched[1])}) if matched else None


def instant_given(text: str, now: datetime) -> datetime:
    """Return the instant that people write as an age before `now` or as a date-time.

    Raises ValueError, with what is expected.
    """
    try:
        ago = age_given(text)
        return from_wire(text) if ago is None else now - ago
    except (ValueError, OverflowError):
        expected = "expected an age, as in 12h, or a date-time, as in 2026-01-05T12:00:00Z"
        raise ValueError(expected) from None
