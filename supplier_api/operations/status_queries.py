"""The numbers of the status report.

Every query uses an index that holds only what is not over, or the newest rows: none of them costs
more as the tables grow. Conditions are written as in the partial indexes: SQLite compares the two
as text.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, or_, select, text

from supplier_api.db.tables import decision, lane, message, pause, service_problem
from supplier_api.db.unit_of_work import UnitOfWork

QUEUED = text("message.state = 'queued'")
DEAD = text("message.state IN ('refused', 'expired')")
PARKED = text("lane.parked")
UNDECIDED = text("service_problem.base = 'UNDECIDED'")
# Kinds of messages without which a receiver believes that a problem is still open.
ENDS = ("RESOLVED", "COMPLETED", "CANCELLED", "REJECTED")
NEWEST = 1000  # messages among which the last delivery is searched


@dataclass(frozen=True, slots=True)
class WaitingSummary:
    """How many things wait, and since when the oldest of them."""

    count: int
    oldest: datetime | None


@dataclass(frozen=True, slots=True)
class PauseSummary:
    """What holds messages up: why, for whom, and since when. Empty names stand for all.

    `reference` is ours of the one problem it is about, if it is about one.
    """

    cause: str
    destination: str | None
    tenant: str | None
    reference: str | None
    reason: str
    who: str
    since: datetime
    until: datetime | None


class StatusQueries:
    """The numbers, within one transaction."""

    def __init__(self, uow: UnitOfWork) -> None:
        """Work in the transaction of `uow`."""
        self._connection = uow.connection

    def last_decided(self) -> datetime | None:
        """Return when a request of the gateway was last decided (machine time)."""
        query = select(func.max(decision.c.committed))
        at: datetime | None = self._connection.execute(query).scalar()
        return at

    def last_taken(self, destination: str) -> datetime | None:
        """Return when `destination` last accepted one of the newest messages (machine time)."""
        newest = (
            select(message.c.lane_id, message.c.state, message.c.settled)
            .order_by(message.c.id.desc())
            .limit(NEWEST)
            .subquery()
        )
        query = (
            select(func.max(newest.c.settled))
            .join(lane, lane.c.id == newest.c.lane_id)
            .where(newest.c.state == "delivered", lane.c.destination == destination)
        )
        at: datetime | None = self._connection.execute(query).scalar()
        return at

    def undelivered(self) -> dict[str, WaitingSummary]:
        """Return the queued messages by destination, without those of parked lanes."""
        query = (
            select(lane.c.destination, func.count(), func.min(message.c.created))
            .select_from(message.join(lane))
            .where(QUEUED, text("NOT lane.parked"))
            .group_by(lane.c.destination)
        )
        return {row[0]: WaitingSummary(row[1], row[2]) for row in self._connection.execute(query)}

    def parked(self) -> dict[str, WaitingSummary]:
        """Return the lanes parked behind a dead letter, by destination."""
        dead = select(func.min(message.c.settled)).where(message.c.lane_id == lane.c.id, DEAD)
        since = dead.correlate(lane).scalar_subquery()
        query = (
            select(lane.c.destination, func.count(), func.min(since))
            .where(PARKED)
            .group_by(lane.c.destination)
        )
        return {row[0]: WaitingSummary(row[1], row[2]) for row in self._connection.execute(query)}

    def dead_letters(self) -> int:
        """Return how many messages were refused for good or became too old."""
        query = select(func.count()).select_from(message).where(DEAD)
        return self._connection.execute(query).scalar_one()

    def dead_ends(self, destination: str) -> dict[str, int]:
        """Return how many dead letters to `destination` say how a problem ended, by kind."""
        query = (
            select(message.c.kind, func.count())
            .select_from(message.join(lane))
            .where(DEAD, message.c.kind.in_(ENDS), lane.c.destination == destination)
            .group_by(message.c.kind)
            .order_by(message.c.kind)
        )
        return {row[0]: row[1] for row in self._connection.execute(query)}

    def undecided(self) -> WaitingSummary:
        """Return the undecided problems; the oldest by business time."""
        created = service_problem.c.created
        query = select(func.count(), func.min(created)).where(UNDECIDED)
        return WaitingSummary(*self._connection.execute(query).one())

    def pauses(self, now: datetime) -> list[PauseSummary]:
        """Return what holds messages up now, oldest first."""
        named = {**dict(pause.c), "reference": service_problem.c.reference}
        columns = [named[name] for name in PauseSummary.__slots__]
        query = (
            select(*columns)
            .select_from(pause.outerjoin(service_problem))
            .where(or_(pause.c.until.is_(None), pause.c.until > now))
        )
        return [PauseSummary(*row) for row in self._connection.execute(query.order_by(pause.c.id))]

    def late_answers(self, since: datetime) -> tuple[int, int]:
        """Return how many answers were late since an instant, and how many were decided."""
        late = select(func.count()).where(
            decision.c.answered_late.is_not(None), decision.c.answered_late >= since
        )
        decided = select(func.count()).where(decision.c.committed >= since)
        return (
            self._connection.execute(late).scalar_one(),
            self._connection.execute(decided).scalar_one(),
        )
