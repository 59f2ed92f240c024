"""Deletes all that was ever stored for a tenant, or for all of them."""

from sqlalchemy import Connection, Table, delete, select
from sqlalchemy.sql import ColumnElement

from supplier_api.db import tables

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
_BY_PROBLEM = (tables.resolution, tables.back_office_event)
_OF_NOBODY = (tables.incident_service, tables.incident)


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
