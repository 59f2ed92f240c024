"""The doctor: finds what may be inconsistent or forgotten, and names the command for repair."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any

from supplier_api.clock import to_wire
from supplier_api.db import UnitOfWork
from supplier_api.operations.consistency_queries import ConsistencyQueries, Found, Piece
from supplier_api.operations.process_registry import MISSED
from supplier_api.operations.process_repository import DIED, ProcessKind, ProcessRepository
from supplier_api.problems.services import BACK_OFFICE, GATEWAY, Services
from supplier_api.settings.model import StatusSettings as Limits

SHOWN = 20  # of each finding
PIECE = 5000  # problems checked in one transaction
WHY = '--reason "..."'
MESSAGE_NAMES = {GATEWAY: ("KCI", "kci"), BACK_OFFICE: ("work order", "work-order")}
# Checks that a program cannot make.
NEVER_MADE = (
    "whether the gateway holds the problems that we hold: it has no such call; ask its operator",
    "whether the back office works on the tickets that it opened: its port has no such call",
    "whether the gateway can be reached: that is `supplier-api doctor --connect`",
)
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class DoctorRow:
    """One case of a finding as text, and the commands that show and repair it."""

    text: str
    mend: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DoctorFinding:
    """A check that found something: how many cases, and the first of them."""

    check: str
    count: int
    cases: Sequence[DoctorRow]


@dataclass(slots=True)
class Report:
    """The findings, the checks that found nothing, and those that could not be made.

    `warnings` are about what may be intended.
    """

    findings: list[DoctorFinding] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    clear: list[str] = field(default_factory=list)
    not_made: list[str] = field(default_factory=lambda: list(NEVER_MADE))

    def note(self, check: str, found: Found, tell: Callable[[Row], DoctorRow]) -> None:
        """Record the result of a check; `tell` makes a row of the report."""
        if found.count:
            cases = [tell(row) for row in found.first[:SHOWN]]
            self.findings.append(DoctorFinding(check, found.count, cases))
        else:
            self.clear.append(check)


class Doctor:
    """Checks the whole database, and changes nothing."""

    def __init__(self, services: Services, limits: Limits) -> None:
        """Apply the thresholds in `limits`."""
        self._services = services
        self._limits = limits

    def examine(self, seconds: float) -> Report:
        """Make every check, spending about `seconds` on the one that reads every problem.

        Raises StoreUnavailable.
        """
        report = Report()
        self._services.store.read(lambda uow: self._quick(uow, report))
        self._gaps(report, self._services.machine.monotonic() + seconds)
        return report

    def _quick(self, uow: UnitOfWork, report: Report) -> None:
        search, now = ConsistencyQueries(uow), self._services.machine.now()
        long_open = self._services.business.now("") - timedelta(hours=self._limits.undecided_hours)
        long_parked = now - timedelta(hours=self._limits.parked_hours)
        report.note(
            "problems that the gateway may not know, for our answer was late or lost",
            search.doubtful(SHOWN),
            _doubtful,
        )
        report.note(
            "changes whose answer was late, without a sign of the gateway since",
            search.late_changes(GATEWAY, SHOWN),
            _late_change,
        )
        report.note(
            "problems answered 202 and not decided for long",
            search.undecided(long_open, SHOWN),
            _undecided,
        )
        report.note(
            "changes not decided for long",
            search.undecided_changes(long_open, SHOWN),
            _undecided_change,
        )
        report.note(
            "messages behind one that was refused: for long, or it says how the problem ended",
            search.parked(long_parked, SHOWN),
            _parked,
        )
        report.note("lanes that were forgotten", search.forgotten(SHOWN), _forgotten)
        report.note(
            "problems of which the back office was not told all", search.untold(SHOWN), _untold
        )
        self._dead(uow, report)

    def _dead(self, uow: UnitOfWork, report: Report) -> None:
        known = ProcessRepository(uow).all()
        dead = [each for each in known if each.died and each.kind == ProcessKind.WEB]
        rows = [
            {"name": each.name, "died": each.detail[DIED], "doubtful": each.detail["doubtful"]}
            for each in dead
        ]
        report.note("web servers that died within a day", Found(len(rows), rows), _died)
        since = self._services.machine.now() - timedelta(seconds=MISSED * self._limits.heartbeat)
        if not any(each.kind == ProcessKind.WORKER and each.seen >= since for each in known):
            report.not_made.append(
                "whether a web server died just now: a worker looks for that, and none is alive"
            )

    def _gaps(self, report: Report, until: float) -> None:
        """Check every problem, the newest first, until the time is up."""
        store, clock = self._services.store, self._services.machine
        below = store.read(lambda uow: ConsistencyQueries(uow).last_problem()) + 1
        rows: list[dict[str, Any]] = []
        looked = 0
        while piece := store.read(partial(_piece, below)):
            looked, below = looked + piece.looked, piece.reached
            rows += piece.found
            if clock.monotonic() >= until and below > 1:
                report.not_made.append(
                    f"gaps in the numbers of all but the newest {looked} problems:"
                    " give it more time with --seconds"
                )
                break
        report.note("gaps in the numbers of KCIs", Found(len(rows), rows), _gap)


def _piece(below: int, uow: UnitOfWork) -> Piece | None:
    return ConsistencyQueries(uow).gaps(GATEWAY, below, PIECE)


def _show(row: Row) -> str:
    return f"supplier-api problem show {row['reference']}"


def _event(row: Row, *args: str) -> str:
    return " ".join(["supplier-api problem event", row["reference"], *args])


def _who(row: Row) -> str:
    return f"{row['reference']} of {row['tenant']}"


def _doubtful(row: Row) -> DoctorRow:
    text = f"{_who(row)}, gateway id {row['gateway_id']}, raised {to_wire(row['created'])}"
    unknown = _event(row, "cancel", "--problem-code", "OTHER")
    return DoctorRow(text, (_show(row), f"{unknown}   # if the gateway does not know it"))


def _late_change(row: Row) -> DoctorRow:
    at = to_wire(row["answered_late"])
    text = f"{_who(row)}, {row['operation']} {row['key']}, answered {at}"
    note = _event(row, "note", "--text", '"..."')
    return DoctorRow(text, (_show(row), f"{note}   # tells the tenant where it stands"))


def _undecided(row: Row) -> DoctorRow:
    text = f"{_who(row)}, gateway id {row['gateway_id']}, raised {to_wire(row['created'])}"
    rejected = _event(row, "reject", "--problem-code", "CODE", "--text", '"..."')
    return DoctorRow(text, (_event(row, "accept"), rejected))


def _undecided_change(row: Row) -> DoctorRow:
    text = f"{_who(row)}, {row['kind']} {row['change']}, asked {to_wire(row['created'])}"
    which = ("--change", row["change"])
    why = ("--problem-code", "CODE", "--text", '"..."')
    accepted = _event(row, "accept-change", *which)
    return DoctorRow(text, (accepted, _event(row, "reject-change", *which, *why)))


def _parked(row: Row) -> DoctorRow:
    what, command = MESSAGE_NAMES[row["destination"]]
    name = f"{row['reference']}#{row['number']}"
    text = f"{_who(row)}, {what} {row['number']}, refused {to_wire(row['settled'])}"
    base = f"supplier-api {command}"
    return DoctorRow(text, (f"{base} show {name}", f"{base} replay {name} {WHY}"))


def _forgotten(row: Row) -> DoctorRow:
    what, _ = MESSAGE_NAMES[row["destination"]]
    text = f"{_who(row)}, {what}s; a worker makes them due again within a minute"
    return DoctorRow(text, ("supplier-api worker   # if none is at work",))


def _untold(row: Row) -> DoctorRow:
    orders = f"supplier-api work-order list --problem {row['reference']}"
    return DoctorRow(f"{_who(row)}, changed {to_wire(row['updated'])}", (orders, _show(row)))


def _died(row: Row) -> DoctorRow:
    text = f"{row['name']}, found {row['died']}; {row['doubtful']} problems were put in doubt"
    return DoctorRow(text, ("supplier-api serve   # if none took its place",))


def _gap(row: Row) -> DoctorRow:
    missing = row["next_kci"] - 1 - row["there"]
    parts = [f"{missing} missing"] if missing else []
    parts += [f"{row['skipped']} left out"] if row["skipped"] else []
    text = f"{_who(row)}, of {row['next_kci'] - 1} KCIs {' and '.join(parts)}"
    listed = f"supplier-api kci list --problem {row['reference']}"
    return DoctorRow(text, (_show(row), listed))


def lines(report: Report) -> Iterator[str]:
    """Yield the report as lines of text."""
    for finding in report.findings:
        yield f"{finding.check}: {finding.count}"
        for case in finding.cases:
            yield f"  {case.text}"
            yield from (f"      {command}" for command in case.mend)
        if finding.count > len(finding.cases):
            yield f"  and {finding.count - len(finding.cases)} more"
    yield from (f"warning: {warning}" for warning in report.warnings)
    yield from (f"nothing found: {check}" for check in report.clear)
    yield from (f"not checked: {check}" for check in report.not_made)
