import math
from collections.abc import Mapping
from typing import Any

import jwt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from supplier_api.auth import AccessTokens, InvalidToken, KeyRing, Token, new_key
from supplier_api.auth.signing_keys import RELOAD_PAUSE
from supplier_api.auth.tokens import LEEWAY, SEAL
from supplier_api.clock import ManualMachineClock
from supplier_api.ids import SeededIdSource
from supplier_api.settings import AccessSettings, ClientSettings
from tests.keys import StoredKeys, signing_key
from tests.samples import patient


@pytest.fixture
def claims(clock: ManualMachineClock) -> dict[str, Any]:
    now = int(clock.now().timestamp())
    return {
        "iss": "supplier-api",
        "aud": "supplier-api",
        "sub": "gateway",
        "scope": "read",
        "iat": now,
        "exp": now + 60,
    }


def signed(ring: KeyRing, claims: Mapping[str, Any]) -> str:
    """Return a token of the client `gateway` as it stands in the settings."""
    return ring.sign(claims, {SEAL: "gateway\0gateway-secret"})


def refusal(tokens: AccessTokens, text: str) -> str:
    with pytest.raises(InvalidToken) as caught:
        tokens.verify(text)
    return str(caught.value)


def test_a_token_says_who_has_it_and_what_for(
    tokens: AccessTokens, clock: ManualMachineClock
) -> None:
    expires = clock.now().timestamp() + 3600
    token = tokens.verify(tokens.issue("gateway", frozenset({"read", "write"})))
    begins = clock.now().timestamp()
    assert token == Token("gateway", frozenset({"read", "write"}), begins, expires)


def test_a_token_ends_by_our_clock(tokens: AccessTokens, clock: ManualMachineClock) -> None:
    text = tokens.issue("gateway", frozenset({"read"}))
    clock.advance(3599)
    assert tokens.verify(text).client == "gateway"
    clock.advance(1)
    assert refusal(tokens, text) == "the token has expired"
    assert refusal(tokens, text) == "the token has expired"


@pytest.mark.parametrize("name", ["iss", "aud", "sub", "exp", "iat"])
def test_a_token_says_all_that_it_must(
    tokens: AccessTokens, ring: KeyRing, claims: dict[str, Any], name: str
) -> None:
    del claims[name]
    assert refusal(tokens, signed(ring, claims)) == "the token is not valid"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("iss", "someone"),
        ("aud", "someone"),
        ("sub", 5),
        ("exp", "soon"),
        ("exp", True),
        ("exp", math.nan),
        ("exp", math.inf),
        ("exp", None),
        ("exp", 10**400),
        ("iat", "now"),
        ("iat", math.nan),
        ("nbf", []),
        ("nbf", None),
        ("nbf", math.nan),
    ],
)
def test_a_token_is_from_us_and_for_us(
    tokens: AccessTokens, ring: KeyRing, claims: dict[str, Any], name: str, value: object
) -> None:
    assert refusal(tokens, signed(ring, claims | {name: value})) == "the token is not valid"


@pytest.mark.parametrize("name", ["iat", "nbf"])
def test_a_token_that_begins_later_is_not_good_yet(
    tokens: AccessTokens, ring: KeyRing, claims: dict[str, Any], name: str
) -> None:
    begins = claims["iat"] + LEEWAY
    assert tokens.verify(signed(ring, claims | {name: begins})).client == "gateway"
    assert (
        refusal(tokens, signed(ring, claims | {name: begins + 1})) == "the token is not valid yet"
    )


def test_a_token_that_was_good_is_not_good_before_its_time(
    tokens: AccessTokens, ring: KeyRing, claims: dict[str, Any], clock: ManualMachineClock
) -> None:
    clock.advance(100)
    text = signed(ring, claims | {"nbf": claims["iat"] + 50, "exp": claims["iat"] + 500})
    assert tokens.verify(text).client == "gateway"
    clock.advance(-60)
    assert refusal(tokens, text) == "the token is not valid yet"


def test_no_token_is_good_for_longer_than_tokens_are(
    tokens: AccessTokens, ring: KeyRing, claims: dict[str, Any], clock: ManualMachineClock
) -> None:
    text = signed(ring, claims | {"exp": claims["iat"] + 86_400 * 365})
    clock.advance(3599)
    assert tokens.verify(text).client == "gateway"
    clock.advance(1)
    assert refusal(tokens, text) == "the token has expired"


