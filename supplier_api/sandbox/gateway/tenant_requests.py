"""What tenants and testers ask of the gateway, and what tenants are shown of it."""

from collections.abc import Callable, Mapping

from supplier_api.contract.codes import ActionType, InformationType
from supplier_api.contract.headers import CONVERSATION_ID
from supplier_api.sandbox.gateway import supplier_calls
from supplier_api.sandbox.gateway.clock_and_ids import ALL
from supplier_api.sandbox.gateway.codes import (
    CallKind,
    GatewayRefusal,
    ProblemStatus,
    UpdateType,
    invalid,
    not_found,
)
from supplier_api.sandbox.gateway.config import TenantAccount
from supplier_api.sandbox.gateway.model import Change, Document, Problem, SupplierCall
from supplier_api.sandbox.gateway.repository import GatewayServices, Records
from supplier_api.sandbox.gateway.updates import (
    answered_view,
    change_view,
    of_gateway,
    problem_view,
)

# Nothing can be asked about a problem that its supplier may not have.
NOT_SENT = frozenset({ProblemStatus.RECEIVED_BY_GATEWAY, ProblemStatus.FAILED_TO_SEND})
# The updates that testers can make.
MADE: Mapping[tuple[str, str], InformationType | ActionType] = {
    (UpdateType.INFORMATIONAL, InformationType.RESCHEDULED): InformationType.RESCHEDULED,
    (UpdateType.INFORMATIONAL, InformationType.RESUBMIT): InformationType.RESUBMIT,
    (UpdateType.ACTION_REQUIRED, ActionType.CONTACT_CUSTOMER): ActionType.CONTACT_CUSTOMER,
    (UpdateType.ACTION_REQUIRED, ActionType.CONTACT_REAPPOINT): ActionType.CONTACT_REAPPOINT,
}


class TenantRequests:
    """Takes requests and shows problems.

    What has been answered is on disk and will be sent. Documents have passed their schema; headers
    go to the supplier as they are. All raise GatewayRefusal; ids of other tenants count as unknown.
    """

    def __init__(self, services: GatewayServices, wake_sender: Callable[[], None]) -> None:
        """Call `wake_sender` after a commit that left something to send."""
        self._services = services
        self._wake_sender = wake_sender

    def raise_problem(
        self, tenant: TenantAccount, headers: Mapping[str, str], document: Document
    ) -> Document:
        """Store a tenant's problem for its supplier and return the tenant's view of it."""
        config = self._services.config
        if config.supplier(document["supplier"]) is None:
            known = ", ".join(sorted(supplier.name for supplier in config.suppliers))
            raise invalid(f"supplier: expected one of {known}")

        def store(records: Records) -> Document:
            now = records.now(tenant.name)
            problem = Problem(
                id=records.number(Problem, tenant.name),
                tenant=tenant.name,
                supplier=document["supplier"],
                conversation_id=headers[CONVERSATION_ID],
                document=supplier_calls.with_service(document),
                created=now,
                updated=now,
            )
            records.add(problem)
            body = supplier_calls.problem_body(problem, _parent_reference(records, problem))
            records.add(
                SupplierCall(
                    problem_id=problem.id,
                    kind=CallKind.PROBLEM,
                    path=supplier_calls.PROBLEMS,
                    headers=dict(headers),
                    body=body,
                )
            )
            return problem_view(problem, [], {})

        return self._write(store)

    def change(
        self, tenant: TenantAccount, kind: CallKind, headers: Mapping[str, str], document: Document
    ) -> Document:
        """Store an amendment or a cancellation and return the tenant's view of it."""

        def store(records: Records) -> Document:
            problem = _problem(records, tenant, document["serviceProblemId"])
            if problem is None:
                raise not_found(422, "serviceProblemId: you have no service problem of that id")
            _check_sent(problem, "serviceProblemId")
            change_id = records.number(Change, tenant.name)
            change = Change(id=change_id, problem_id=problem.id, kind=kind, document=document)
            records.add(change)
            records.add(
                SupplierCall(
                    problem_id=problem.id,
                    kind=kind,
                    path=supplier_calls.CHANGES[kind],
                    headers=dict(headers),
                    body=supplier_calls.change_body(change),
                    subject_id=change.id,
                )
            )
            return change_view(change)

        return self._write(store)

    def answer_resolution(
        self,
        tenant: TenantAccount,
        resolution_id: int,
        headers: Mapping[str, str],
        document: Document,
    ) -> Document:
        """Store the tenant's answer to a resolution and return the resolution with it."""

        def store(records: Records) -> Document:
            resolution = records.find_resolution(resolution_id)
            problem = _problem(records, tenant, resolution.problem_id) if resolution else None
            if resolution is None or problem is None:
                raise unknown_resolution()
            _check_sent(problem, "id")
            records.add(
                SupplierCall(
                    problem_id=problem.id,
                    kind=CallKind.RESOLUTION,
                    path=supplier_calls.RESOLUTIONS + resolution.reference,
                    headers=dict(headers),
                    body=document,
                    subject_id=resolution.id,
                )
            )
            return answered_view(resolution, document)

        return self._write(store)

    def show(self, tenant: TenantAccount, problem_id: int) -> Document:
        """Return the tenant's view of a problem; an unknown id is a 404."""

        def find(records: Records) -> Document:
            problem = _problem(records, tenant, problem_id)
            if problem is None:
                raise not_found(404, "id: you have no service problem of that id")
            unsettled = records.unsettled_answers(problem_id)
            return problem_view(problem, records.updates(problem_id), unsettled)

        return self._services.read(find)

    def _write(self, work: Callable[[Records], Document]) -> Document:
        view = self._services.write(work)
        self._wake_sender()
        return view


