"""Heartbeats of processes, and which problems become doubtful when one is killed."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from supplier_api.db import StoreUnavailable, UnitOfWork, tables
from supplier_api.operations.heartbeat import (
    REMEMBERED,
    Activity,
    CrashDetector,
    ProcessInfo,
    ProcessRegistry,
)
from supplier_api.operations.installation import (
    InstallationRepository,
    InstallationStamp,
)
from supplier_api.operations.processes import Process, ProcessKind, ProcessRepository
from supplier_api.problems.services import Services
from tests.integration.problems.conftest import MakeRig
from tests.integration.problems.rig import Rig
from tests.logs import Lines, logging_to

OURS = InstallationStamp("test", "gateway.example")
SILENCE = timedelta(seconds=15)


@pytest.fixture
def logged(capsys: pytest.CaptureFixture[str]) -> Iterator[Lines]:
    with logging_to(capsys) as lines:
        yield lines


def named(rig: Rig, name: str) -> Services:
    """Return the services of a process of that name."""
    return replace(rig.services, process=name)


def presence(rig: Rig, name: str = "web", kind: ProcessKind = ProcessKind.WEB) -> ProcessRegistry:
    return ProcessRegistry(
        named(rig, name), ProcessInfo(kind, Activity(rig.machine), lambda: "book"), OURS, patience=1
    )


def answered_by(rig: Rig, name: str) -> None:
    """Let every answer so far be from the process and committed now."""
    values = {"process": name, "committed": rig.machine.now()}
    change = update(tables.decision).where(tables.decision.c.process == "").values(values)
    rig.store.write(lambda uow: uow.connection.execute(change).rowcount)


def deaths(rig: Rig) -> CrashDetector:
    return CrashDetector(named(rig, "worker"), SILENCE)


def processes(rig: Rig) -> list[Process]:
    return rig.store.read(lambda uow: ProcessRepository(uow).all())


def test_a_process_shows_itself_until_it_ends(rig: Rig) -> None:
    activity = Activity(rig.machine)
    shown = ProcessRegistry(
        named(rig, "w"), ProcessInfo(ProcessKind.WORKER, activity), OURS, patience=1
    )
    shown.begin()
    started = rig.machine.now()
    rig.machine.advance(5)
    activity.note("gateway")
    shown.beat()

    [seen] = processes(rig)
    assert (seen.name, seen.kind, seen.ended) == ("w", ProcessKind.WORKER, None)
    assert (seen.started, seen.seen) == (started, rig.machine.now())
    assert seen.detail == {"gateway": "2026-01-05T12:00:05.000Z"}

    shown.end()
    [seen] = processes(rig)
    assert seen.ended == rig.machine.now()
    assert not seen.died


def test_the_answers_of_a_web_servers_last_seconds_are_put_in_doubt(
    rig: Rig, logged: Lines
) -> None:
    web = presence(rig)
    web.begin()
    rig.create(id=1)
    answered_by(rig, "web")
    rig.machine.advance(5)
    web.beat()  # the first answer left 5 s ago, and is not in doubt
    rig.create(id=2)
    answered_by(rig, "web")
    rig.machine.advance(2)
    rig.create(id=3)
    answered_by(rig, "web")
    rig.create(id=4)
    answered_by(rig, "another web server")
    rig.machine.advance(SILENCE.total_seconds())

    deaths(rig).find()

    assert [rig.problem(each).doubtful for each in (1, 2, 3, 4)] == [False, True, True, False]
    [dead] = processes(rig)
    assert dead.died
    assert dead.ended == rig.machine.now()
    assert dead.detail["doubtful"] == 2
    [line] = [line for line in logged() if line["event"] == "process.died"]
    assert (line["process"], line["doubtful"]) == ("web", 2)


def test_who_was_seen_lately_lives(rig: Rig) -> None:
    presence(rig).begin()
    rig.create()
    answered_by(rig, "web")
    rig.machine.advance(SILENCE.total_seconds())

    deaths(rig).find()

    assert not rig.problem().doubtful
    assert processes(rig)[0].ended is None


def test_what_ended_in_good_order_leaves_no_doubt(rig: Rig) -> None:
    web = presence(rig)
    web.begin()
    rig.create()
    answered_by(rig, "web")
    web.end()
    rig.machine.advance(60)

    deaths(rig).find()

    assert not rig.problem().doubtful


def _killed_after_a_create(rig: Rig) -> None:
    presence(rig).begin()
    rig.create()
    answered_by(rig, "web")


def _found(rig: Rig) -> None:
    rig.machine.advance(SILENCE.total_seconds() + 1)
    deaths(rig).find()


def test_a_kci_that_was_taken_shows_that_the_gateway_knows_the_problem(rig: Rig) -> None:
    _killed_after_a_create(rig)
    rig.say("start")
    rig.take()
    _found(rig)

    assert not rig.problem().doubtful


def test_a_further_request_shows_it_too(rig: Rig) -> None:
    _killed_after_a_create(rig)
    rig.amend()
    _found(rig)

    assert not rig.problem().doubtful


def test_the_same_request_answered_by_another_process_shows_it_too(
    upgraded_url: str, make_rig: MakeRig
) -> None:
    rig = make_rig(upgraded_url)
    _killed_after_a_create(rig)
    other = make_rig(upgraded_url, process="other")
    assert other.create().status == 201
    _found(rig)

    assert not rig.problem().doubtful


def test_the_doubt_comes_once(rig: Rig) -> None:
    _killed_after_a_create(rig)
    _found(rig)
    assert rig.problem().doubtful
    rig.create()  # once more, and so it knows

    deaths(rig).find()

    assert not rig.problem().doubtful


def test_a_dead_worker_leaves_no_doubt(rig: Rig) -> None:
    presence(rig, "web", ProcessKind.WORKER).begin()
    rig.create()
    answered_by(rig, "web")
    _found(rig)

    assert not rig.problem().doubtful
    assert processes(rig)[0].died


def test_more_than_fit_into_one_transaction(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("supplier_api.operations.heartbeat.BATCH", 2)
    presence(rig).begin()
    for number in range(1, 6):
        rig.create(id=number)
    answered_by(rig, "web")
    _found(rig)

    assert all(rig.problem(number).doubtful for number in range(1, 6))
    assert processes(rig)[0].detail["doubtful"] == 5


def test_who_gets_a_dead_ones_name_buries_it_first(rig: Rig) -> None:
    _killed_after_a_create(rig)
    rig.machine.advance(1)

    presence(rig).begin()

    assert rig.problem().doubtful
    [seen] = processes(rig)
    assert (seen.started, seen.died) == (rig.machine.now(), False)


def test_long_ended_processes_are_forgotten(rig: Rig) -> None:
    web = presence(rig)
    web.begin()
    web.end()
    rig.machine.advance(REMEMBERED.total_seconds())
    deaths(rig).find()
    assert len(processes(rig)) == 1
    rig.machine.advance(1)
    deaths(rig).find()
    assert processes(rig) == []


def test_a_database_that_became_somebody_elses_is_left_alone(rig: Rig, logged: Lines) -> None:
    shown = presence(rig)
    rig.store.write(lambda uow: InstallationRepository(uow).put_first(OURS, rig.machine.now()))
    shown.begin()
    theirs = InstallationStamp("live", "gateway.example")
    begun = rig.machine.now()

    def restamp(uow: UnitOfWork) -> None:
        InstallationRepository(uow).replace(theirs, begun)

    rig.store.write(restamp)
    rig.machine.advance(5)
    shown.beat()
    shown.beat()

    assert shown.foreign == theirs
    assert processes(rig)[0].seen == begun
    assert [line["event"] for line in logged()] == ["stamp.foreign"]


def samples(rig: Rig) -> list[tuple[str, str, dict[str, int]]]:
    """Return whose the stored samples are, and their numbers."""
    of = tables.metric_sample.c
    query = select(of.process, of.kind, of.counts).order_by(of.at)
    return rig.store.read(lambda uow: [tuple(row) for row in uow.connection.execute(query)])


def counting(rig: Rig) -> tuple[ProcessRegistry, Activity]:
    """Return a web server's registry that has begun, and its activity."""
    activity = Activity(rig.machine)
    me = ProcessInfo(ProcessKind.WEB, activity)
    registry = ProcessRegistry(named(rig, "web"), me, OURS, patience=1)
    registry.begin()
    return registry, activity


