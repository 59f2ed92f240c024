"""Sessions end: by their user, by an admin, by their age, and when nobody uses them."""

import pytest
from sqlalchemy import event

from supplier_api.audit import Audit
from supplier_api.auth import session_secret
from supplier_api.auth.accounts import LOCAL, AccountRefused, Accounts, Person, Role
from supplier_api.clock import ManualMachineClock
from supplier_api.db import Store, StoreUnavailable
from tests.integration.auth.people import HERE, PASSWORD, ROOT, acted

HOUR = 3600
JO = Person("jo", Role.OPERATOR)


@pytest.fixture
def token(accounts: Accounts) -> str:
    """Return the token of a session of jo's."""
    return accounts.sign_in("jo", PASSWORD, HERE)


def test_who_signs_out_is_nobody(accounts: Accounts, token: str, store: Store) -> None:
    other = accounts.sign_in("jo", PASSWORD, HERE)
    accounts.end(token)
    accounts.end(token)
    accounts.end("no such token")

    assert accounts.person_of(token) is None
    assert accounts.person_of(other) == JO
    signed_out = [each for each in acted(store) if each[1] == "sign-out"]
    assert signed_out == [("jo", "sign-out", "", None, HERE)]


def test_a_token_that_nobody_has_is_nobody(accounts: Accounts) -> None:
    for token in ("", "x", "\0", "\ud800", "x" * 100_000):
        assert accounts.person_of(token) is None


def test_a_session_lasts_twelve_hours_however_much_it_is_used(
    accounts: Accounts, token: str, clock: ManualMachineClock
) -> None:
    for _ in range(23):
        clock.advance(HOUR / 2)
        assert accounts.person_of(token) == JO
    clock.advance(HOUR / 2)
    assert accounts.person_of(token) is None


def test_a_session_ends_when_it_is_not_used_for_an_hour(
    accounts: Accounts, token: str, clock: ManualMachineClock
) -> None:
    clock.advance(HOUR - 1)
    assert accounts.person_of(token) == JO
    clock.advance(HOUR - 1)
    # What a page asks for by itself is no use of it.
    assert accounts.person_of(token, used=False) == JO
    clock.advance(1)
    assert accounts.person_of(token) is None
    assert accounts.sessions() == []


def test_use_is_written_once_a_minute(
    accounts: Accounts, token: str, store: Store, clock: ManualMachineClock
) -> None:
    written: list[str] = []
    event.listen(
        store.engine,
        "before_cursor_execute",
        lambda _c, _cursor, statement, *_more: written.append(statement),
    )
    for _ in range(12):
        clock.advance(10)
        assert accounts.person_of(token) == JO

    assert len([each for each in written if each.startswith("UPDATE console_session")]) == 2
    (session,) = accounts.sessions()
    assert session.seen == clock.now()


def test_who_only_reads_goes_on_while_nothing_can_be_written(
    accounts: Accounts,
    token: str,
    store: Store,
    clock: ManualMachineClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise StoreUnavailable("the disk is full")

    monkeypatch.setattr(store, "write", fail)
    clock.advance(60)
    assert accounts.person_of(token) == JO


def test_a_disabled_user_is_out_at_once_and_old_sessions_stay_ended(
    accounts: Accounts, token: str, store: Store
) -> None:
    accounts.disable("jo", ROOT)
    assert accounts.person_of(token) is None
    assert acted(store)[-1][3] == {"user": "jo", "sessions": 1}

    accounts.enable("jo", ROOT)
    assert accounts.person_of(token) is None


def test_another_role_holds_for_sessions_that_last(accounts: Accounts, token: str) -> None:
    accounts.set_role("jo", Role.VIEWER, ROOT)
    assert accounts.person_of(token) == Person("jo", Role.VIEWER)


def test_sessions_are_listed_and_all_of_a_user_ended(
    accounts: Accounts, token: str, store: Store, clock: ManualMachineClock
) -> None:
    begun = clock.now()
    clock.advance(90)
    link = accounts.redeem(accounts.new_link(ROOT), "x" * 100)
    accounts.person_of(token)

    local, jo = accounts.sessions()

    assert (local.name, local.role, local.address) == (LOCAL, Role.ADMIN, "x" * 64)
    assert (jo.name, jo.since, jo.seen, jo.address) == ("jo", begun, clock.now(), HERE)
    accounts.sign_in("jo", PASSWORD, HERE)
    assert accounts.end_all("jo", ROOT) == 2
    assert accounts.person_of(token) is None
    detail = {"user": "jo", "sessions": 2}
    assert acted(store)[-1] == ("root", "user sessions end", "because", detail, None)
    assert accounts.person_of(link)
    assert accounts.end_all(LOCAL, ROOT) == 1
    assert accounts.sessions() == []
    with pytest.raises(AccountRefused, match=r"^there is no user who$"):
        accounts.end_all("who", ROOT)


def test_a_session_holds_at_every_process_and_so_does_the_secret_of_cookies(
    accounts: Accounts, token: str, store: Store, upgraded_url: str, clock: ManualMachineClock
) -> None:
    other = Store(upgraded_url, clock)
    try:
        assert Accounts(other, clock, Audit(clock)).person_of(token) == JO
        assert session_secret(other, clock) == session_secret(store, clock)
        assert len(session_secret(store, clock)) == 32
    finally:
        other.close()
    assert accounts.person_of(token) == JO
