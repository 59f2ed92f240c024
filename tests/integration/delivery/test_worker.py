"""The worker as a whole: real clocks, real threads, a real receiver."""

from collections.abc import Callable, Iterator

import pytest

from supplier_api.clock import ManualMachineClock, SystemMachineClock
from supplier_api.db import Store
from supplier_api.db.notify import Wakeup
from supplier_api.delivery import dispatcher as dispatch
from supplier_api.delivery import threads
from supplier_api.delivery.answers import AnswerTerms
from supplier_api.delivery.dispatcher import Dispatcher
from supplier_api.delivery.model import Destination
from supplier_api.delivery.scheduler import Scheduler
from supplier_api.delivery.transports import GatewayAddress, GatewayTransport
from supplier_api.delivery.worker import Worker
from supplier_api.http_client.sessions import Sessions
from supplier_api.http_client.watchdog import Watchdog
from supplier_api.ids import SystemIdSource
from tests.integration.delivery.conftest import ALREADY, PATIENCE, POLICY, NoTimers, RoundMaker
from tests.integration.delivery.sink import Sink, answer, hang
from tests.outbox import DESTINATION, Outbox

CLOCK = SystemMachineClock()
# So that nothing is delivered because somebody looked by chance.
NEVER = 3600.0


def transport_to(sink: Sink, watchdog: Watchdog) -> GatewayTransport:
    address = GatewayAddress(
        kci_url=f"{sink.url}/kcis",
        token_url=f"{sink.url}/auth/supplier/access-token",
        client_id="supplier",
        client_secret="supplier-secret",
        answers=AnswerTerms(ALREADY),
    )
    return GatewayTransport(address, Sessions(), watchdog, CLOCK, SystemIdSource())


@pytest.fixture
def real_store(upgraded_url: str) -> Iterator[Store]:
    """Yield a store with the real time, by which the worker sets its deadlines."""
    store = Store(upgraded_url, CLOCK)
    yield store
    store.close()


@pytest.fixture
def outbox(real_store: Store) -> Outbox:
    """Write with the real time, as the worker reads."""
    return Outbox(real_store, CLOCK)


WorkerMaker = Callable[[], Worker]


@pytest.fixture
def make_worker(
    real_store: Store, sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> Iterator[WorkerMaker]:
    """Return a maker of workers that are only woken by commits."""
    monkeypatch.setattr(threads, "LOOK_EVERY", NEVER)
    monkeypatch.setattr(dispatch, "LOOK_EVERY", NEVER)
    workers: list[Worker] = []

    def make() -> Worker:
        wakeup, watchdog = Wakeup(real_store.url, CLOCK), Watchdog(CLOCK)
        dispatcher = Dispatcher(
            Destination(DESTINATION, transport_to(sink, watchdog), POLICY, threads=4),
            real_store,
            CLOCK,
            SystemIdSource(),
            wakeup.wake_event(),
            owner=f"worker-{len(workers)}",
            lease=45,
        )
        scheduler = Scheduler(NoTimers(), real_store, CLOCK, wakeup.wake_event(), NEVER)
        workers.append(Worker([dispatcher], scheduler, wakeup, watchdog, CLOCK))
        return workers[-1]

    yield make
    sink.let_go.set()
    for worker in workers:
        worker.stop(PATIENCE)


def test_what_is_committed_leaves_at_once(
    make_worker: WorkerMaker, outbox: Outbox, sink: Sink
) -> None:
    problem = outbox.problem()
    worker = make_worker()
    worker.start()
    assert worker.healthy()
    outbox.queue(problem, 1, 2)
    # One request is for the token.
    assert all(sink.arrived.acquire(timeout=PATIENCE) for _ in range(3))
    assert worker.stop(PATIENCE)

    assert not worker.healthy()
    assert outbox.states(problem) == ["delivered", "delivered"]


def test_what_was_queued_before_the_start_leaves_too(
    make_worker: WorkerMaker, outbox: Outbox, sink: Sink
) -> None:
    problem = outbox.problem(1)
    worker = make_worker()
    worker.start()
    assert all(sink.arrived.acquire(timeout=PATIENCE) for _ in range(2))
    assert worker.stop(PATIENCE)

    assert outbox.states(problem) == ["delivered"]


def test_without_grace_a_message_in_flight_stays_claimed(
    make_worker: WorkerMaker, outbox: Outbox, sink: Sink
) -> None:
    sink.kci_reactions.append(hang)
    problem = outbox.problem(1, 2)
    worker = make_worker()
    worker.start()
    assert all(sink.arrived.acquire(timeout=PATIENCE) for _ in range(2))
    # Whoever takes the lane over when the lease ends does not know what became of the message.
    assert not worker.stop(0)
    assert outbox.lane(problem).lease_owner == "worker-0"
    assert outbox.states(problem) == ["queued", "queued"]


@pytest.mark.parametrize("upgraded_url", ["emptied_postgresql"], indirect=True)
def test_other_workers_are_notified_of_the_last_commit(
    real_store: Store, outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Only a stop sends what is requested after the first notice.
    monkeypatch.setattr("supplier_api.db.postgresql_notify.NOTIFY_GAP", NEVER)
    # A listener that hears nothing for long would wake itself.
    for name in ("ASK_AFTER", "DEAF_AFTER"):
        monkeypatch.setattr(f"supplier_api.db.postgresql_notify.{name}", NEVER)
    mine, theirs, watchdog = (
        Wakeup(real_store.url, CLOCK),
        Wakeup(real_store.url, CLOCK),
        Watchdog(CLOCK),
    )
    scheduler = Scheduler(NoTimers(), real_store, CLOCK, mine.wake_event(), NEVER)
    worker = Worker([], scheduler, mine, watchdog, CLOCK, store=real_store)
    wake_event = theirs.wake_event()
    theirs.start()
    worker.start()
    # It is set once at the start.
    assert wake_event.wait(PATIENCE)
    outbox.problem(1)
    assert wake_event.wait(PATIENCE)
    outbox.problem(1)
    worker.stop(PATIENCE)

    heard = wake_event.wait(PATIENCE)
    theirs.stop()
    assert heard


def test_a_bad_spell_of_the_gateway(
    make_round: RoundMaker, store: Store, sink: Sink, clock: ManualMachineClock
) -> None:
    """503, then silence, then 401 twice, then 204: in order, by the policy, and alone."""
    watchdog = Watchdog(CLOCK)
    watchdog.start()
    outbox = Outbox(store, clock)
    transport = transport_to(sink, watchdog)
    round_, hasty = make_round(transport=transport), make_round(transport=transport, deadline=0.3)
    problem = outbox.problem(1, 2, 3)
    sink.kci_reactions.extend([answer(503), hang, answer(401), answer(401)])
    for wait, its_own in ((5, round_), (30, hasty), (120, round_)):
        its_own.turn()
        other = outbox.problem()
        outbox.queue(other, 1, body='{"other": true}')
        clock.advance(wait - 0.01)
        sink.kci_reactions.appendleft(answer(204))
        round_.turn()
        assert outbox.states(other) == ["delivered"]
        clock.advance(0.01)
    round_.turn()
    watchdog.stop()

    first, *_ = outbox.messages(problem)
    assert [entry["status"] for entry in first.log] == [503, None, 401, 204]
    assert outbox.states(problem) == ["delivered"] * 3
