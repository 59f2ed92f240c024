"""Compares open problems with their tickets, for what no webhook and no poll has told.

Each ticket is read; an adapter that cannot read is asked once for all that has changed since the
oldest of the problems was raised. What a ticket says and its problem does not know is applied, or
only listed. Everything that cannot be mended from here is listed too.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from supplier_api.backoffice.mapping_values import MappingFailed
from supplier_api.backoffice.poller import next_look
from supplier_api.backoffice.port import Polls, Reads, TryLater
from supplier_api.clock import to_wire
from supplier_api.db import UnitOfWork
from supplier_api.db.operator_actions import Action, Operator, OperatorActionRepository
from supplier_api.http_client.errors import why
from supplier_api.logging import get_logger
from supplier_api.problems.repository import ProblemRepository
from supplier_api.problems.services import BACK_OFFICE, Services
from supplier_api.problems.snapshot import Snapshot
from supplier_api.problems.snapshots import Preview, SnapshotResult, Snapshots
from supplier_api.problems.ticket_repository import (
    OpenTicket,
    PollRepository,
    TicketRepository,
)

BATCH = 200  # problems listed at once
LISTED = 20  # findings that a worker reports
log = get_logger(__name__)


class Drift(StrEnum):
    """How a problem and its ticket differ."""

    # The ticket says what its problem does not know yet.
    BEHIND = "behind"
    # It was behind, and what the ticket says was applied.
    APPLIED = "applied"
    # The problem has gone on, and the ticket has not changed since.
    STALE = "stale"
    # What the ticket says cannot be followed.
    APART = "apart"
    # There is no such ticket any more.
    GONE = "gone"
    # The problem's orders are taken, and no ticket is known.
    NO_TICKET = "no ticket"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Finding:
    """A difference: of the problem or change with our `reference`, in which state; and why."""

    reference: str
    state: str
    drift: Drift
    ticket: str | None = None
    status: str | None = None
    reason: str = ""

    def line(self) -> str:
        """Return it for people."""
        of = f"{self.ticket} ({self.status})" if self.status else self.ticket or "-"
        why = f": {self.reason}" if self.reason else ""
        return f"{self.reference} {self.state}, ticket {of}: {self.drift}{why}"


@dataclass(frozen=True, slots=True)
class ComparedPart:
    """How many problems were compared; `behind` is the row id to go on behind, None at the end."""

    findings: Sequence[Finding]
    number: int
    behind: int | None


Look = Callable[[str], Snapshot | None]


class CannotReconcile(Exception):
    """The adapter can neither read a ticket nor say what has changed."""


class NothingToLookAt(Exception):
    """A ticket cannot be looked at again; the text says why."""


class Reconciler:
    """Compares the open problems with the tickets of an adapter's system."""

    def __init__(self, services: Services, snapshots: Snapshots, adapter: object) -> None:
        """Compare by `adapter`; raises CannotReconcile if it can show no ticket."""
        if not isinstance(adapter, Reads | Polls):
            raise CannotReconcile(
                f"the adapter {services.adapter} cannot show its tickets: it has neither `read` nor"
                " `changed` (docs/back-office.md, Looking at tickets)"
            )
        self._services = services
        self._snapshots = snapshots
        self._adapter: Reads | Polls = adapter

    def run(self, *, fix: bool) -> Iterator[Finding]:
        """Yield each difference; with `fix` what a ticket says is applied first where it can be.

        Raises db.StoreUnavailable, and what `changed` of the adapter raises.
        """
        look = self._look()
        for each in self._open():
            if (finding := self._compare(each, look, fix=fix)) is not None:
                yield finding

    def run_part(
        self, after: int, most: int, seconds: float, by: Operator | None = None
    ) -> ComparedPart:
        """Compare up to `most` problems behind row id `after`, as far as that gets in `seconds`.

        For somebody who waits. With `by` what a ticket says is applied, and recorded as theirs with
        its events. Raises CannotReconcile if the adapter cannot read single tickets.
        """
        if not isinstance(self._adapter, Reads):
            name = self._services.adapter
            raise CannotReconcile(
                f"the adapter {name} reads no single ticket: `supplier-api reconcile` compares all"
            )
        look, clock = self._look(), self._services.machine
        ends, number = clock.monotonic() + seconds, 0
        findings: list[Finding] = []
        for each in self._open(after):
            # A change of a problem stands behind it, under the same row id.
            if each.problem_id != after and (number >= most or clock.monotonic() > ends):
                return ComparedPart(findings, number, after)
            number, after = number + (each.problem_id != after), each.problem_id
            if (finding := self._compare(each, look, fix=by is not None, by=by)) is not None:
                findings.append(finding)
        return ComparedPart(findings, number, None)

    def look_again(self, ticket: str, who: str, reason: str) -> SnapshotResult:
        """Read a ticket that is apart, and apply what it says now; recorded with who and why.

        Raises NothingToLookAt, CannotReconcile, and what the adapter raises.
        """
        if not isinstance(self._adapter, Reads):
            raise CannotReconcile(f"the adapter {self._services.adapter} reads no single ticket")
        snapshot = self._adapter.read(ticket)
        if snapshot is None:
            raise NothingToLookAt(f"there is no ticket {ticket} any more")

        def work(uow: UnitOfWork) -> SnapshotResult:
            apart = TicketRepository(uow, self._services.adapter).apart(ticket)
            if apart is None:
                raise NothingToLookAt(f"the ticket {ticket} is not apart any more")
            result = self._snapshots.apply(uow, snapshot)
            about = {"ticket": ticket, "was": apart.cause, "result": result}
            self._record(uow, Operator(who, reason), "ticket read", apart.problem_id, about)
            return result

        return self._services.store.write(work)

    def _record(
        self,
        uow: UnitOfWork,
        by: Operator,
        action: str,
        problem_id: int | None,
        about: Mapping[str, Any],
    ) -> None:
        of = ProblemRepository(uow).get(problem_id) if problem_id else None
        OperatorActionRepository(uow).add(
            Action(
                self._services.machine.now(),
                by.who,
                action,
                by.reason,
                destination=BACK_OFFICE,
                tenant=of.tenant if of else None,
                problem_id=problem_id,
                detail=about,
            )
        )

    def _open(self, after: int = 0) -> Iterator[OpenTicket]:
        store, name = self._services.store, self._services.adapter

        def batch(ids: Sequence[int]) -> list[OpenTicket]:
            return store.read(lambda uow: TicketRepository(uow, name).open_tickets(ids))

        found = store.read(lambda uow: TicketRepository(uow, name).open_ids())
        ids = [each for each in found if each > after]
        for first in range(0, len(ids), BATCH):
            yield from batch(ids[first : first + BATCH])

    def _look(self) -> Look:
        """Return what looks at one ticket."""
        if isinstance(self._adapter, Reads):
            return self._adapter.read
        store, name = self._services.store, self._services.adapter
        since = store.read(lambda uow: TicketRepository(uow, name).oldest_open())
        newest: dict[str, Snapshot] = {}
        for snapshot in self._adapter.changed(since or self._services.machine.now()):
            before = newest.get(snapshot.ticket)
            if before is None or before.version <= snapshot.version:
                newest[snapshot.ticket] = snapshot
        return newest.get

    def _compare(
        self, each: OpenTicket, look: Look, *, fix: bool, by: Operator | None = None
    ) -> Finding | None:
        """Return how one problem differs from its ticket; None if it does not."""
        if each.ticket is None:
            return None if each.under_way else Finding(each.reference, each.state, Drift.NO_TICKET)
        try:
            snapshot = look(each.ticket)
        except Exception as error:  # noqa: BLE001 - of an adapter: told as a finding
            reason = str(error) if isinstance(error, MappingFailed | TryLater) else why(error)
            log.warning("reconcile.unreadable", ticket=each.ticket, error=reason)
            return Finding(each.reference, each.state, Drift.UNREADABLE, each.ticket, reason=reason)
        if snapshot is None:
            # One that has not changed is not in a list of changes.
            gone = isinstance(self._adapter, Reads)
            here = Finding(each.reference, each.state, Drift.GONE, each.ticket)
            return here if gone else None
        preview = self._services.store.read(lambda uow: self._snapshots.preview(uow, snapshot))
        if preview.result is SnapshotResult.APPLIED and fix:
            preview = self._apply(snapshot, preview, by)
        return _finding(each, snapshot, preview, applied=fix)

    def _apply(self, snapshot: Snapshot, preview: Preview, by: Operator | None) -> Preview:
        def work(uow: UnitOfWork) -> SnapshotResult:
            result = self._snapshots.apply(uow, snapshot)
            known = TicketRepository(uow, self._services.adapter).find(snapshot.ticket)
            if by and known and result is SnapshotResult.APPLIED:
                about = {"ticket": snapshot.ticket, "events": preview.events}
                self._record(uow, by, "ticket applied", known.owner.problem_id, about)
            return result

        result = self._services.store.write(work)
        if result is not SnapshotResult.APART:
            return Preview(result, preview.events)
        # Why is known now; it is what the preview could not see.
        return self._services.store.read(lambda uow: self._snapshots.why_apart(uow, snapshot))


