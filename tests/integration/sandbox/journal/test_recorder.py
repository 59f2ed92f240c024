"""Calls are written beside the work, in order, in bounds, and all of them before the end."""

import itertools
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from supplier_api.clock import MachineClock, ManualBusinessClock, ManualMachineClock, to_wire
from supplier_api.db import Store
from supplier_api.sandbox.journal.entries import HttpPart, JournalDirection, JournalEntry
from supplier_api.sandbox.journal.recorder import WAITING, Bounds, Recorder
from supplier_api.sandbox.journal.repository import JournalFilter, JournalRepository
from tests.logs import Lines
from tests.waiting import PATIENCE

MANY = Bounds(calls=1000, bytes=10**6)
ALL = JournalFilter()


def call(machine: MachineClock, **changes: Any) -> JournalEntry:
    """Return a call with some of its values replaced."""
    values: dict[str, Any] = {
        "at": machine.now(),
        "direction": JournalDirection.IN,
        "operation": "service-problems",
        "tenant": "TENANT1",
        "method": "POST",
        "url": "/service-problems",
        "request": HttpPart(),
        "answer": HttpPart(),
        "status": 201,
        "milliseconds": 1.0,
        **changes,
    }
    return JournalEntry(**values)


class Pen:
    """Records calls and reads them back."""

    def __init__(self, store: Store, business: ManualBusinessClock, bounds: Bounds) -> None:
        self.store = store
        self.machine = business.machine
        self.recorder = Recorder(store, business, bounds)

    def write(self, **values: Any) -> None:
        """Record a call."""
        self.recorder.record(partial(call, self.machine, **values))

    def read(self, wanted: JournalFilter = ALL) -> list[dict[str, Any]]:
        """Return what is stored, when all is."""
        assert self.recorder.flush(PATIENCE)
        return self.store.read(lambda uow: JournalRepository(uow).page(wanted, 0, 10_000))

    def urls(self, wanted: JournalFilter = ALL) -> list[str]:
        """Return the URLs of what is stored."""
        return [entry["url"] for entry in self.read(wanted)]


@pytest.fixture
def bounds() -> Bounds:
    return MANY


@pytest.fixture
def pen(store: Store, business: ManualBusinessClock, bounds: Bounds) -> Pen:
    return Pen(store, business, bounds)


def test_calls_are_stored_in_their_order_with_rising_numbers(pen: Pen) -> None:
    for number in range(120):
        pen.write(url=f"/{number}")
    entries = pen.read()
    assert [entry["url"] for entry in entries] == [f"/{number}" for number in range(120)]
    cursors = [entry["cursor"] for entry in entries]
    assert cursors == sorted(set(cursors))


def test_a_number_is_never_given_again(pen: Pen) -> None:
    pen.write()
    [first] = pen.read()
    pen.store.write(lambda uow: JournalRepository(uow).delete(None))
    pen.write()
    [second] = pen.read()
    assert second["cursor"] > first["cursor"]


def test_calls_are_dated_in_the_tenants_time(pen: Pen, business: ManualBusinessClock) -> None:
    business.advance(3600, "TENANT1")
    pen.write(tenant="TENANT1")
    pen.write(tenant="TENANT2")
    now = pen.machine.now()
    assert [entry["at"] for entry in pen.read()] == [
        to_wire(now + timedelta(hours=1)),
        to_wire(now),
    ]


def test_a_reader_never_sees_a_number_before_a_smaller_one(
    store: Store, business: ManualBusinessClock
) -> None:
    """Several processes write; whoever reads on behind the last number it saw misses none."""
    pens = [Pen(store, business, MANY) for _ in range(4)]
    each, seen, done = 40, list[int](), threading.Event()

    def page(after: int) -> list[dict[str, Any]]:
        return store.read(lambda uow: JournalRepository(uow).page(ALL, after, 1000))

    def follow() -> None:
        while len(seen) < len(pens) * each and not done.wait(0.001):
            seen.extend(entry["cursor"] for entry in page(seen[-1] if seen else 0))

    with ThreadPoolExecutor(1) as pool:
        following = pool.submit(follow)
        for number in range(each):
            for pen in pens:
                pen.write(url=f"/{number}")
        for pen in pens:
            assert pen.recorder.flush(PATIENCE)
        try:
            following.result(PATIENCE)
        finally:
            done.set()
    assert len(seen) == len(pens) * each


@pytest.mark.parametrize("bounds", [Bounds(calls=3, bytes=10**6)], ids=["calls"])
def test_the_latest_calls_of_each_tenant_are_kept(pen: Pen) -> None:
    pen.write(url="/other", tenant="TENANT2")
    for number in range(10):
        pen.write(url=f"/{number}")
    assert pen.urls(JournalFilter(tenant="TENANT1")) == ["/7", "/8", "/9"]
    assert pen.urls(JournalFilter(tenant="TENANT2")) == ["/other"]


