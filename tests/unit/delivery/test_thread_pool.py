"""The threads of one destination."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from supplier_api.clock import ManualMachineClock
from supplier_api.delivery.threads import ThreadPool

PATIENCE = 45.0


@contextmanager
def pool_of(
    size: int, work: Callable[[str], None], clock: ManualMachineClock | None = None
) -> Iterator[tuple[ThreadPool[str], threading.Semaphore]]:
    """Yield a pool at work, and a semaphore that counts the jobs it reports as done."""
    done = threading.Semaphore(0)
    pool: ThreadPool[str] = ThreadPool(
        "pool", size, work, done.release, clock or ManualMachineClock(), PATIENCE
    )
    yield pool, done
    pool.stop()


def test_it_does_each_job_and_says_so() -> None:
    seen: list[str] = []
    with pool_of(2, seen.append) as (pool, done):
        for job in "abc":
            pool.submit([job])
        assert all(done.acquire(timeout=10) for _ in range(3))
        assert pool.join(10)
    assert sorted(seen) == ["a", "b", "c"]


def test_it_counts_busy_and_promised_threads() -> None:
    started, go_on = threading.Semaphore(0), threading.Event()

    def work(_job: str) -> None:
        started.release()
        assert go_on.wait(10)

    with pool_of(2, work) as (pool, _done):
        pool.submit(["a"])
        assert started.acquire(timeout=10)
        assert pool.free() == 1
        pool.submit(["b"])
        pool.submit(["c"])
        assert pool.free() == 0
        assert sorted(pool.jobs()) == ["a", "b", "c"]
        go_on.set()
        assert pool.join(10)
        assert pool.free() == 2


def test_a_job_that_raises_costs_no_thread() -> None:
    def work(job: str) -> None:
        if job == "bad":
            raise ValueError

    with pool_of(1, work) as (pool, done):
        pool.submit(["bad"])
        pool.submit(["good"])
        assert done.acquire(timeout=10)
        assert done.acquire(timeout=10)


def test_a_stuck_thread_is_replaced_and_no_longer_counts() -> None:
    clock, started, go_on = ManualMachineClock(), threading.Event(), threading.Event()
    seen: list[str] = []

    def work(job: str) -> None:
        if job == "stuck":
            started.set()
            assert go_on.wait(10)
        seen.append(job)

    with pool_of(1, work, clock) as (pool, done):
        pool.submit(["stuck"])
        assert started.wait(10)
        pool.replace_stuck()
        assert pool.free() == 0
        clock.advance(PATIENCE + 1)
        pool.replace_stuck()
        assert pool.free() == 1
        pool.submit(["next"])
        assert done.acquire(timeout=10)
        assert seen == ["next"]
        go_on.set()


def test_stopped_it_hands_back_what_has_not_begun_and_ends_what_has() -> None:
    started, go_on = threading.Event(), threading.Event()
    seen: list[str] = []

    def work(job: str) -> None:
        started.set()
        assert go_on.wait(10)
        seen.append(job)

    with pool_of(1, work) as (pool, _done):
        pool.submit(["begun"])
        assert started.wait(10)
        pool.submit(["waiting"])
        assert pool.stop() == ["waiting"]
        assert not pool.join(0)
        go_on.set()
        assert pool.join(10)
    assert seen == ["begun"]