class TesterRequests:
    """What testers can do to a problem, whosever it is."""

    def __init__(self, services: GatewayServices) -> None:
        """Work with `services`."""
        self._services = services

    def start_afresh(self, tenant: str | None, seed: int | None) -> None:
        """Forget a tenant's problems at our own supplier, with None everybody's there.

        From `seed` its ids follow from now on; without one they are any. Problems at other
        suppliers stay: theirs go on.
        """
        ids = self._services.ids
        ours = [supplier.name for supplier in self._services.config.suppliers if supplier.ours]

        def forget(records: Records) -> None:
            records.delete_problems(tenant, ours)
            ids.keep_seed(records.connection, tenant or ALL, seed)

        self._services.write(forget)
        ids.reload()

    def make_update(self, document: Document) -> Document:
        """Add an update to which no supplier's KCI leads; return its id. Raises GatewayRefusal.

        `document` has passed the schema ADMIN_UPDATE. The problem's status stays.
        """
        made = MADE.get((document["updateType"], document["type"]))
        if made is None:
            possible = ", ".join(" ".join(pair) for pair in MADE)
            raise invalid(f"type: expected one of {possible}")
        update = of_gateway(made, document.get("text"))

        def add(records: Records) -> Document:
            problem = records.find_problem(document["problem"])
            if problem is None:
                raise not_found(422, "problem: there is no service problem of that id")
            records.touch(problem)
            return {"id": records.add_update(problem, update)}

        return self._services.write(add)


def unknown_resolution() -> GatewayRefusal:
    """Return the refusal of an answer to a resolution that the tenant does not have."""
    return not_found(422, "id: you have no service problem resolution of that id")


def _problem(records: Records, tenant: TenantAccount, problem_id: int) -> Problem | None:
    """Return the tenant's problem of that id, or None for any other."""
    problem = records.find_problem(problem_id)
    return problem if problem is not None and problem.tenant == tenant.name else None


def _check_sent(problem: Problem, path: str) -> None:
    if problem.status in NOT_SENT:
        raise invalid(
            f"{path}: service problem {problem.id} is {problem.status}; "
            "its supplier cannot be asked about it"
        )


def _parent_reference(records: Records, problem: Problem) -> str | None:
    """Return the supplier's reference of the parent, where it is known and may be shown."""
    parent_id = problem.document.get("parentServiceProblemId")
    parent = records.find_problem(parent_id) if parent_id else None
    if parent is None or (parent.tenant, parent.supplier) != (problem.tenant, problem.supplier):
        return None
    return parent.reference
