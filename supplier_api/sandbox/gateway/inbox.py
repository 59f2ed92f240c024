"""The suppliers' door for KCIs: keeps each one once, and lets them take effect in order."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection

from supplier_api.clock import MachineClock
from supplier_api.contract.codes import FINAL
from supplier_api.contract.field_table import AMENDABLE, FROM_TENANT
from supplier_api.contract.transition_checks import ends_problem, impossible_move, is_of_another
from supplier_api.logging import get_logger
from supplier_api.sandbox.gateway import updates
from supplier_api.sandbox.gateway.adopting import Adopting, Origin
from supplier_api.sandbox.gateway.codes import GatewayStatus
from supplier_api.sandbox.gateway.database import GatewayDatabase
from supplier_api.sandbox.gateway.documents import picked
from supplier_api.sandbox.gateway.errors import invalid, not_found
from supplier_api.sandbox.gateway.records import calls, changes, kcis, problems
from supplier_api.sandbox.gateway.records.kcis import StoredKci
from supplier_api.sandbox.gateway.records.problems import Problem
from supplier_api.sandbox.gateway.sequencing import ArrivalStep, steps
from supplier_api.sandbox.gateway.update_log import UpdateLog

log = get_logger(__name__)

# A KCI carries the whole problem as of its change. These of its fields become the tenant's view.
FOLLOWED = ("serviceSpecification", *(name for name in FROM_TENANT if name in AMENDABLE))


class Inbox:
    """Takes KCIs. What has been answered 204 is on disk.

    A KCI has no effect while an earlier number is missing (it is waited for, then given up and
    recorded as a gap), nor while the supplier has yet to answer a call about the same problem.
    """

    def __init__(
        self,
        database: GatewayDatabase,
        machine: MachineClock,
        update_log: UpdateLog,
        adopting: Adopting,
        patience: timedelta,
    ) -> None:
        """Wait `patience` of machine time for a missing number."""
        self._database = database
        self._machine = machine
        self._update_log = update_log
        self._adopting = adopting
        self._patience = patience

    def take(self, origin: Origin, document: Mapping[str, Any]) -> None:
        """Keep a KCI that meets the contract, and let it have its effect if it is its turn.

        The same id again changes nothing. Raises Refusal for an unknown problem that is not
        adopted, a number that another KCI has, a move that cannot be, and anything after the last
        KCI of a problem.
        """
        self._database.write(lambda connection: self._take(connection, origin, document))

    def pass_gaps(self) -> None:
        """Go on behind the numbers that have been waited for long enough."""

        def pass_all(connection: Connection) -> None:
            for problem_id in kcis.problems_with_kept(connection):
                self.catch_up(connection, problems.get(connection, problem_id))

        if self._database.read(kcis.problems_with_kept):
            self._database.write(pass_all)

    def catch_up(self, connection: Connection, problem: Problem) -> None:
        """Let every kept KCI whose turn it is have its effect."""
        if calls.awaits_answer(connection, problem.id):
            return
        kept = kcis.kept(connection, problem.id)
        due = steps(problem.next_number, kept, self._machine.now(), self._patience)
        for step in due:
            if step.missing:
                self._mark_gap(connection, problem, step.missing)
            self._apply(connection, problem, step)
        if due:
            problems.save(connection, problem)

    def _take(self, connection: Connection, origin: Origin, document: Mapping[str, Any]) -> None:
        kci_id = document["id"].lower()  # a UUID is the same in capitals
        known = kcis.exists(connection, origin.supplier.name, kci_id)
        problem = None if known else self._adopting.adopt(connection, origin, document)
        if problem is None:
            problem = _problem_of(connection, origin, document)
            if known:
                return
            self._check(connection, problem, document)
        number = document["sequenceNumber"]
        received_on = self._update_log.now(problem.tenant)
        kci = StoredKci(kci_id, problem.id, number, dict(document), received_on)
        kcis.keep(connection, origin.supplier.name, kci, self._machine.now())
        if ends_problem(document) and number >= problem.next_number:
            problem.final_number = number
            problems.save(connection, problem)
        self.catch_up(connection, problem)

    def _check(self, connection: Connection, problem: Problem, document: Mapping[str, Any]) -> None:
        """Raise Refusal if a KCI cannot have its number, or says what cannot be in its turn."""
        number = document["sequenceNumber"]
        if kcis.number_is_used(connection, problem.id, number):
            raise invalid(f"sequenceNumber: {number} belongs to a KCI of another id")
        if problem.final_number is not None and number > problem.final_number:
            raise invalid(
                f"sequenceNumber: {number} is behind the end of the problem; "
                f"the last that can be taken is {problem.final_number}"
            )
        in_turn = number == problem.next_number
        if not in_turn or calls.awaits_answer(connection, problem.id):
            return
        if problem.status == GatewayStatus.FAILED_TO_SEND:
            return
        if why := impossible_move(problem.status, problem.reference, document):
            raise invalid(why)

    def _apply(self, connection: Connection, problem: Problem, step: ArrivalStep) -> None:
        kci = kcis.take(connection, problem.id, step.number)
        self._tell_tenant(connection, problem, kci, late=step.late)
        self._update_log.touch(problem)
        if step.late:
            return
        problem.next_number = step.number + 1
        _follow(problem, kci.body["serviceProblem"])

    def _tell_tenant(
        self, connection: Connection, problem: Problem, kci: StoredKci, *, late: bool
    ) -> None:
        resolution_id: int | None = None
        if "serviceProblemResolution" in kci.body:
            resolution = kci.body["serviceProblemResolution"]
            # What comes late brings no news of a resolution that is known.
            resolution_id = self._update_log.save_resolution(
                connection, problem, resolution, only_new=late
            )
        for kind, change in updates.closed_changes(kci.body).items():
            changes.close(connection, problem.id, kind, change["id"], change["status"])
        self._update_log.tell(
            connection,
            problem,
            updates.of_kci(kci.body),
            resolution_id=resolution_id,
            received_on=kci.received_on,
        )

    def _mark_gap(self, connection: Connection, problem: Problem, missing: range) -> None:
        kcis.mark_gap(connection, problem.id, missing, self._machine.now())
        log.warning(
            "KCI numbers missing",
            gateway_id=problem.id,
            tenant=problem.tenant,
            first=missing.start,
            last=missing.stop - 1,
        )


def _problem_of(connection: Connection, origin: Origin, document: Mapping[str, Any]) -> Problem:
    """Return the problem that a KCI is about; raises Refusal where it is not its supplier's.

    Whose it is comes before anything else about it: a number says nothing of another's problem.
    """
    problem = problems.find(connection, document["serviceProblem"]["id"])
    if problem is None or not origin.may_mean(problem):
        raise not_found(422, "serviceProblem.id: no service problem of that id was sent to you")
    if is_of_another(problem.reference, document):
        raise not_found(422, "serviceProblem: its supplierReference belongs to another")
    return problem


def _follow(problem: Problem, entity: Mapping[str, Any]) -> None:
    """Make the supplier's words the problem's. What has failed or ended here stays so."""
    if problem.status in FINAL or problem.status == GatewayStatus.FAILED_TO_SEND:
        return
    problem.status = entity["status"]
    problem.reference = entity.get("supplierReference", problem.reference)
    problem.document = problem.document | picked(entity, *FOLLOWED)
