"""The same request in two processes at the same moment: one effect, one answer."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace

import pytest

from supplier_api.problems.repository import ProblemRepository
from supplier_api.problems.services import RequestAnswer, Unavailable
from tests.integration.problems.conftest import MakeRig
from tests.integration.problems.interruption import Gate, Interrupted
from tests.integration.problems.rig import POLICY, Rig
from tests.waiting import PATIENCE


class TwoProcesses:
    """Two processes on one database; the first is stopped in the middle of its transaction."""

    def __init__(self, make_rig: MakeRig, url: str, budget: float = PATIENCE) -> None:
        policy = replace(POLICY, answer_budget=budget)
        self.gate = Gate()
        self._id_source = Interrupted()
        self.one = make_rig(url, policy=policy, id_source=self._id_source)
        self.other = make_rig(url, policy=policy)

    def stop_first(self) -> None:
        """Let the first process stop at the gate in its next request."""
        self._id_source.interrupt(self.gate.pass_through)


@pytest.fixture
def processes(upgraded_url: str, make_rig: MakeRig) -> TwoProcesses:
    return TwoProcesses(make_rig, upgraded_url)


@pytest.fixture
def hurried(upgraded_url: str, make_rig: MakeRig) -> TwoProcesses:
    """Return two processes that wait for each other for a moment only."""
    return TwoProcesses(make_rig, upgraded_url, budget=0.05)


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as pool:
        yield pool


@pytest.mark.parametrize("notes", ["none", "defer", "reject"])
def test_a_create_that_arrives_twice_at_once_is_done_once(
    processes: TwoProcesses, pool: ThreadPoolExecutor, notes: str
) -> None:
    processes.stop_first()
    first = pool.submit(processes.one.create, notes)
    if notes == "reject":
        # No reference is made, so there is no place to stop.
        processes.gate.open()
    else:
        processes.gate.wait_reached()
    second = pool.submit(processes.other.create, notes)
    processes.gate.open()

    assert first.result(PATIENCE) == second.result(PATIENCE)
    assert processes.one.store.read(lambda uow: ProblemRepository(uow).count()) == (
        notes != "reject"
    )


def test_a_change_that_arrives_twice_at_once_is_done_once(
    processes: TwoProcesses, pool: ThreadPoolExecutor
) -> None:
    processes.other.create()
    processes.other.say("ask-information", problem_code="OTHER", text="Which lights are on?")
    processes.other.take()
    processes.stop_first()
    first = pool.submit(processes.one.amend)
    processes.gate.wait_reached()
    second = pool.submit(processes.other.amend)
    processes.gate.open()

    assert first.result(PATIENCE) == second.result(PATIENCE)
    assert processes.one.kci_lines()[1:] == ["2 RESUMED/ACKNOWLEDGED"]


def test_the_word_on_a_resolution_that_arrives_twice_at_once_is_taken_once(
    upgraded_url: str, make_rig: MakeRig, pool: ThreadPoolExecutor
) -> None:
    rigs = [make_rig(upgraded_url), make_rig(upgraded_url)]
    rigs[0].create()
    rigs[0].resolve()
    answers = [pool.submit(rig.settle, "ACCEPTED") for rig in rigs]

    first, second = (answer.result(PATIENCE) for answer in answers)

    assert first == second
    assert first.status == 200
    assert rigs[0].kci_lines()[1:] == ["2 COMPLETED/COMPLETED + R ACCEPTED closed"]


def test_a_twin_waits_no_longer_than_its_budget(
    hurried: TwoProcesses, pool: ThreadPoolExecutor
) -> None:
    hurried.stop_first()
    first = pool.submit(hurried.one.create)
    hurried.gate.wait_reached()

    with pytest.raises(Unavailable) as refused:
        hurried.other.create()
    hurried.gate.open()
    answer = first.result(PATIENCE)

    assert refused.value.retry_after > 0
    assert hurried.other.create() == answer


def test_two_problems_at_once_on_one_service_see_each_other(
    processes: TwoProcesses, pool: ThreadPoolExecutor
) -> None:
    service = "SI0000000000100"
    processes.stop_first()
    first = pool.submit(processes.one.create, serviceId=service)
    processes.gate.wait_reached()
    second = pool.submit(processes.other.create, id=2, serviceId=service)
    processes.gate.open()

    assert first.result(PATIENCE).status == 201
    assert second.result(PATIENCE).status == 422


def test_numbers_have_no_gaps_however_many_speak_at_once(
    upgraded_url: str, make_rig: MakeRig, pool: ThreadPoolExecutor
) -> None:
    rigs = [make_rig(upgraded_url), make_rig(upgraded_url)]
    rigs[0].create()
    reference = rigs[0].problem().reference

    def talk(rig: Rig, speaker: int) -> None:
        for turn in range(4):
            rig.say("note", reference, id=f"{speaker}/{turn}", text="Still at it.")

    spoken = [pool.submit(talk, rigs[speaker % 2], speaker) for speaker in range(8)]
    for each in spoken:
        each.result(PATIENCE)

    # Reading them checks that the numbers go from 1 without a gap, and that the dates rise.
    assert len(rigs[0].kcis()) == 32


def test_an_amendment_and_an_event_at_once_follow_each_other(
    processes: TwoProcesses, pool: ThreadPoolExecutor
) -> None:
    processes.other.create()
    reference = processes.other.problem().reference
    processes.stop_first()
    answer: Future[RequestAnswer] = pool.submit(processes.one.amend, notes="defer")
    processes.gate.wait_reached()
    started = pool.submit(processes.other.say, "start", reference)
    processes.gate.open()

    assert answer.result(PATIENCE).status == 202
    assert started.result(PATIENCE).body["status"] == "PENDING_AMENDMENT"
    assert processes.one.kci_lines() == ["1 COMMITTED/PENDING_AMENDMENT"]
