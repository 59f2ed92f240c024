"""The doctor's checks of what decisions depend on: Python rules, files, and the inventory."""

from supplier_api.clock import to_wire
from supplier_api.db import UnitOfWork
from supplier_api.operations.consistency_queries import Found
from supplier_api.operations.doctor import WHY, DoctorRow, Report
from supplier_api.operations.process_registry import alive, not_loaded, rules_off
from supplier_api.operations.process_repository import Process, ProcessRepository
from supplier_api.problems.repository import ProblemRepository
from supplier_api.problems.services import Services
from supplier_api.rules.inventory import InventoryError, TimedInventory
from supplier_api.rules.model import BookError
from supplier_api.rules.reloading import Reloading
from supplier_api.settings import Settings

PUT_OFF = f"supplier-api maintenance on {WHY}   # until it is mended: then the rules decide"
CHECK = "supplier-api rules check"


def examine_deciders(settings: Settings, services: Services, report: Report) -> None:
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
        found = ProblemRepository(uow).listed(state=None, tenant=None, before=None, limit=1)
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
