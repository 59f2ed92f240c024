"""What operators did, page by page."""

from collections.abc import Iterator

import pytest

from supplier_api.clock import ManualMachineClock
from supplier_api.db import Store, UnitOfWork
from supplier_api.db.operator_actions import Action, OperatorActionRepository

CLOCK = ManualMachineClock()
ALL = [f"reason {number}" for number in range(6)]


@pytest.fixture
def store(upgraded_url: str) -> Iterator[Store]:
    """Yield a database in which two operators took turns at two things."""
    store = Store(upgraded_url, CLOCK)

    def work(uow: UnitOfWork) -> None:
        for number, reason in enumerate(ALL):
            who, action = ("ann", "jo")[number % 2], ("replay", "skip")[number // 3]
            OperatorActionRepository(uow).add(Action(CLOCK.now(), who, action, reason))

    store.write(work)
    yield store
    store.close()


def reasons(store: Store, **which: str) -> list[str]:
    """Return the reasons of those actions, read two at a time."""
    found: list[str] = []
    before: int | None = None
    while True:
        page = store.read(
            lambda uow, before=before: OperatorActionRepository(uow).recent(  # type: ignore[misc]
                **which, before_id=before, limit=2
            )
        )
        if not page:
            return found
        assert len(page) <= 2
        before = page[-1][0]
        found += [action.reason for _, action in page]


def test_the_newest_come_first_and_each_once(store: Store) -> None:
    assert reasons(store) == ALL[::-1]


def test_of_somebody_and_of_a_kind(store: Store) -> None:
    assert reasons(store, who="jo") == [ALL[5], ALL[3], ALL[1]]
    assert reasons(store, action="replay") == [ALL[2], ALL[1], ALL[0]]
    assert reasons(store, who="ann", action="skip") == [ALL[4]]
    assert reasons(store, who="nobody") == []
