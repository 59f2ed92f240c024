"""The doctor: finds what may be inconsistent or forgotten, and names the command for repair.

It also checks what decisions depend on: Python rules, files, and the inventory.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any

from supplier_api.clock import to_wire
from supplier_api.db import UnitOfWork
from supplier_api.operations.consistency_queries import ConsistencyQueries, Found, Piece
from supplier_api.operations.processes import (
    DIED,
    MISSED,
    Process,
    ProcessKind,
    ProcessRepository,
    alive,
    not_loaded,
    rules_off,
)
from supplier_api.problems.repository import ProblemRepository
from supplier_api.problems.services import BACK_OFFICE, GATEWAY, Services
from supplier_api.rules.inventory import InventoryError, TimedInventory
from supplier_api.rules.model import BookError
from supplier_api.rules.reloading import Reloading
from supplier_api.settings import Settings

SHOWN = 20  # of each finding
PIECE = 5000  # problems checked in one transaction
WHY = '--reason "..."'
PUT_OFF = f"supplier-api maintenance on {WHY}   # until it is mended: then the rules decide"
CHECK = "supplier-api rules check"
MESSAGE_NAMES = {GATEWAY: ("KCI", "kci"), BACK_OFFICE: ("work order", "work-order")}
# Checks that a program cannot make.
NEVER_MADE = (
    "whether the gateway holds the problems that we hold: it has no such call; ask its operator",
    "whether tickets of the back office stand as their problems: that is `supplier-api reconcile`",
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

    def __init__(self, services: Services, settings: Settings) -> None:
        """Apply the thresholds in `settings.status`."""
        self._services = services
        self._settings = settings
        self._limits = settings.status

    def examine(self, seconds: float) -> Report:
        """Make every check, spending about `seconds` on the one that reads every problem.

        Raises StoreUnavailable.
        """
        report = Report()
        self._services.store.read(lambda uow: self._quick(uow, report))
        self._gaps(report, self._services.machine.monotonic() + seconds)
        _examine_deciders(self._settings, self._services, report)
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


# -- what decisions depend on


def _examine_deciders(settings: Settings, services: Services, report: Report) -> None:
    """Check what processes report of their rules, and ask the configured inventory once."""
    known = services.store.read(lambda uow: ProcessRepository(uow).all())
    living = alive(known, services.machine.now(), settings.status.heartbeat)
    _rules_off(living, report)
    _not_loaded(living, report)
    try:
        inventory = Reloading(settings, services.machine).current.inventory
    except (BookError, InventoryError) as error:
        rows = [{"why": line} for line in str(error).splitlines()]
    else:
        rows = []
        _ask(settings, services, inventory, report)
    report.note(
        "files of rules or inventory here that would stop a start",
        Found(len(rows), rows),
        lambda row: DoctorRow(row["why"], (CHECK,)),
    )


def _rules_off(living: list[Process], report: Report) -> None:
    rows = [
        {"rule": rule, "since": to_wire(since), "name": name}
        for name, rules in rules_off(living).items()
        for rule, since in rules.items()
    ]
    report.note(
        "Python rules that are switched off, so that what they might decide is answered 202",
        Found(len(rows), rows),
        lambda row: DoctorRow(f"{row['rule']} since {row['since']}, in {row['name']}", (PUT_OFF,)),
    )


def _not_loaded(living: list[Process], report: Report) -> None:
    rows = [
        {**reported, "name": name}
        for what in ("rules", "inventory")
        for name, reported in not_loaded(living, what).items()
    ]
    report.note(
        "new files that are not used, since something is wrong with them",
        Found(len(rows), rows),
        lambda row: DoctorRow(f"{row['why']}, since {row['since']}, in {row['name']}", (CHECK,)),
    )


def _ask(settings: Settings, services: Services, inventory: TimedInventory, report: Report) -> None:
    """Ask for the service of the newest problem: only of that one it is sure that it exists."""

    def newest(uow: UnitOfWork) -> list[tuple[str, str, str]]:
        found = ProblemRepository(uow).listed(limit=1)
        return [(each.tenant, each.service_id, each.reference) for each in found]

    problems = services.store.read(newest)
    if not problems:
        report.not_made.append("whether the inventory answers: no problem names a service yet")
        return
    tenant, service_id, reference = problems[0]
    seconds = settings.server.answer_budget / 2
    rows = []
    try:
        inventory.ask(tenant, service_id, seconds)
    except Exception as error:  # noqa: BLE001 - a supplier's adapter
        why = type(error).__name__
        if isinstance(error, TimeoutError):
            why = f"no answer within {seconds:g} s"
        rows = [
            {"why": f"{settings.inventory.adapter}, asked for the service of {reference}: {why}"}
        ]
    report.note(
        "the inventory gives no answer",
        Found(len(rows), rows),
        lambda row: DoctorRow(row["why"], (PUT_OFF,)),
    )
