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


def kci_states(installation: Installation, problem: int) -> list[str]:
    """Return what has become of each KCI of the problem with the gateway's id `problem`."""
    query = (
        select(tables.message.c.state)
        .join(tables.lane)
        .join(tables.service_problem)
        .where(tables.lane.c.destination == "gateway")
        .where(tables.service_problem.c.gateway_id == problem)
        .order_by(tables.message.c.number)
    )
    store = Store(installation.database, SystemMachineClock())
    try:
        return store.read(lambda uow: list(uow.connection.execute(query).scalars()))
    finally:
        store.close()