def _finding(
    each: OpenTicket, snapshot: Snapshot, preview: Preview, *, applied: bool
) -> Finding | None:
    drift = {
        SnapshotResult.APPLIED: Drift.APPLIED if applied else Drift.BEHIND,
        SnapshotResult.APART: Drift.APART,
        SnapshotResult.OLD: Drift.STALE,
    }.get(preview.result)
    if drift is None:
        return None
    reason = preview.reason or ", ".join(preview.events)
    return Finding(each.reference, each.state, drift, each.ticket, snapshot.status, reason)


class ReconcileTimer:
    """Reconciles from time to time, by one worker at a time, and applies what it can."""

    def __init__(self, services: Services, reconciler: Reconciler, every: timedelta) -> None:
        """Reconcile `every` so often."""
        self._services = services
        self._reconciler = reconciler
        self._every = every
        self._name = f"{services.adapter}/reconcile"
        self._last: Mapping[str, Any] = {}

    def turn(self) -> float:
        """Reconcile if it is time; return the seconds until it is again."""
        services, now = self._services, self._services.machine.now()
        since, rest = next_look(services, self._name, self._every, now)
        if since is not None:
            findings = list(self._reconciler.run(fix=True))
            self._last = report(findings, now)
            services.store.write(lambda uow: PollRepository(uow, self._name).advance(now))
            log.info("reconciled", findings=len(findings))
        return rest

    def last(self) -> Mapping[str, Any]:
        """Return what came of the last time, as plain JSON; empty before the first."""
        return self._last


def report(findings: Sequence[Finding], now: datetime, listed: int = LISTED) -> dict[str, Any]:
    """Return what a comparison came to, as plain JSON: how many were applied, how many are left.

    Up to `listed` findings are in it, those that are left first.
    """
    left = [each for each in findings if each.drift is not Drift.APPLIED]
    ordered = sorted(findings, key=lambda each: each.drift is Drift.APPLIED)
    return {
        "at": to_wire(now),
        "applied": len(findings) - len(left),
        "left": len(left),
        "findings": [asdict(each) for each in ordered[:listed]],
    }
