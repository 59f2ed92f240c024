"""The tenants' door: takes what they ask for, and shows what became of it."""

from collections.abc import Callable, Mapping

from sqlalchemy import Connection

from supplier_api.sandbox.gateway import outgoing, tables
from supplier_api.sandbox.gateway.codes import CallKind, GatewayStatus
from supplier_api.sandbox.gateway.config import SandboxConfig, TenantAccount
from supplier_api.sandbox.gateway.database import GatewayDatabase
from supplier_api.sandbox.gateway.documents import Document
from supplier_api.sandbox.gateway.errors import GatewayRefusal, invalid, not_found
from supplier_api.sandbox.gateway.identifiers import Identifiers
from supplier_api.sandbox.gateway.records import calls, changes, problems, updates
from supplier_api.sandbox.gateway.records.problems import Problem
from supplier_api.sandbox.gateway.update_log import UpdateLog
from supplier_api.sandbox.gateway.views import answered_view, change_view, problem_view

CONVERSATION_ID = "X-Conversation-ID"
# Nothing can be asked about a problem that its supplier may not have.
NOT_SENT = frozenset({GatewayStatus.RECEIVED_BY_GATEWAY, GatewayStatus.FAILED_TO_SEND})


class TenantRequests:
    """Takes requests and shows problems.

    What has been answered is on disk and will be sent. Documents have passed their schema; headers
    go to the supplier as they are. All raise Refusal; ids of other tenants count as unknown.
    """

    def __init__(
        self,
        config: SandboxConfig,
        database: GatewayDatabase,
        update_log: UpdateLog,
        ids: Identifiers,
        wake_sender: Callable[[], None],
    ) -> None:
        """Call `wake_sender` after a commit that left something to send."""
        self._config = config
        self._database = database
        self._update_log = update_log
        self._ids = ids
        self._wake_sender = wake_sender

    def raise_problem(
        self, tenant: TenantAccount, headers: Mapping[str, str], document: Document
    ) -> Document:
        """Store a tenant's problem for its supplier and return the tenant's view of it."""
        return self._write(lambda connection: self._raise(connection, tenant, headers, document))

    def change(
        self, tenant: TenantAccount, kind: CallKind, headers: Mapping[str, str], document: Document
    ) -> Document:
        """Store an amendment or a cancellation and return the tenant's view of it."""

        def ask(connection: Connection) -> Document:
            problem_id = document["serviceProblemId"]
            problem = _problem(connection, tenant, problem_id)
            if problem is None:
                raise not_found(422, "serviceProblemId: you have no service problem of that id")
            _check_sent(problem, "serviceProblemId")
            change_id = self._ids.number(connection, tables.change, tenant.name)
            change = changes.add(connection, change_id, problem.id, kind, document)
            calls.add(
                connection,
                problem.id,
                kind,
                outgoing.CHANGES[kind],
                headers,
                outgoing.change_body(change),
                subject_id=change.id,
            )
            return change_view(change)

        return self._write(ask)

    def answer_resolution(
        self,
        tenant: TenantAccount,
        resolution_id: int,
        headers: Mapping[str, str],
        document: Document,
    ) -> Document:
        """Store the tenant's word on a resolution and return the resolution with it."""

        def answer(connection: Connection) -> Document:
            resolution = updates.find_resolution(connection, resolution_id)
            problem = _problem(connection, tenant, resolution.problem_id) if resolution else None
            if resolution is None or problem is None:
                raise unknown_resolution()
            _check_sent(problem, "id")
            calls.add(
                connection,
                problem.id,
                CallKind.RESOLUTION,
                outgoing.RESOLUTIONS + resolution.reference,
                headers,
                document,
                subject_id=resolution.id,
            )
            return answered_view(resolution, document)

        return self._write(answer)

    def show(self, tenant: TenantAccount, problem_id: int) -> Document:
        """Return the tenant's view of a problem; an unknown id is a 404."""

        def find(connection: Connection) -> Document:
            problem = _problem(connection, tenant, problem_id)
            if problem is None:
                raise not_found(404, "id: you have no service problem of that id")
            unsettled = calls.unsettled_answers(connection, problem_id)
            return problem_view(problem, updates.updates_of(connection, problem_id), unsettled)

        return self._database.read(find)

    def _write(self, work: Callable[[Connection], Document]) -> Document:
        view = self._database.write(work)
        self._wake_sender()
        return view

    def _raise(
        self,
        connection: Connection,
        tenant: TenantAccount,
        headers: Mapping[str, str],
        document: Document,
    ) -> Document:
        if self._config.supplier(document["supplier"]) is None:
            known = ", ".join(sorted(supplier.name for supplier in self._config.suppliers))
            raise invalid(f"supplier: expected one of {known}")
        problem = problems.add(
            connection,
            self._ids.number(connection, tables.problem, tenant.name),
            tenant.name,
            document["supplier"],
            headers[CONVERSATION_ID],
            outgoing.with_service(document),
            self._update_log.now(tenant.name),
        )
        body = outgoing.problem_body(problem, _parent_reference(connection, problem))
        calls.add(connection, problem.id, CallKind.PROBLEM, outgoing.PROBLEMS, headers, body)
        return problem_view(problem, [], {})


def unknown_resolution() -> GatewayRefusal:
    """Return the refusal of an answer to a resolution that the tenant does not have."""
    return not_found(422, "id: you have no service problem resolution of that id")


def _problem(connection: Connection, tenant: TenantAccount, problem_id: int) -> Problem | None:
    """Return the tenant's problem of that id, or None for any other."""
    problem = problems.find(connection, problem_id)
    return problem if problem is not None and problem.tenant == tenant.name else None


def _check_sent(problem: Problem, path: str) -> None:
    if problem.status in NOT_SENT:
        raise invalid(
            f"{path}: service problem {problem.id} is {problem.status}; "
            "its supplier cannot be asked about it"
        )


def _parent_reference(connection: Connection, problem: Problem) -> str | None:
    """Return the supplier's reference of the parent, where it is known and may be told."""
    parent_id = problem.document.get("parentServiceProblemId")
    parent = problems.find(connection, parent_id) if parent_id else None
    if parent is None or (parent.tenant, parent.supplier) != (problem.tenant, problem.supplier):
        return None
    return parent.reference
