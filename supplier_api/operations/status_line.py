"""A line of the status report, and what lines are made of: one snapshot of the database."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from supplier_api.clock import to_wire
from supplier_api.db.compiled_statements import CompiledStatement, UnitOfWork
from supplier_api.operations.processes import Process, alive
from supplier_api.problems.services import BACK_OFFICE, GATEWAY, LifecyclePolicy
from supplier_api.settings import Settings

WHAT = {GATEWAY: "KCIs", BACK_OFFICE: "work orders"}
COMMANDS = {GATEWAY: "supplier-api kci", BACK_OFFICE: "supplier-api work-order"}
SHOWN = 3  # pauses, and rules, named in a text


class StatusLevel(StrEnum):
    """How serious a status line is."""

    OK = "ok"
    WARN = "warn"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class StatusLine:
    """One line of the report: its name, level, text, and values as plain JSON.

    `look` is the command that shows more, if something is not as it should be.
    """

    name: str
    level: StatusLevel
    text: str
    look: str | None = None
    values: Mapping[str, Any] = field(default_factory=dict)


def line(
    name: str, level: StatusLevel, text: str, look: str | None = None, /, **values: Any
) -> StatusLine:
    """Return a line; `look` is left out of one that is as it should be."""
    return StatusLine(name, level, text, None if level is StatusLevel.OK else look, plain(**values))


def plain(**values: Any) -> dict[str, Any]:
    """Return values as plain JSON: an instant as it is on the wire."""
    return {
        name: to_wire(value) if isinstance(value, datetime) else value
        for name, value in values.items()
    }


def age(seconds: float) -> str:
    """Format a duration in seconds for people, as in `3 min`."""
    for size, unit in ((86400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(0, seconds):.0f} s"


@dataclass(frozen=True, slots=True)
class StatusReading:
    """What every line is made of. `now` is machine time, `business` is business time.

    `processes` are all that are known, `living` those with a recent heartbeat; `policy` is the
    lifecycle's.
    """

    uow: UnitOfWork
    settings: Settings
    now: datetime
    business: datetime
    processes: list[Process]
    policy: LifecyclePolicy

    @property
    def living(self) -> list[Process]:
        """The processes with a recent heartbeat."""
        return alive(self.processes, self.now, self.settings.status.heartbeat)

    def one(self, query: CompiledStatement, **values: Any) -> Any:
        """Return the one value that a query gives."""
        row = query.first(self.uow.connection, values)
        return row[0] if row else None

    def rows(self, query: CompiledStatement) -> list[Any]:
        """Return the rows that a query gives."""
        return query.run(self.uow.connection, {})

    def since(self, at: datetime) -> str:
        """Say for how long something lasts, as in `3 min`."""
        return age((self.now - at).total_seconds())


def level_by_age(oldest: datetime | None, now: datetime, bad: float) -> StatusLevel:
    """Warn at half of `bad` seconds; more than that is bad."""
    seconds = (now - oldest).total_seconds() if oldest else 0.0
    if seconds > bad:
        return StatusLevel.BAD
    return StatusLevel.WARN if seconds > bad / 2 else StatusLevel.OK
