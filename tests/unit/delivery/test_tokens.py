"""One token for all threads."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from supplier_api.clock import ManualMachineClock
from supplier_api.http_client.tokens import NoTokenError, SharedToken, TokenGrant

PATIENCE = 5.0


class InterruptedClock(ManualMachineClock):
    """A clock during whose reading other threads run."""

    def __init__(self) -> None:
        super().__init__()
        self.meanwhile: Callable[[], object] | None = None

    def monotonic(self) -> float:
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile:
            meanwhile()
        return super().monotonic()


class Endpoint:
    """Gives out token-1, token-2, ... for an hour each."""

    def __init__(self) -> None:
        self.fetched = 0
        self.down = False

    def __call__(self, _patience: float) -> TokenGrant:
        if self.down:
            raise NoTokenError("token endpoint: 503")
        self.fetched += 1
        return TokenGrant(f"token-{self.fetched}", 3600)


@pytest.fixture
def clock() -> ManualMachineClock:
    return ManualMachineClock()


@pytest.fixture
def endpoint() -> Endpoint:
    return Endpoint()


@pytest.fixture
def tokens(endpoint: Endpoint, clock: ManualMachineClock) -> SharedToken:
    return SharedToken(endpoint, clock)


def test_it_is_fetched_once_and_reused(
    tokens: SharedToken, endpoint: Endpoint, clock: ManualMachineClock
) -> None:
    assert tokens.current(PATIENCE) == "token-1"
    clock.advance(3500)
    assert tokens.current(PATIENCE) == "token-1"
    assert endpoint.fetched == 1


def test_it_is_replaced_shortly_before_it_ends(
    tokens: SharedToken, clock: ManualMachineClock
) -> None:
    tokens.current(PATIENCE)
    clock.advance(3541)
    assert tokens.current(PATIENCE) == "token-2"


def test_the_old_one_serves_on_while_its_replacement_fails(
    tokens: SharedToken, endpoint: Endpoint, clock: ManualMachineClock
) -> None:
    tokens.current(PATIENCE)
    clock.advance(3541)
    endpoint.down = True
    assert tokens.current(PATIENCE) == "token-1"
    clock.advance(60)
    with pytest.raises(NoTokenError):
        tokens.current(PATIENCE)


def test_a_token_that_has_ended_is_not_taken_for_the_one_that_replaces_it(
    endpoint: Endpoint,
) -> None:
    clock = InterruptedClock()
    tokens = SharedToken(endpoint, clock)
    tokens.current(PATIENCE)
    clock.advance(3600)
    clock.meanwhile = lambda: tokens.current(PATIENCE)

    assert tokens.current(PATIENCE) == "token-2"
    assert endpoint.fetched == 2


def test_near_the_end_a_failure_holds_up_the_next_attempt_only(
    tokens: SharedToken, endpoint: Endpoint, clock: ManualMachineClock
) -> None:
    tokens.current(PATIENCE)
    clock.advance(3541)
    endpoint.down = True
    tokens.current(PATIENCE)
    endpoint.down = False
    assert tokens.current(PATIENCE) == "token-1"
    clock.advance(10)
    assert tokens.current(PATIENCE) == "token-2"


def test_a_refused_token_is_replaced_only_while_it_is_the_current_one(
    tokens: SharedToken, endpoint: Endpoint
) -> None:
    first = tokens.current(PATIENCE)
    assert tokens.instead_of(first, PATIENCE) == "token-2"
    assert tokens.instead_of(first, PATIENCE) == "token-2"
    assert endpoint.fetched == 2


def test_many_threads_at_once_fetch_one(clock: ManualMachineClock) -> None:
    entered, answer = threading.Event(), threading.Event()
    answers: Iterator[TokenGrant] = iter([TokenGrant("the-one", 3600)])

    def fetch(_patience: float) -> TokenGrant:
        entered.set()
        assert answer.wait(10)
        return next(answers)

    tokens = SharedToken(fetch, clock)
    with ThreadPoolExecutor(8) as pool:
        first = pool.submit(tokens.current, PATIENCE)
        assert entered.wait(10)
        others = [pool.submit(tokens.current, PATIENCE) for _ in range(7)]
        answer.set()
        assert {each.result() for each in [first, *others]} == {"the-one"}


def test_near_the_end_one_thread_replaces_it_and_the_others_do_not_wait(
    clock: ManualMachineClock,
) -> None:
    entered, answer = threading.Event(), threading.Event()

    def fetch(_patience: float) -> TokenGrant:
        if clock.seconds == ManualMachineClock().seconds:
            return TokenGrant("old", 3600)
        entered.set()
        assert answer.wait(10)
        return TokenGrant("new", 3600)

    tokens = SharedToken(fetch, clock)
    tokens.current(PATIENCE)
    clock.advance(3550)
    with ThreadPoolExecutor(1) as pool:
        replacing = pool.submit(tokens.current, PATIENCE)
        assert entered.wait(10)
        assert tokens.current(PATIENCE) == "old"
        answer.set()
        assert replacing.result() == "new"
    assert tokens.current(PATIENCE) == "new"


def test_a_thread_does_not_wait_longer_than_it_can(clock: ManualMachineClock) -> None:
    entered, answer = threading.Event(), threading.Event()

    def fetch(_patience: float) -> TokenGrant:
        entered.set()
        assert answer.wait(10)
        return TokenGrant("late", 3600)

    tokens = SharedToken(fetch, clock)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(tokens.current, PATIENCE)
        assert entered.wait(10)
        with pytest.raises(NoTokenError):
            tokens.current(0.01)
        answer.set()
        assert first.result() == "late"