def test_what_a_process_counted_is_stored_every_ten_seconds_and_at_its_end(rig: Rig) -> None:
    web, activity = counting(rig)
    activity.metrics.answered(201, 0.007)
    rig.machine.advance(5)
    web.beat()
    assert samples(rig) == []
    rig.machine.advance(5)
    web.beat()
    first = ("web", "web", {"answer.201": 1, "ms.10": 1})
    assert samples(rig) == [first]
    rig.machine.advance(10)
    web.beat()  # nothing happened
    activity.metrics.refused_unread()
    rig.machine.advance(1)
    web.end()
    assert samples(rig) == [first, ("web", "web", {"unread": 1})]


def test_what_was_counted_without_the_database_is_stored_later(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    web, activity = counting(rig)

    def unavailable(*_: object, **_more: object) -> None:
        raise StoreUnavailable("MARKER")

    with monkeypatch.context() as patch:
        patch.setattr(rig.store, "write", unavailable)
        for status in (503, 500):
            activity.metrics.answered(status, 1.0)
            rig.machine.advance(10)
            with pytest.raises(StoreUnavailable):
                web.beat()
    web.beat()

    assert [each[2] for each in samples(rig)] == [
        {"answer.503": 1, "ms.1000": 1},
        {"answer.500": 1, "ms.1000": 1},
    ]
