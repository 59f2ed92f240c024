"""Reads what an installation has stored: for the tests, which have no other way to see it."""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Row, select, update

from supplier_api.clock import SystemMachineClock
from supplier_api.db import Store, tables
from supplier_api.operations.metric_samples import MetricPoint, MetricSampleRepository, series
from supplier_api.operations.metrics import MetricSample
from tests.system.installation import Installation


def gateway_lanes(installation: Installation) -> Sequence[Row[Any]]:
    """Return the lanes to the gateway, with the gateway's id of their problem."""
    query = (
        select(tables.lane, tables.service_problem.c.gateway_id)
        .join(tables.service_problem)
        .where(tables.lane.c.destination == "gateway")
    )
    with _store(installation) as store:
        return store.read(lambda uow: uow.connection.execute(query).all())


def kci_states(installation: Installation, problem: int) -> list[str]:
    """Return what has become of each KCI of the problem with the gateway's id `problem`."""
    query = (
        select(tables.message.c.state)
        .join(tables.lane, tables.lane.c.id == tables.message.c.lane_id)
        .join(tables.service_problem, tables.service_problem.c.id == tables.lane.c.problem_id)
        .where(tables.lane.c.destination == "gateway")
        .where(tables.service_problem.c.gateway_id == problem)
        .order_by(tables.message.c.number)
    )
    with _store(installation) as store:
        return store.read(lambda uow: list(uow.connection.execute(query).scalars()))


@dataclass
class StoredProblem:
    """A problem, with its KCIs by their numbers: the id of each, and what became of it."""

    gateway_id: int
    reference: str
    conversation: str
    base: str
    kcis: list[str]
    states: list[str]


def stored_problems(installation: Installation) -> list[StoredProblem]:
    """Return every problem that is stored."""
    problem, lane, message = tables.service_problem, tables.lane, tables.message
    query = (
        select(
            problem.c.gateway_id,
            problem.c.reference,
            problem.c.conversation_id,
            problem.c.base,
            message.c.uuid,
            message.c.state,
        )
        .select_from(problem.join(lane).outerjoin(message))
        .where(lane.c.destination == "gateway")
        .order_by(problem.c.id, message.c.number)
    )
    with _store(installation) as store:
        rows = store.read(lambda uow: uow.connection.execute(query).all())
    found: dict[int, StoredProblem] = {}
    for gateway_id, reference, conversation, base, uuid, state in rows:
        known = found.setdefault(
            gateway_id, StoredProblem(gateway_id, reference, conversation, base, [], [])
        )
        if uuid is not None:
            known.kcis.append(uuid)
            known.states.append(state)
    return list(found.values())


def forget_lane(installation: Installation, gateway_id: int) -> int | None:
    """Let nobody know that a problem's lane to the gateway is due, as a fault of ours would.

    Only a lane in back-off; returns its id, or None if it is not in back-off now.
    """
    lane, problem = tables.lane, tables.service_problem
    own = select(problem.c.id).where(problem.c.gateway_id == gateway_id).scalar_subquery()
    forget = (
        update(lane)
        .where(
            lane.c.problem_id == own,
            lane.c.destination == "gateway",
            lane.c.attempts > 0,
            lane.c.lease_owner.is_(None),
            lane.c.due_at.is_not(None),
        )
        .values(due_at=None)
        .returning(lane.c.id)
    )
    with _store(installation) as store:
        return store.write(lambda uow: uow.connection.execute(forget).scalar_one_or_none())


def metric_points(installation: Installation, back: timedelta) -> list[MetricPoint]:
    """Return what its processes counted, for each of the last minutes."""
    now = SystemMachineClock().now()
    with _store(installation) as store:
        return store.read(lambda uow: series(uow, now - back, now, timedelta(minutes=1)))


def add_metrics(installation: Installation, ago: timedelta, **counts: int) -> None:
    """Let a process have counted something so long ago."""
    sample = MetricSample(SystemMachineClock().now() - ago, 10.0, counts)
    with _store(installation) as store:
        store.write(lambda uow: MetricSampleRepository(uow).add("web/0", "web", [sample]))


@contextmanager
def _store(installation: Installation) -> Iterator[Store]:
    with closing(Store(installation.database, SystemMachineClock())) as store:
        yield store
