"""Reads what an installation has stored: for the tests, which have no other way to see it."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, select

from supplier_api.clock import SystemMachineClock
from supplier_api.store import Store, tables
from tests.system.installation import Installation


def gateway_lanes(installation: Installation) -> Sequence[Row[Any]]:
    """Return the lanes to the gateway, with the gateway's id of their problem."""
    query = (
        select(tables.lane, tables.service_problem.c.gateway_id)
        .join(tables.service_problem)
        .where(tables.lane.c.destination == "gateway")
    )
    store = Store(installation.database, SystemMachineClock())
    try:
        return store.read(lambda uow: uow.connection.execute(query).all())
    finally:
        store.close()
