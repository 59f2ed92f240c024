"""Takes the suppliers' KCIs: keeps each one once, and lets them take effect in order.

Some are about problems that were raised past the gateway: at our own supplier's door, by whoever
tried it. They would be refused, and a supplier whose KCIs are refused stops sending. So the gateway
takes such a problem in, as of the first KCI that comes of it, and says so to its tenant.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from supplier_api.clock import to_wire
from supplier_api.contract.codes import FINAL, InformationType
from supplier_api.contract.field_table import AMENDABLE, FROM_TENANT
from supplier_api.contract.transition_checks import ends_problem, impossible_move, is_of_another
from supplier_api.logging import get_logger
from supplier_api.sandbox.gateway import updates
from supplier_api.sandbox.gateway.codes import ProblemStatus, invalid, not_found
from supplier_api.sandbox.gateway.config import SupplierAccount
from supplier_api.sandbox.gateway.model import Document, Gap, Problem, StoredKci, picked
from supplier_api.sandbox.gateway.repository import GatewayServices, Records
from supplier_api.sandbox.gateway.updates import of_gateway

log = get_logger(__name__)

MARK = "Raised past the gateway, at the supplier's own door."
# A KCI carries the whole problem as of its change. These of its fields become the tenant's view.
FOLLOWED = ("serviceSpecification", *(name for name in FROM_TENANT if name in AMENDABLE))


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a KCI comes from: its supplier, and the tenant that its header names, if it does."""

    supplier: SupplierAccount
    conversation_id: str
    tenant: str | None = None

    def may_be_about(self, problem: Problem) -> bool:
        """Tell whether a KCI from here can be about a problem.

        Only our own supplier names tenants; the published call has no such header.
        """
        if problem.supplier != self.supplier.name:
            return False
        return not self.supplier.ours or self.tenant in (None, problem.tenant)


@dataclass(frozen=True, slots=True)
class ArrivalStep:
    """A KCI whose turn it is.

    `late`: later numbers had their effect before it. `missing`: the numbers given up for it.
    """

    number: int
    late: bool = False
    missing: range = range(0)


class Inbox:
    """Takes KCIs. What has been answered 204 is on disk.

    A KCI has no effect while an earlier number is missing (it is waited for, then given up and
    recorded as a gap), nor while the supplier has yet to answer a call about the same problem.
    """

    def __init__(self, services: GatewayServices) -> None:
        """Wait for a missing number as long as the configuration says."""
        self._services = services
        self._patience = timedelta(seconds=services.config.gap_patience)

    def take(self, origin: Origin, document: Mapping[str, Any]) -> None:
        """Keep a KCI that meets the contract, and let it have its effect if it is its turn.

        The same id again changes nothing. Raises GatewayRefusal for an unknown problem that is not
        adopted, a number that another KCI has, a move that cannot be, and anything after the last
        KCI of a problem.
        """
        self._services.write(lambda records: self._take(records, origin, document))

    def pass_gaps(self) -> None:
        """Go on behind the numbers that have been waited for long enough."""

        def pass_all(records: Records) -> None:
            for problem_id in records.problems_with_kept_kcis():
                self.catch_up(records, records.problem(problem_id))

        if self._services.read(Records.problems_with_kept_kcis):
            self._services.write(pass_all)

    def catch_up(self, records: Records, problem: Problem) -> None:
        """Let every kept KCI whose turn it is have its effect."""
        if records.awaits_answer(problem.id):
            return
        kept = records.kept_kcis(problem.id)
        due = steps(problem.next_number, kept, self._services.machine.now(), self._patience)
        for step in due:
            if step.missing:
                self._mark_gap(records, problem, step.missing)
            _apply(records, problem, step)

    def _take(self, records: Records, origin: Origin, document: Mapping[str, Any]) -> None:
        kci_id = document["id"].lower()  # a UUID is the same in capitals
        supplier = origin.supplier.name
        known = records.has_kci(supplier, kci_id)
        problem = None if known else adopt(self._services, records, origin, document)
        if problem is None:
            problem = _problem_of(records, origin, document)
            if known:
                return
            _check(records, problem, document)
        number = document["sequenceNumber"]
        records.add(
            StoredKci(
                id=kci_id,
                supplier=supplier,
                problem_id=problem.id,
                number=number,
                body=dict(document),
                received_on=records.now(problem.tenant),
                arrived=to_wire(self._services.machine.now()),
            )
        )
        if ends_problem(document) and number >= problem.next_number:
            problem.final_number = number
        self.catch_up(records, problem)

    def _mark_gap(self, records: Records, problem: Problem, missing: range) -> None:
        marked_on = to_wire(self._services.machine.now())
        first, last = missing.start, missing.stop - 1
        records.add(Gap(problem_id=problem.id, first=first, last=last, marked_on=marked_on))
        log.warning(
            "KCI numbers missing",
            gateway_id=problem.id,
            tenant=problem.tenant,
            first=first,
            last=last,
        )


