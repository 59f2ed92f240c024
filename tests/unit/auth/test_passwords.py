"""How passwords are hashed and compared."""

import threading

import pytest

from supplier_api.auth import passwords
from supplier_api.auth.passwords import LONGEST, SHORTEST, Passwords, PasswordsBusy, length_fault
from tests.waiting import PATIENCE

PASSWORD = "correct horse battery"
EARNEST = "$argon2id$v=19$m=65536,t=3,p=4$"  # RFC 9106, low memory


@pytest.fixture(scope="module")
def hashing() -> Passwords:
    return Passwords()


def test_a_hash_has_a_salt_and_matches_its_password_alone(hashing: Passwords) -> None:
    one, two = hashing.hash(PASSWORD), hashing.hash(PASSWORD)

    assert one.startswith(EARNEST)
    assert one != two
    assert not hashing.outdated(one)
    assert hashing.outdated(one.replace("t=3", "t=2"))
    assert hashing.match(one, PASSWORD)
    assert not hashing.match(one, f"{PASSWORD} ")


def test_without_a_hash_the_same_work_is_done_and_nothing_matches(
    hashing: Passwords, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[str] = []
    of_library = "argon2.PasswordHasher.verify"
    monkeypatch.setattr(of_library, lambda _, stored, __: looked.append(stored))

    assert not hashing.match(None, PASSWORD)
    assert [stored[: len(EARNEST)] for stored in looked] == [EARNEST]
    assert hashing.match("a hash", PASSWORD)


def test_what_is_too_long_is_not_hashed(
    hashing: Passwords, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("argon2.PasswordHasher.verify", lambda *_: pytest.fail("it was hashed"))
    assert not hashing.match("a hash", "x" * (LONGEST + 1))


@pytest.mark.parametrize("length", [SHORTEST, LONGEST])
def test_letters_are_counted_and_not_bytes(length: int) -> None:
    assert length_fault("\u00e9" * length) is None
    assert length_fault("e\u0301" * length) is None


def test_two_are_hashed_at_once_and_the_others_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    hashing = Passwords()
    monkeypatch.setattr(passwords, "PATIENCE", 0.0)
    with hashing.slot(), hashing.slot(), pytest.raises(PasswordsBusy), hashing.slot():
        pass

    monkeypatch.setattr(passwords, "PATIENCE", 60.0)
    got = threading.Event()

    def wait() -> None:
        with hashing.slot():
            got.set()

    with hashing.slot():
        with hashing.slot():
            waiting = threading.Thread(target=wait)
            waiting.start()
            assert not got.is_set()
        assert got.wait(PATIENCE)
    waiting.join()
