"""Late answers: before the commit nothing is stored, after it the problem is doubtful."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import Connection, event, select

from supplier_api.db import tables
from supplier_api.problems.repository import ProblemRepository
from supplier_api.problems.services import Unavailable
from tests.integration.problems.conftest import MakeRig
from tests.integration.problems.interruption import Interrupted
from tests.integration.problems.rig import Rig, problem

SERVICE = "SI0000000000100"


@contextmanager
def at_commit(rig: Rig, do: Callable[[Connection], None]) -> Iterator[None]:
    """Run code in the next COMMIT of a write, after everything else in the transaction."""
    left = [do]

    def hook(connection: Connection) -> None:
        if left and _has_written(connection):
            left.pop()(connection)

    event.listen(rig.store.engine, "commit", hook)
    try:
        yield
    finally:
        event.remove(rig.store.engine, "commit", hook)


def _has_written(connection: Connection) -> bool:
    """Return whether a transaction writes; on SQLite readers have another engine."""
    if connection.dialect.name == "sqlite":
        return True
    number = connection.exec_driver_sql("SELECT pg_current_xact_id_if_assigned()")
    return number.scalar() is not None


def slow_commit(rig: Rig) -> Any:
    """Let the next commit take longer than the gateway waits."""
    return at_commit(rig, lambda _: rig.machine.advance(10))


def answered_late(rig: Rig) -> datetime | None:
    """Return when the only answer was sent, if it was late."""
    query = select(tables.decision.c.answered_late)
    at: datetime | None = rig.store.read(lambda uow: uow.connection.execute(query).scalar_one())
    return at


def test_a_request_that_waited_too_long_leaves_nothing(rig: Rig) -> None:
    late = rig.caller(age=3.1)

    with pytest.raises(Unavailable) as refused:
        rig.intake.raise_problem(late, problem(serviceId=SERVICE))

    assert refused.value.retry_after > 0
    assert rig.store.read(lambda uow: ProblemRepository(uow).count()) == 0
    assert rig.create(serviceId=SERVICE).status == 201


def test_work_that_takes_too_long_is_rolled_back_before_its_commit(
    upgraded_url: str, make_rig: MakeRig
) -> None:
    id_source = Interrupted()
    rig = make_rig(upgraded_url, id_source=id_source)
    id_source.interrupt(lambda: rig.machine.advance(3.1))

    with pytest.raises(Unavailable):
        rig.create()

    assert rig.store.read(lambda uow: ProblemRepository(uow).count()) == 0
    assert rig.create().status == 201
    assert answered_late(rig) is None


def test_a_late_answer_is_noted_and_its_problem_is_doubtful(rig: Rig) -> None:
    with slow_commit(rig):
        assert rig.create().status == 201

    assert rig.problem().doubtful
    assert answered_late(rig) == rig.machine.now()


def test_an_answer_in_time_leaves_no_doubt(rig: Rig) -> None:
    rig.create()

    assert not rig.problem().doubtful
    assert answered_late(rig) is None


def test_a_late_answer_to_a_change_is_noted_without_doubt_about_the_problem(rig: Rig) -> None:
    rig.create()
    with slow_commit(rig):
        assert rig.amend().status == 201

    late = select(tables.decision.c.operation).where(tables.decision.c.answered_late.is_not(None))
    operations = rig.store.read(lambda uow: uow.connection.execute(late).scalars().all())
    assert operations == ["amendment"]
    assert not rig.problem().doubtful


def test_a_doubtful_problem_is_not_open_on_its_service_and_the_next_is_linked_to_it(
    rig: Rig,
) -> None:
    with slow_commit(rig):
        rig.create(serviceId=SERVICE)

    assert rig.create(id=2, serviceId=SERVICE).status == 201

    assert rig.problem(2).linked_to == rig.problem(1).reference
    assert rig.create(id=3, serviceId=SERVICE).status == 422


def test_a_problem_is_linked_to_nothing_without_doubt(rig: Rig) -> None:
    rig.create(serviceId=SERVICE)
    rig.cancel()
    rig.create(id=2, serviceId=SERVICE)

    assert rig.problem(2).linked_to is None


def _took_a_kci(rig: Rig) -> None:
    rig.say("start")
    rig.take()


SIGNS_OF_LIFE: list[Callable[[Rig], object]] = [
    _took_a_kci,
    lambda rig: rig.amend(),
    lambda rig: rig.amend(notes="reject"),
    lambda rig: rig.cancel(text="defer"),
]


@pytest.mark.parametrize("sign", SIGNS_OF_LIFE, ids=["kci", "amendment", "refused", "cancellation"])
def test_a_sign_of_life_from_the_gateway_ends_the_doubt(
    rig: Rig, sign: Callable[[Rig], object]
) -> None:
    with slow_commit(rig):
        rig.create(serviceId=SERVICE)

    sign(rig)

    assert not rig.problem().doubtful
    assert rig.create(id=2, serviceId=SERVICE).status == 422


def test_the_word_on_a_resolution_ends_the_doubt(rig: Rig) -> None:
    with slow_commit(rig):
        rig.create()
    rig.resolve()
    assert rig.settle("REJECTED").status == 200

    assert not rig.problem().doubtful


def test_a_gateway_that_does_not_know_the_problem_puts_it_in_doubt(rig: Rig) -> None:
    rig.create()
    problem_id = rig.problem().id

    rig.store.write(lambda uow: ProblemRepository(uow).mark_doubtful(problem_id))

    assert rig.problem().doubtful
