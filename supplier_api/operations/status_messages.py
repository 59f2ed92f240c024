"""The status lines about requests, messages and pauses, each with its query.

Every query uses an index that holds only what is not over, or the newest rows: none of them costs
more as the tables grow. Conditions are written as in the partial indexes: SQLite compares the two
as text.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, func, or_, select, text

from supplier_api.clock import from_wire, to_wire
from supplier_api.db.compiled_statements import CompiledStatement
from supplier_api.db.tables import decision, lane, message
from supplier_api.operations.processes import REQUEST
from supplier_api.operations.status_line import (
    COMMANDS,
    SHOWN,
    WHAT,
    StatusLevel,
    StatusLine,
    StatusReading,
    age,
    level_by_age,
    line,
    plain,
)
from supplier_api.outbox.pauses import Pause, PauseCause, PauseRepository
from supplier_api.problems.services import BACK_OFFICE, GATEWAY
from supplier_api.problems.silent import STATES, SilentProblems
from supplier_api.problems.undecided import UndecidedQueries
from supplier_api.problems.work_item_repository import WorkItemRepository
from supplier_api.settings.model import StatusSettings

QUEUED = text("message.state = 'queued'")
DEAD = text("message.state IN ('refused', 'expired')")
PARKED = text("lane.parked")
# Kinds of messages without which a receiver believes that a problem is still open.
ENDS = ("RESOLVED", "COMPLETED", "CANCELLED", "REJECTED")
NEWEST = 1000  # messages among which the last delivery is searched
LATELY = timedelta(days=1)
_LAST_REQUEST = CompiledStatement(select(func.max(decision.c.committed)))
_newest = (
    select(message.c.lane_id, message.c.state, message.c.settled)
    .order_by(message.c.id.desc())
    .limit(NEWEST)
    .subquery()
)
_LAST_KCI_TAKEN = CompiledStatement(
    select(func.max(_newest.c.settled))
    .join(lane, lane.c.id == _newest.c.lane_id)
    .where(_newest.c.state == "delivered", lane.c.destination == GATEWAY)
)
_UNDELIVERED = CompiledStatement(
    select(lane.c.destination, func.count(), func.min(message.c.created))
    .select_from(message.join(lane))
    .where(QUEUED, text("NOT lane.parked"))
    .group_by(lane.c.destination)
)
_dead_since = select(func.min(message.c.settled)).where(message.c.lane_id == lane.c.id, DEAD)
_PARKED = CompiledStatement(
    select(
        lane.c.destination,
        func.count(),
        func.min(_dead_since.correlate(lane).scalar_subquery()),
    )
    .where(PARKED)
    .group_by(lane.c.destination)
)
_DEAD = CompiledStatement(select(func.count()).select_from(message).where(DEAD))
# Not joined: SQLite, once it knows that there are many lanes, would begin with all of those.
_goes_to = select(lane.c.destination).where(lane.c.id == message.c.lane_id).scalar_subquery()
_DEAD_ENDS = CompiledStatement(
    select(message.c.kind, func.count())
    .where(DEAD, or_(*(message.c.kind == kind for kind in ENDS)), _goes_to == GATEWAY)
    .group_by(message.c.kind)
    .order_by(message.c.kind)
)
_since = bindparam("since", type_=decision.c.committed.type)
_LATE = CompiledStatement(
    select(func.count()).where(
        decision.c.answered_late.is_not(None), decision.c.answered_late >= _since
    )
)
_DECIDED = CompiledStatement(select(func.count()).where(decision.c.committed >= _since))


def last_request(here: StatusReading) -> Iterator[StatusLine]:
    """Say when a request of the gateway was last decided (machine time)."""
    yield _last(here, "last request", REQUEST, here.one(_LAST_REQUEST))


def last_kci_taken(here: StatusReading) -> Iterator[StatusLine]:
    """Say when the gateway last accepted one of the newest messages (machine time)."""
    yield _last(here, "last KCI taken", GATEWAY, here.one(_LAST_KCI_TAKEN))


def _last(here: StatusReading, name: str, what: str, stored: datetime | None) -> StatusLine:
    """Show the later of the stored time and the times that processes report for `what`."""
    reported = [from_wire(each.detail[what]) for each in here.processes if what in each.detail]
    at = max([*reported, *([stored] if stored else [])], default=None)
    said = f"{to_wire(at)}, {here.since(at)} ago" if at else "none known"
    return line(name, StatusLevel.OK, said, at=at)


def undelivered(here: StatusReading) -> Iterator[StatusLine]:
    """Count the queued messages, without those of parked lanes."""
    found = {row[0]: (row[1], row[2]) for row in here.rows(_UNDELIVERED)}
    for destination in (GATEWAY, BACK_OFFICE):
        count, oldest = found.get(destination, (0, None))
        level = level_by_age(oldest, here.now, here.settings.status.undelivered)
        look = f"{COMMANDS[destination]} list --state queued"
        yield _waiting(f"undelivered {WHAT[destination]}", level, count, oldest, here.now, look)


def parked(here: StatusReading) -> Iterator[StatusLine]:
    """Count the lanes parked behind a dead letter."""
    found = {row[0]: (row[1], row[2]) for row in here.rows(_PARKED)}
    for destination in (GATEWAY, BACK_OFFICE):
        count, oldest = found.get(destination, (0, None))
        level = level_by_age(oldest, here.now, here.settings.status.parked_hours * 3600)
        if count and level is StatusLevel.OK:
            level = StatusLevel.WARN
        of = "problem has a dead letter" if count == 1 else "problems have a dead letter"
        name, look = f"parked {WHAT[destination]}", f"{COMMANDS[destination]} list"
        yield _waiting(name, level, count, oldest, here.now, look, of)


def dead_letters(here: StatusReading) -> Iterator[StatusLine]:
    """Count messages refused for good or too old; one that says how a problem ended is bad."""
    dead = here.one(_DEAD)
    ends = {row[0]: row[1] for row in here.rows(_DEAD_ENDS)}
    kinds = ", ".join(f"{count} {kind}" for kind, count in ends.items())
    said = f"{dead}; the gateway does not know how it ended: {kinds}" if ends else str(dead)
    level = StatusLevel.BAD if ends else StatusLevel.OK
    look = f"{COMMANDS[GATEWAY]} list --state dead"
    yield line("dead letters", level, said, look, count=dead, ends=ends)


def undecided(here: StatusReading) -> Iterator[StatusLine]:
    """Count what was answered 202 and is undecided; ages and deadlines are business time."""
    ledger = UndecidedQueries(here.uow, here.policy)
    counts, oldest = ledger.count(here.business), ledger.oldest()
    level = level_by_age(oldest, here.business, here.settings.status.undecided_hours * 3600)
    parts = [f"{counts['problems']} of problems, {counts['changes']} of changes"]
    if oldest:
        parts.append(f"the oldest for {age((here.business - oldest).total_seconds())}")
    parts += [f"{counts[name]} {name}" for name in ("overdue", "escalated") if counts[name]]
    if counts["overdue"]:
        level = StatusLevel.BAD
    count = counts["problems"] + counts["changes"]
    look = "supplier-api undecided"
    yield line("undecided", level, ", ".join(parts), look, count=count, oldest=oldest, **counts)


def work_for_people(here: StatusReading) -> Iterator[StatusLine]:
    """Count the orders that wait for people; warn of one that nobody takes (business time)."""
    waiting = WorkItemRepository(here.uow).count()
    parts = [f"{waiting.orders} waiting, {waiting.free} of nobody"]
    oldest, level = waiting.oldest_free, StatusLevel.OK
    if oldest:
        seconds = (here.business - oldest).total_seconds()
        parts.append(f"the oldest of those for {age(seconds)}")
        if seconds > here.settings.status.undecided_hours * 3600:
            level = StatusLevel.WARN
    values = {"count": waiting.orders, "free": waiting.free, "oldest": oldest}
    look = "supplier-api work-order list --state delivered"
    yield line("work for people", level, ", ".join(parts), look, **values)


def silent(here: StatusReading) -> Iterator[StatusLine]:
    """Warn of open problems to which nothing has happened for longer than their state allows."""
    found = SilentProblems(here.uow, here.business, silent_after(here.settings.status))
    count = found.count()
    names = [each.reference for each in found.listed(SHOWN)] if count else []
    said = f"{count}, as {', '.join(names)}" if count else "0"
    level = StatusLevel.WARN if count else StatusLevel.OK
    look = "supplier-api problem list --silent"
    yield line("silent problems", level, said, look, count=count, references=names)


def silent_after(settings: StatusSettings) -> dict[str, timedelta]:
    """Return for how long a problem may be silent, by its state."""
    limits = settings.silent_hours
    return {str(state): timedelta(hours=getattr(limits, state.lower())) for state in STATES}


def _waiting(
    name: str,
    level: StatusLevel,
    count: int,
    oldest: datetime | None,
    now: datetime,
    look: str,
    counted: str = "",
) -> StatusLine:
    """Tell how many wait; `counted` says of what, where the name of the line does not."""
    said = f"{count}{f' {counted}' if counted and count else ''}"
    if oldest:
        said += f", the oldest for {age((now - oldest).total_seconds())}"
    return line(name, level, said, look, count=count, oldest=oldest)


def late_answers(here: StatusReading) -> Iterator[StatusLine]:
    """Count answers that were late within a day, among all that were decided."""
    since = here.now - LATELY
    late, decided = here.one(_LATE, since=since), here.one(_DECIDED, since=since)
    share = late / decided if decided else 0.0
    level = StatusLevel.WARN if late else StatusLevel.OK
    if late and share > here.settings.status.late_share:
        level = StatusLevel.BAD
    said = f"{late} of {decided} within a day"
    values = {"late": late, "answers": decided, "share": round(share, 6)}
    yield line("late answers", level, said, "supplier-api doctor", **values)


def breaker(here: StatusReading) -> Iterator[StatusLine]:
    """Show the open breakers of whole destinations."""
    opened = [each for each in PauseRepository(here.uow).active(here.now) if _is_open(each)]
    said = "; ".join(
        f"{each.scope.destination} open for {here.since(each.since)}: {each.reason}"
        for each in opened
    )
    level = StatusLevel.BAD if opened else StatusLevel.OK
    look = "supplier-api doctor --connect"
    yield line("breaker", level, said or "closed", look, open=[_pause(each) for each in opened])


def pauses(here: StatusReading) -> Iterator[StatusLine]:
    """Show what else holds messages up."""
    held = [each for each in PauseRepository(here.uow).active(here.now) if not _is_open(each)]
    said = "; ".join(
        f"{_what_is_held(each)} for {here.since(each.since)}, by {each.who}: {each.reason}"
        for each in held[:SHOWN]
    )
    more = f"; and {len(held) - SHOWN} more" if len(held) > SHOWN else ""
    level = StatusLevel.WARN if held else StatusLevel.OK
    look = "supplier-api delivery list"
    yield line("pauses", level, f"{said or 'none'}{more}", look, pauses=[_pause(p) for p in held])


def _is_open(pause: Pause) -> bool:
    """Return whether the pause is an open breaker for a whole destination, not for one tenant."""
    return pause.cause is PauseCause.BREAKER and pause.scope.tenant is None


def _what_is_held(pause: Pause) -> str:
    """Say which messages do not leave, as in `work orders of tenant TENANT1`."""
    what, tenant = WHAT.get(pause.scope.destination or "", "all messages"), pause.scope.tenant
    if pause.reference:
        return f"{what} of problem {pause.reference}"
    return f"{what} of tenant {tenant}" if tenant else what


def _pause(pause: Pause) -> dict[str, Any]:
    return plain(
        cause=pause.cause,
        destination=pause.scope.destination,
        tenant=pause.scope.tenant,
        problem=pause.reference,
        reason=pause.reason,
        who=pause.who,
        since=pause.since,
        until=pause.until,
    )


# In the order in which they are shown.
MESSAGE_LINES = (
    last_request,
    last_kci_taken,
    undelivered,
    parked,
    dead_letters,
    undecided,
    work_for_people,
    silent,
    late_answers,
)
PAUSE_LINES = (breaker, pauses)
