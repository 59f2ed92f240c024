"""Signing in: who is refused, who must wait, and what is told of it."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import select

from supplier_api.audit import Audit
from supplier_api.auth.accounts import (
    LOCAL,
    Accounts,
    Person,
    Role,
    SignInRefused,
    SignInThrottled,
)
from supplier_api.auth.passwords import AT_ONCE, Passwords, PasswordsBusy
from supplier_api.clock import ManualMachineClock
from supplier_api.db import Store, tables
from tests.integration.auth.people import HERE, PASSWORD, ROOT, acted
from tests.logs import Lines

WRONG = "not the right password"


def refused(
    accounts: Accounts, name: str = "jo", address: str = HERE, password: str = WRONG
) -> str:
    with pytest.raises(SignInRefused) as caught:
        accounts.sign_in(name, password, address)
    return str(caught.value)


def throttled(accounts: Accounts, name: str = "jo", address: str = HERE) -> int:
    """Try the right password; return how many seconds to wait."""
    with pytest.raises(SignInThrottled) as caught:
        accounts.sign_in(name, PASSWORD, address)
    return caught.value.seconds


def test_a_user_signs_in_with_name_and_password(accounts: Accounts, store: Store) -> None:
    token = accounts.sign_in(" Jo ", PASSWORD, HERE)

    assert len(token) == 43  # 256 bits
    assert accounts.person_of(token) == Person("jo", Role.OPERATOR)
    assert acted(store)[-1] == ("jo", "sign-in", "", None, HERE)
    stored = store.read(lambda uow: uow.connection.execute(select(tables.console_session)).one())
    assert token not in str(stored)
    assert accounts.sign_in("jo", PASSWORD, HERE) != token


def test_an_unknown_name_a_wrong_password_and_a_disabled_user_are_refused_alike(
    accounts: Accounts, store: Store, logged: Lines
) -> None:
    said = {refused(accounts), refused(accounts, "who"), refused(accounts, password="x" * 1001)}
    accounts.disable("jo", ROOT)
    said.add(refused(accounts, password=PASSWORD))

    assert said == {"name or password is wrong"}
    assert "sign-in" not in [action for _, action, *_ in acted(store)]
    lines = [(line["event"], line["user"], line["address"]) for line in logged()]
    # Equal ones in a burst are counted.
    assert lines == [("sign-in.refused", "jo", HERE), ("sign-in.refused", "unknown", HERE)]


@pytest.mark.parametrize("name", ["", "a\0b", "\ud800", "x" * 10_000])
def test_any_name_and_any_password_can_be_typed(accounts: Accounts, name: str) -> None:
    assert refused(accounts, name) == "name or password is wrong"
    assert refused(accounts, password=name) == "name or password is wrong"


def test_after_five_failures_one_waits_longer_and_longer(
    accounts: Accounts, clock: ManualMachineClock, logged: Lines
) -> None:
    waits = []
    for _ in range(4):
        refused(accounts)
    for _ in range(7):
        refused(accounts)
        waits.append(throttled(accounts))
        clock.advance(waits[-1] - 1)
        assert throttled(accounts) == 1
        clock.advance(1)

    assert waits == [32, 64, 128, 256, 512, 900, 900]
    assert {"event": "sign-in.throttled", "address": HERE}.items() <= logged()[-1].items()
    # The right password is let through now, and everything is forgotten.
    accounts.sign_in("jo", PASSWORD, HERE)
    for _ in range(4):
        refused(accounts)
    accounts.sign_in("jo", PASSWORD, HERE)


def test_an_attempt_that_must_wait_is_not_counted(
    accounts: Accounts, clock: ManualMachineClock
) -> None:
    for _ in range(5):
        refused(accounts)
    for _ in range(10):
        assert throttled(accounts) == 32
    clock.advance(32)
    accounts.sign_in("jo", PASSWORD, HERE)


def test_one_account_is_guarded_against_many_addresses(accounts: Accounts) -> None:
    for host in range(5):
        refused(accounts, address=f"192.0.2.{host}")
    assert throttled(accounts, address="198.51.100.1") == 32

    accounts.add("ann", PASSWORD, Role.VIEWER, ROOT)
    accounts.sign_in("ann", PASSWORD, "192.0.2.1")


@pytest.mark.parametrize(
    "addresses",
    [[HERE] * 6, [f"2001:db8::{host}" for host in range(6)], [HERE, f"::ffff:{HERE}"] * 3],
)
def test_many_accounts_are_guarded_against_one_host(
    accounts: Accounts, addresses: list[str]
) -> None:
    *failing, last = addresses
    for number, address in enumerate(failing):
        refused(accounts, f"user{number}", address)

    assert throttled(accounts, address=last) == 32
    accounts.sign_in("jo", PASSWORD, "2001:db8:0:1::1")


def test_behind_one_address_nobody_holds_up_the_others(
    store: Store, clock: ManualMachineClock
) -> None:
    accounts = Accounts(store, clock, Audit(clock), by_address=False)
    for name in ("ann", "jo"):
        accounts.add(name, PASSWORD, Role.VIEWER, ROOT)
    for number in range(20):
        refused(accounts, f"user{number}")
    for _ in range(5):
        refused(accounts, "ann")

    assert throttled(accounts, "ann") == 32
    accounts.sign_in("jo", PASSWORD, HERE)


def test_failures_hold_for_another_process_and_are_forgotten_after_a_day(
    accounts: Accounts, store: Store, clock: ManualMachineClock
) -> None:
    for _ in range(5):
        refused(accounts)
    another = Accounts(store, clock, Audit(clock))
    assert throttled(another) == 32

    clock.advance(86400)
    for _ in range(4):
        refused(another)
    another.sign_in("jo", PASSWORD, HERE)


@pytest.mark.parametrize("mend", ["password", "enable"])
def test_another_password_and_to_be_enabled_let_a_user_in_at_once(
    accounts: Accounts, mend: str
) -> None:
    for host in range(5):
        refused(accounts, address=f"192.0.2.{host}")
    if mend == "password":
        accounts.set_password("jo", PASSWORD, ROOT)
    else:
        accounts.disable("jo", ROOT)
        accounts.enable("jo", ROOT)

    accounts.sign_in("jo", PASSWORD, HERE)


@pytest.mark.parametrize("change", ["disable", "password"])
def test_who_is_disabled_or_gets_another_password_meanwhile_is_not_signed_in(
    accounts: Accounts, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    def meanwhile(*_: object) -> bool:
        if change == "disable":
            accounts.disable("jo", ROOT)
        else:
            accounts.set_password("jo", "another good password", ROOT)
        return False

    # The last that is asked of the password, before the session begins. Setting another one takes
    # the second slot.
    monkeypatch.setattr(Passwords, "outdated", meanwhile)

    refused(accounts, password=PASSWORD)
    assert accounts.sessions() == []


def test_of_many_guesses_at_once_few_are_looked_at(accounts: Accounts) -> None:
    def guess(_: int) -> type[Exception]:
        try:
            accounts.sign_in("jo", WRONG, HERE)
        except (SignInRefused, SignInThrottled) as error:
            return type(error)
        raise AssertionError("signed in")

    with ThreadPoolExecutor(12) as pool:
        ends = list(pool.map(guess, range(12)))

    assert 5 <= ends.count(SignInRefused) <= 4 + AT_ONCE


def test_who_gets_no_memory_to_hash_in_is_told_to_wait(
    accounts: Accounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy(_: Passwords) -> None:
        raise PasswordsBusy

    monkeypatch.setattr(Passwords, "slot", busy)
    assert throttled(accounts) == 5


# -- links


def test_a_link_signs_in_once(accounts: Accounts, store: Store) -> None:
    link = accounts.new_link(ROOT)
    token = accounts.redeem(link, HERE)

    assert accounts.person_of(token) == Person(LOCAL, Role.ADMIN)
    assert acted(store)[-1] == (LOCAL, "sign-in", "", None, HERE)
    with pytest.raises(SignInRefused, match=r"^this link was used already, or is too old$"):
        accounts.redeem(link, HERE)
    with pytest.raises(SignInRefused):
        accounts.redeem("", HERE)


def test_a_link_is_good_for_ten_minutes(accounts: Accounts, clock: ManualMachineClock) -> None:
    link, late = accounts.new_link(ROOT), accounts.new_link(ROOT)
    clock.advance(599)
    accounts.redeem(link, HERE)
    clock.advance(1)
    with pytest.raises(SignInRefused):
        accounts.redeem(late, HERE)


def test_a_link_that_is_used_by_many_at_once_gives_one_session(accounts: Accounts) -> None:
    link = accounts.new_link(ROOT)

    def redeem(_: int) -> str | None:
        try:
            return accounts.redeem(link, HERE)
        except SignInRefused:
            return None

    with ThreadPoolExecutor(8) as pool:
        tokens = [token for token in pool.map(redeem, range(8)) if token]

    assert len(tokens) == 1
    assert [each.name for each in accounts.sessions()] == [LOCAL]
