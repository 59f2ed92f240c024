"""An incident with ten thousand problems: linked, interrupted, ended and left."""

from typing import Any

import pytest
from sqlalchemy import func, insert, select, text

from supplier_api.db import tables
from supplier_api.problems.services import DESTINATIONS, GATEWAY
from tests.integration.problems.conftest import MakeRig
from tests.integration.problems.rig import Rig, problem

MANY = 10_000
BATCHES = 2  # of a hundred, before the workers die; as many before the incident ends
AT_ONCE = 2_000


def fill(rig: Rig) -> None:
    """Store that many problems, each acknowledged on a service of its own, with idle lanes."""
    now = rig.machine.now()

    def row(number: int) -> dict[str, Any]:
        document = problem(number)
        return {
            "id": number,
            "tenant": "TENANT1",
            "gateway_id": number,
            "reference": f"SP_{number:010d}",
            "service_id": document["serviceId"],
            "conversation_id": "conversation-1",
            "base": "ACKNOWLEDGED",
            "document": document,
            "next_kci": 1,
            "next_order": 1,
            "reference_known": True,
            "version": 1,
            "created": now,
            "updated": now,
        }

    def lane(number: int, destination: str) -> dict[str, Any]:
        return {
            "problem_id": number,
            "tenant": "TENANT1",
            "destination": destination,
            "attempts": 0,
            "claim_no": 0,
            "parked": False,
        }

    for start in range(1, MANY + 1, AT_ONCE):
        numbers = range(start, start + AT_ONCE)
        lanes = [lane(number, each) for number in numbers for each in DESTINATIONS]
        with rig.store.engine.begin() as connection:
            connection.execute(insert(tables.service_problem), [row(each) for each in numbers])
            if connection.dialect.name == "postgresql":
                # Else it may look up each lane's problem by reading all of them, as it had planned
                # while there were few.
                connection.execute(text("ANALYZE service_problem"))
            connection.execute(insert(tables.lane), lanes)


def linked(rig: Rig) -> int:
    """Return how many problems are part of an incident."""
    of = tables.service_problem.c
    query = select(func.count()).where(of.incident == "INC1", of.waiting == "NETWORK_INCIDENT")
    return rig.store.read(lambda uow: uow.connection.execute(query).scalar_one())


def kcis_sent(rig: Rig) -> set[tuple[str, int, int]]:
    """Return the KCIs by reason and number, each with the count of problems."""
    message, lane = tables.message.c, tables.lane
    query = (
        select(message.kind, message.number, func.count(lane.c.problem_id.distinct()))
        .select_from(tables.message.join(lane))
        .where(lane.c.destination == GATEWAY)
        .group_by(message.kind, message.number)
    )
    return rig.store.read(
        lambda uow: {(kind, number, many) for kind, number, many in uow.connection.execute(query)}
    )


class Killed(BaseException):
    """The process ends here."""


@pytest.mark.slow
def test_ten_thousand_problems(
    monkeypatch: pytest.MonkeyPatch, upgraded_url: str, make_rig: MakeRig
) -> None:
    first = make_rig(upgraded_url)
    fill(first)
    references = [f"SP_{number:010d}" for number in range(1, MANY // 2 + 1)]
    services = [problem(number)["serviceId"] for number in range(MANY // 2 + 1, MANY + 1)]
    assert first.incidents.declare("INC1", services, problems=references)
    (shown,) = first.incidents.listed()
    assert (shown["services"], shown["linked"], shown["underWay"]) == (MANY, 0, True)
    for batch in range(1, BATCHES + 1):
        assert first.timers.run_due() == 1
        assert linked(first) == 100 * batch

    # Killed in the middle of a transaction: it is rolled back.
    seen = 0

    def die(*_: object) -> None:
        nonlocal seen
        seen += 1
        if seen == 50:
            raise Killed

    with monkeypatch.context() as dying:
        dying.setattr("supplier_api.problems.incidents._Pace.step", die)
        with pytest.raises(Killed):
            first.timers.run_due()
    first.store.close()
    second = make_rig(upgraded_url)
    assert linked(second) == 100 * BATCHES

    # Another process continues after the last commit, and sends no KCI twice.
    for _ in range(BATCHES):
        second.timers.run_due()
    assert linked(second) == 200 * BATCHES
    assert kcis_sent(second) == {("DELAY", 1, 200 * BATCHES)}

    # Ended while linking continues: no further problem is linked, and linked ones leave.
    assert second.incidents.end("INC1")
    second.run_timers()
    assert linked(second) == 0
    assert kcis_sent(second) == {("DELAY", 1, 200 * BATCHES), ("RESUMED", 2, 200 * BATCHES)}
    assert second.incidents.listed() == []
    assert second.timers.next_due() is None
