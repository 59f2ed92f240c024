"""Accounts are made and changed, each change with who and why."""

import pytest
from argon2 import PasswordHasher
from sqlalchemy import select, update

from supplier_api.auth.accounts import LOCAL, AccountRefused, Accounts, By, Role, SignInRefused
from supplier_api.clock import ManualMachineClock
from supplier_api.db import Store, tables
from tests.integration.auth.people import HERE, PASSWORD, ROOT, acted

ANOTHER = "another good password"


def test_each_role_includes_those_below_it() -> None:
    allowed = {(has, needed) for has in Role for needed in Role if has.allows(needed)}

    viewer, operator, admin = Role.VIEWER, Role.OPERATOR, Role.ADMIN
    below = {(operator, viewer), (admin, viewer), (admin, operator)}
    assert allowed == below | {(role, role) for role in Role}


def test_accounts_are_listed_by_name_and_show_no_hash(
    accounts: Accounts, clock: ManualMachineClock
) -> None:
    accounts.add("ann@example.com", PASSWORD, Role.ADMIN, ROOT)

    ann, jo = accounts.all()

    assert (ann.name, ann.role, ann.disabled) == ("ann@example.com", Role.ADMIN, None)
    assert (jo.name, jo.role, jo.created) == ("jo", Role.OPERATOR, clock.now())
    assert "argon2" not in repr(jo)


@pytest.mark.parametrize("name", ["", "Jo", "j o", "-jo", "jo\n", "x" * 65, LOCAL])
def test_a_name_that_does_not_do_is_refused(accounts: Accounts, name: str) -> None:
    with pytest.raises(AccountRefused, match=r"^name: "):
        accounts.add(name, PASSWORD, Role.VIEWER, ROOT)
    assert len(accounts.all()) == 1


def test_a_name_is_taken_once(accounts: Accounts) -> None:
    with pytest.raises(AccountRefused, match=r"^there is a user jo already$"):
        accounts.add("jo", ANOTHER, Role.ADMIN, ROOT)
    accounts.sign_in("jo", PASSWORD, HERE)


@pytest.mark.parametrize(("length", "said"), [(0, "0"), (11, "11"), (1001, "1,001")])
def test_only_the_length_of_a_password_counts(
    accounts: Accounts, store: Store, length: int, said: str
) -> None:
    expected = f"^password: expected 12 to 1,000 characters, not {said}$"
    with pytest.raises(AccountRefused, match=expected):
        accounts.add("ann", "x" * length, Role.VIEWER, ROOT)
    with pytest.raises(AccountRefused, match=expected):
        accounts.set_password("jo", "x" * length, ROOT)

    assert len(acted(store)) == 1
    for name, password in (("short", "x" * 12), ("long", "x" * 1000)):
        accounts.add(name, password, Role.VIEWER, ROOT)
        accounts.sign_in(name, password, HERE)


def test_a_password_is_the_same_however_its_letters_are_composed(accounts: Accounts) -> None:
    accounts.set_password("jo", "cafe\u0301 au lait, s\u2019il", ROOT)

    accounts.sign_in("jo", "caf\u00e9 au lait, s\u2019il", HERE)
    with pytest.raises(SignInRefused):
        accounts.sign_in("jo", "cafe au lait, s\u2019il", HERE)


def test_every_change_is_recorded_with_who_and_why(accounts: Accounts, store: Store) -> None:
    by = By("ann", "a reason", HERE)
    accounts.set_role("jo", Role.ADMIN, by)
    accounts.set_password("jo", ANOTHER, by)
    accounts.disable("jo", by)
    accounts.enable("jo", by)

    detail = {"user": "jo", "role": "operator"}
    assert acted(store) == [
        ("root", "user add", "joined us", detail, None),
        (
            "ann",
            "user role",
            "a reason",
            {"user": "jo", "was": "operator", "role": "admin"},
            HERE,
        ),
        ("ann", "user password", "a reason", {"user": "jo", "sessions": 0}, HERE),
        ("ann", "user disable", "a reason", {"user": "jo", "sessions": 0}, HERE),
        ("ann", "user enable", "a reason", {"user": "jo"}, HERE),
    ]


def test_nobody_and_what_is_so_already_is_refused(accounts: Accounts, store: Store) -> None:
    with pytest.raises(AccountRefused, match=r"^there is no user who$"):
        accounts.set_role("who", Role.ADMIN, ROOT)
    with pytest.raises(AccountRefused, match=r"^there is no user who\0$"):
        accounts.set_password("who\0", ANOTHER, ROOT)
    with pytest.raises(AccountRefused, match=r"^user jo is not disabled$"):
        accounts.enable("jo", ROOT)
    accounts.disable("jo", ROOT)
    with pytest.raises(AccountRefused, match=r"^user jo is disabled already$"):
        accounts.disable("jo", ROOT)
    assert [action for _, action, *_ in acted(store)] == ["user add", "user disable"]


def test_another_password_ends_sessions_and_the_old_one(accounts: Accounts) -> None:
    token = accounts.sign_in("jo", PASSWORD, HERE)

    accounts.set_password("jo", ANOTHER, ROOT)

    assert accounts.person_of(token) is None
    with pytest.raises(SignInRefused):
        accounts.sign_in("jo", PASSWORD, HERE)
    accounts.sign_in("jo", ANOTHER, HERE)


def test_a_hash_of_weaker_parameters_is_replaced_at_the_next_sign_in(
    accounts: Accounts, store: Store
) -> None:
    def stored() -> str:
        query = select(tables.console_user.c.password_hash)
        return str(store.read(lambda uow: uow.connection.execute(query).scalar_one()))

    usual = stored().partition(",p=")[0]
    weak = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
    change = update(tables.console_user).values(password_hash=weak)
    store.write(lambda uow: uow.connection.execute(change))

    accounts.sign_in("jo", PASSWORD, HERE)

    assert stored().startswith(usual)
    accounts.sign_in("jo", PASSWORD, HERE)
