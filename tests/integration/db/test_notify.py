"""A commit wakes whoever waits for it, on both engines."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest

from supplier_api.clock import ManualMachineClock
from supplier_api.db import notify as wakeup
from supplier_api.db import postgresql_notify
from supplier_api.db.notify import WakeEvent, Wakeup
from supplier_api.db.postgresql_notify import Notifier
from tests.integration.apart import upgraded_postgresql
from tests.outbox import Outbox
from tests.waiting import PATIENCE

__all__ = ["upgraded_postgresql"]
on_postgresql = pytest.mark.parametrize("upgraded_url", ["emptied_postgresql"], indirect=True)


@contextmanager
def watching(outbox: Outbox, clock: ManualMachineClock) -> Iterator[WakeEvent]:
    watcher = Wakeup(outbox.store.url, clock)
    wake_event = watcher.wake_event()
    watcher.start()
    # It is set once at the start: a commit before has made no notice for it.
    assert wake_event.wait(PATIENCE)
    yield wake_event
    watcher.stop()
    assert not watcher.alive()


def test_a_commit_sets_the_event(outbox: Outbox, clock: ManualMachineClock) -> None:
    with watching(outbox, clock) as wake_event:
        outbox.problem(1)
        assert wake_event.wait(PATIENCE)


def test_it_sets_every_event(outbox: Outbox, clock: ManualMachineClock) -> None:
    watcher = Wakeup(outbox.store.url, clock)
    events = [watcher.wake_event(), watcher.wake_event()]

    watcher.wake_all()

    assert all(wake_event.wait(0) for wake_event in events)
    assert not any(wake_event.wait(0) for wake_event in events)


@on_postgresql
def test_a_listener_that_lost_its_connection_listens_again(
    outbox: Outbox, clock: ManualMachineClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wakeup, "RECONNECT", 0.01)
    with watching(outbox, clock) as wake_event:
        cut(outbox, "LISTEN%")
        # Rung by the new connection, which may have missed something.
        assert wake_event.wait(PATIENCE)
        notify(outbox)
        assert wake_event.wait(PATIENCE)


@on_postgresql
def test_a_deaf_listener_is_replaced(
    outbox: Outbox, clock: ManualMachineClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgresql_notify, "LISTEN_STEP", 0.01)
    monkeypatch.setattr(postgresql_notify, "ASK_AFTER", float("inf"))
    with watching(outbox, clock) as wake_event:
        clock.advance(11)
        assert wake_event.wait(PATIENCE)


@on_postgresql
def test_a_silent_listener_hears_itself(
    outbox: Outbox, clock: ManualMachineClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgresql_notify, "LISTEN_STEP", 0.01)
    with watching(outbox, clock) as wake_event:
        clock.advance(6)
        assert wake_event.wait(PATIENCE)


@on_postgresql
def test_the_last_notice_before_a_stop_is_sent(
    outbox: Outbox, clock: ManualMachineClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    # So that the next notice, and the stop, find it between two notices.
    monkeypatch.setattr(postgresql_notify, "NOTIFY_GAP", PATIENCE)
    notifier = Notifier(outbox.store.url)
    with watching(outbox, clock) as wake_event:
        notifier.start()
        notifier.notify()
        assert wake_event.wait(PATIENCE)
        notifier.notify()
        notifier.stop()
        assert wake_event.wait(PATIENCE)


@on_postgresql
def test_a_notice_that_finds_its_connection_lost_goes_over_a_new_one(
    outbox: Outbox, clock: ManualMachineClock
) -> None:
    notifier = Notifier(outbox.store.url)
    with watching(outbox, clock) as wake_event:
        notifier.start()
        notifier.notify()
        assert wake_event.wait(PATIENCE)
        cut(outbox, "NOTIFY%")
        notifier.notify()
        assert wake_event.wait(PATIENCE)
    notifier.stop()


def psycopg_url(outbox: Outbox) -> str:
    return outbox.store.url.set(drivername="postgresql").render_as_string(hide_password=False)


def notify(outbox: Outbox) -> None:
    with psycopg.connect(psycopg_url(outbox), autocommit=True) as connection:
        connection.execute("NOTIFY supplier_api")


def cut(outbox: Outbox, last_query: str) -> None:
    """End the connections whose last statement was `last_query`."""
    query = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND query LIKE %s AND pid <> pg_backend_pid()"
    )
    with psycopg.connect(psycopg_url(outbox), autocommit=True) as connection:
        assert connection.execute(query, [last_query]).fetchall()