def test_a_token_ends_with_what_its_client_was(
    tokens: AccessTokens, access: AccessSettings, ring: KeyRing, clock: ManualMachineClock
) -> None:
    text = tokens.issue("gateway", frozenset({"read", "write"}))
    gone = "the token is of a client that is no longer the same"

    def later(clients: Mapping[str, ClientSettings]) -> AccessTokens:
        then = access.model_copy(update={"clients": clients})
        return AccessTokens(then, ring, clock, SeededIdSource(2))

    secret = SecretStr("gateway-secret")
    assert refusal(later({}), text) == gone
    assert (
        refusal(later({"gateway": ClientSettings(secret=SecretStr("new"), scopes=("read",))}), text)
        == gone
    )
    less = later({"gateway": ClientSettings(secret=secret, scopes=("read", "other"))})
    assert less.verify(text).scopes == {"read"}


def test_a_changed_token_is_refused(
    tokens: AccessTokens, ring: KeyRing, claims: dict[str, Any]
) -> None:
    head, body, signature = signed(ring, claims).split(".")
    _, other_body, _ = signed(ring, claims | {"scope": "read write"}).split(".")
    assert refusal(tokens, f"{head}.{other_body}.{signature}") == "the token is not valid"
    assert refusal(tokens, f"{head}.{body}.{signature[::-1]}") == "the token is not valid"


def test_only_rs256_is_taken(tokens: AccessTokens, claims: dict[str, Any]) -> None:
    header = {"kid": signing_key().kid}
    unsigned = jwt.encode(claims, "", algorithm="none", headers=header)
    by_secret = jwt.encode(claims, "s" * 64, algorithm="HS256", headers=header)
    assert refusal(tokens, unsigned) == "the token is not valid"
    assert refusal(tokens, by_secret) == "the token is not valid"


@settings(patient, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(max_size=80))
def test_any_text_is_refused(tokens: AccessTokens, text: str) -> None:
    assert refusal(tokens, text) == "the token is not valid"


def test_a_key_of_another_process_is_found_when_it_is_named(
    tokens: AccessTokens, keys: StoredKeys, clock: ManualMachineClock, access: AccessSettings
) -> None:
    tokens.verify(tokens.issue("gateway", frozenset()))
    keys.stored.append(new_key(clock.now()))
    other = AccessTokens(access, KeyRing(keys.all, clock), clock, SeededIdSource(1))
    text = other.issue("gateway", frozenset())
    clock.advance(RELOAD_PAUSE)
    assert tokens.verify(text).client == "gateway"


def test_unknown_keys_do_not_make_us_look_each_time(
    tokens: AccessTokens, keys: StoredKeys, claims: dict[str, Any], clock: ManualMachineClock
) -> None:
    foreign = new_key(clock.now())
    texts = [
        jwt.encode(claims, foreign.private_pem, algorithm="RS256", headers={"kid": f"k{number}"})
        for number in range(5)
    ]
    for text in texts:
        assert refusal(tokens, text) == "the token is signed with an unknown key"
    assert keys.looked_at == 1
    clock.advance(RELOAD_PAUSE)
    refusal(tokens, texts[0])
    assert keys.looked_at == 2


class CountingRing(KeyRing):
    looks = 0

    def public(self, kid: str) -> Any:
        self.looks += 1
        return super().public(kid)


def test_some_verified_tokens_are_remembered(
    access: AccessSettings, clock: ManualMachineClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("supplier_api.auth.tokens.REMEMBERED", 2)
    ring = CountingRing(StoredKeys().all, clock)
    tokens = AccessTokens(access, ring, clock, SeededIdSource(1))
    first, second, third = (tokens.issue("gateway", frozenset()) for _ in range(3))
    for text in (first, first, second, first):
        tokens.verify(text)
    assert ring.looks == 2
    for text in (third, third, first):
        tokens.verify(text)
    assert ring.looks == 4


def test_the_public_keys_verify_our_tokens(tokens: AccessTokens, ring: KeyRing) -> None:
    text = tokens.issue("gateway", frozenset({"read"}))
    [published] = ring.jwks()["keys"]
    assert published.keys() >= {"kty", "n", "e", "kid", "alg", "use"}
    assert "d" not in published
    claims = jwt.decode(
        text,
        jwt.PyJWK(published),
        audience="supplier-api",
        options={"verify_exp": False, "verify_iat": False},
    )
    assert claims["client_id"] == "gateway"
    assert claims["exp"] - claims["iat"] == 3600