@pytest.mark.parametrize("bounds", [Bounds(calls=1000, bytes=30_000)], ids=["bytes"])
def test_so_many_bytes_of_each_tenant_are_kept(pen: Pen) -> None:
    for number in range(10):
        pen.write(url=f"/{number}", request=HttpPart(body="x" * 9000, size=9000))
    assert pen.urls() == ["/7", "/8", "/9"]


@pytest.mark.parametrize("bounds", [Bounds(calls=100, bytes=10**6)], ids=["tenth"])
def test_who_writes_after_a_restart_trims_what_was_there(
    pen: Pen, business: ManualBusinessClock
) -> None:
    for _ in range(100):
        pen.write()
    pen.read()
    another = Pen(pen.store, business, Bounds(calls=10, bytes=10**6))
    another.write()
    assert len(another.read()) == 10


def test_what_cannot_be_made_or_stored_is_lost_alone(pen: Pen, logged: Lines) -> None:
    def fail() -> JournalEntry:
        raise ValueError("no such call")

    pen.write(url="/before")
    pen.recorder.record(fail)
    pen.write(url="/after")
    assert pen.urls() == ["/before", "/after"]
    [line] = [line for line in logged() if line["event"] == "journal.failed"]
    assert "no such call" not in str(line)


def test_nothing_that_a_caller_can_send_is_too_much_for_the_database(pen: Pen) -> None:
    strange = "\0" + "x" * 300 + "%_\\"
    pen.write(
        tenant=strange[:255],
        conversation_id=strange,
        request_id=strange,
        ids=(strange, "a b"),
        url=strange,
        request=HttpPart({"A": "\0"}, "\0\\ud800"),
        about=strange,
    )
    [entry] = pen.read()
    assert entry["url"] == strange


@pytest.fixture
def stuck(store: Store) -> Iterator[threading.Event]:
    """Yield what lets go of the journal, which cannot be written until then."""
    held, let_go = threading.Event(), threading.Event()

    def hold() -> None:
        def work(uow: Any) -> None:
            JournalRepository(uow).add([call(ManualMachineClock(), url="/held")], {})
            held.set()
            assert let_go.wait(PATIENCE)

        store.write(work)

    with ThreadPoolExecutor(1) as pool:
        holding = pool.submit(hold)
        assert held.wait(PATIENCE)
        yield let_go
        let_go.set()
        holding.result(PATIENCE)


def test_whoever_records_does_not_wait(pen: Pen, stuck: threading.Event) -> None:
    pen.write(url="/1")
    assert not pen.recorder.flush(0.01)
    stuck.set()
    assert pen.urls() == ["/held", "/1"]


def test_what_is_too_much_is_lost_and_said(pen: Pen, stuck: threading.Event, logged: Lines) -> None:
    for _ in range(WAITING + 100):
        pen.write()
    assert not pen.recorder.flush(0.01)
    assert "journal.full" in {line["event"] for line in logged()}
    stuck.set()


def test_all_is_written_before_the_store_is_closed(
    upgraded_url: str, machine: ManualMachineClock, business: ManualBusinessClock, store: Store
) -> None:
    with closing(Store(upgraded_url, machine)) as other:
        pen = Pen(other, business, MANY)
        for number in range(70):
            pen.write(url=f"/{number}")
    # Too late for that, and no trouble.
    pen.write()
    assert pen.recorder.flush(PATIENCE)
    assert len(store.read(lambda uow: JournalRepository(uow).page(ALL, 0, 1000))) == 70


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (JournalFilter(tenant="TENANT1"), ["/a", "/b"]),
        (JournalFilter(operation="kcis"), ["/b"]),
        (JournalFilter(direction="out"), ["/b"]),
        (JournalFilter(id="23467"), ["/a"]),
        (JournalFilter(id="2346"), []),
        (JournalFilter(id="SP_ABC"), ["/b"]),
        (JournalFilter(id="SPXABC"), []),
        (JournalFilter(id="%"), []),
        (JournalFilter(conversation="c"), ["/a"]),
        (JournalFilter(outcome="422"), ["/c"]),
        (JournalFilter(outcome="reject"), []),
        (JournalFilter(outcome="²²²"), []),
        (JournalFilter(tenant="TENANT1", outcome="422"), []),
    ],
    ids=itertools.count(),
)
def test_a_reader_gets_what_it_wants(pen: Pen, wanted: JournalFilter, found: list[str]) -> None:
    pen.write(url="/a", ids=("23467", "r1"), conversation_id="c")
    pen.write(url="/b", operation="kcis", direction=JournalDirection.OUT, ids=("7", "SP_ABC"))
    pen.write(url="/c", tenant="TENANT2", status=422)
    assert pen.urls(wanted) == found


def test_a_reader_may_ask_for_a_time(pen: Pen, machine: ManualMachineClock) -> None:
    began = machine.now()
    for number in range(3):
        pen.write(url=f"/{number}")
        pen.read()
        machine.advance(60)
    minute = timedelta(minutes=1)
    assert pen.urls(JournalFilter(since=began + minute)) == ["/1", "/2"]
    assert pen.urls(JournalFilter(until=began + minute)) == ["/0"]
    assert pen.urls(JournalFilter(since=began, until=began + 2 * minute)) == ["/0", "/1"]