def steps(
    expected: int, kept: Mapping[int, datetime], now: datetime, patience: timedelta
) -> tuple[ArrivalStep, ...]:
    """Return the KCIs whose turn it is, in order, when `expected` is the next number.

    `kept` are the numbers of those without effect, and when they arrived. A missing number is
    given up once a KCI that comes after it has been kept for `patience`.
    """
    waiting = sorted(kept)
    due: list[ArrivalStep] = []
    for position, number in enumerate(waiting):
        if number < expected:
            due.append(ArrivalStep(number, late=True))
            continue
        if number > expected:
            waited_since = min(kept[later] for later in waiting[position:])
            if now - waited_since < patience:
                break
        due.append(ArrivalStep(number, missing=range(expected, number)))
        expected = number + 1
    return tuple(due)


def _problem_of(records: Records, origin: Origin, document: Mapping[str, Any]) -> Problem:
    """Return the problem that a KCI is about, or refuse the KCI where it is not its supplier's.

    Whose it is comes before anything else about it: a number says nothing of another's problem.
    """
    problem = records.find_problem(document["serviceProblem"]["id"])
    if problem is None or not origin.may_be_about(problem):
        raise not_found(422, "serviceProblem.id: no service problem of that id was sent to you")
    if is_of_another(problem.reference, document):
        raise not_found(422, "serviceProblem: its supplierReference belongs to another")
    return problem


def _check(records: Records, problem: Problem, document: Mapping[str, Any]) -> None:
    """Refuse a KCI that cannot have its number, or says what cannot be in its turn."""
    number = document["sequenceNumber"]
    if records.has_kci_number(problem.id, number):
        raise invalid(f"sequenceNumber: {number} belongs to a KCI of another id")
    if problem.final_number is not None and number > problem.final_number:
        raise invalid(
            f"sequenceNumber: {number} is behind the end of the problem; "
            f"the last that can be taken is {problem.final_number}"
        )
    in_turn = number == problem.next_number and not records.awaits_answer(problem.id)
    if not in_turn or problem.status == ProblemStatus.FAILED_TO_SEND:
        return
    if why := impossible_move(problem.status, problem.reference, document):
        raise invalid(why)


def _apply(records: Records, problem: Problem, step: ArrivalStep) -> None:
    kci = records.take_kci(problem.id, step.number)
    _add_update(records, problem, kci, late=step.late)
    records.touch(problem)
    if not step.late:
        problem.next_number = step.number + 1
        _follow(problem, kci.body["serviceProblem"])


def _add_update(records: Records, problem: Problem, kci: StoredKci, *, late: bool) -> None:
    resolution_id: int | None = None
    if "serviceProblemResolution" in kci.body:
        resolution = kci.body["serviceProblemResolution"]
        # What comes late brings no news of a resolution that is known.
        resolution_id = records.save_resolution(problem, resolution, only_new=late)
    for kind, change in updates.closed_changes(kci.body).items():
        records.move_change(problem.id, kind, change["id"], change["status"])
    records.add_update(
        problem,
        updates.of_kci(kci.body),
        resolution_id=resolution_id,
        received_on=kci.received_on,
    )


def _follow(problem: Problem, entity: Mapping[str, Any]) -> None:
    """Take over what the supplier says of the problem. What has failed or ended here stays so."""
    if problem.status in FINAL or problem.status == ProblemStatus.FAILED_TO_SEND:
        return
    problem.status = entity["status"]
    problem.reference = entity.get("supplierReference", problem.reference)
    problem.document = problem.document | picked(entity, *FOLLOWED)


def adopt(
    services: GatewayServices, records: Records, origin: Origin, kci: Mapping[str, Any]
) -> Problem | None:
    """Return the problem that begins with this KCI; None where there is none to be adopted.

    Without a tenant's name it is the first one's.
    """
    first = next((tenant.name for tenant in services.config.tenants), None)
    tenant, entity = origin.tenant or first, kci["serviceProblem"]
    on = services.config.adopt and origin.supplier.ours
    if tenant is None or not on or _is_known(records, origin.supplier, entity):
        return None
    now = records.now(tenant)
    problem = Problem(
        id=entity["id"],
        tenant=tenant,
        supplier=origin.supplier.name,
        conversation_id=origin.conversation_id,
        document=_adopted_document(origin.supplier, entity),
        created=now,
        updated=now,
        status=entity["status"],
        reference=entity.get("supplierReference"),
        next_number=kci["sequenceNumber"],
    )
    records.add(problem)
    records.add_update(problem, of_gateway(InformationType.CREATED, MARK))
    log.info("problem adopted", gateway_id=problem.id, tenant=tenant)
    return problem


def _is_known(records: Records, supplier: SupplierAccount, entity: Mapping[str, Any]) -> bool:
    if records.find_problem(entity["id"]) is not None:
        return True
    reference = entity.get("supplierReference")
    return reference is not None and records.knows_reference(supplier.name, reference)


def _adopted_document(supplier: SupplierAccount, entity: Mapping[str, Any]) -> Document:
    """Return what the tenant is shown of a problem.

    A tenant's problem has a service test; where the supplier got none, the problem's id is shown.
    """
    made = {"supplier": supplier.name, "serviceTestId": entity["id"]}
    return made | picked(entity, *FROM_TENANT)
