"""A tenant's fresh start: nothing is left, and what comes is the same every time."""

from datetime import datetime

from sqlalchemy import Connection, Table, delete, select
from sqlalchemy.sql import ColumnElement

from supplier_api.db import UnitOfWork, tables
from supplier_api.problems.services import Services
from supplier_api.problems.timer_repository import ALL, BusinessClockRepository, TenantClock
from supplier_api.sandbox.clock_sync import GatewayClockSync
from supplier_api.sandbox.tenant_settings import TenantSettingRepository

_PROBLEM = tables.service_problem
# From the leaves to the root, so that nothing refers to what is gone.
_BY_TENANT = (
    tables.operator_action,
    tables.pause,
    tables.lane,
    tables.timer,
    tables.change_request,
    tables.decision,
    tables.service_problem,
    tables.scenario_choice,
    tables.scenario_default,
    tables.fault,
    tables.business_clock,
    tables.journal,
)
_BY_PROBLEM = (
    tables.resolution,
    tables.back_office_event,
    tables.ticket,
    tables.ticket_apart,
    tables.work_item,
)
_OF_NOBODY = (
    tables.incident_left,
    tables.incident_scope,
    tables.incident_service,
    tables.incident,
    tables.ticket_apart,
    tables.inbox,
    tables.poll_cursor,
)


def reset(
    services: Services,
    clock_sync: GatewayClockSync,
    tenant: str | None,
    *,
    seed: int | None = None,
    freeze_at: datetime | None = None,
) -> None:
    """Delete all that is stored for `tenant` (None for all tenants), its moved clock included.

    From `seed` its ids and references follow from now on, each from what it is for; its time
    stands at `freeze_at`. Without them ids are random and time runs as everybody's does. What a
    worker is sending at this moment arrives, and nothing is kept of it. `clock_sync` forgets what
    it has of the tenant as well, and goes with the clock. Raises StoreUnavailable.
    """
    name = ALL if tenant is None else tenant

    def work(uow: UnitOfWork) -> None:
        # Before any row: nobody takes a step with a clock that is deleted below.
        BusinessClockRepository(uow).lock()
        remove(uow.connection, tenant)
        if tenant is None:
            TenantSettingRepository(uow).forget_seeds()
        TenantSettingRepository(uow).set_seed(name, seed)
        if freeze_at:
            BusinessClockRepository(uow).put(TenantClock(name, stands_at=freeze_at))

    services.store.write(work)
    clock_sync.start_afresh(name, seed)
    clock_sync.forget(name)
    if freeze_at:
        clock_sync.put(name, freeze_at, stands=True)


def remove(connection: Connection, tenant: str | None) -> None:
    """Delete what is stored for `tenant`; with None for everybody, with the incidents.

    What was set for a tenant in `tenant_setting` stays.
    """
    problems = select(_PROBLEM.c.id)
    lanes = select(tables.lane.c.id)
    if tenant is not None:
        problems = problems.where(_PROBLEM.c.tenant == tenant)
        lanes = lanes.where(tables.lane.c.tenant == tenant)
    # Problems before lanes, as everywhere: who works on one finishes first, or finds nothing.
    connection.execute(problems.order_by(_PROBLEM.c.id).with_for_update()).all()
    _delete(connection, tables.message, tables.message.c.lane_id.in_(lanes))
    for table in _BY_PROBLEM:
        _delete(connection, table, table.c.problem_id.in_(problems))
    for table in _BY_TENANT:
        _delete(connection, table, *([] if tenant is None else [table.c.tenant == tenant]))
    if tenant is None:
        for table in _OF_NOBODY:
            _delete(connection, table)


def _delete(connection: Connection, table: Table, *which: ColumnElement[bool]) -> None:
    connection.execute(delete(table).where(*which))
