import pytest

from supplier_api.auth import AccessTokens, BearerAuth, Forbidden, NotAuthorised
from supplier_api.clock import ManualMachineClock


@pytest.fixture
def gate(tokens: AccessTokens) -> BearerAuth:
    return BearerAuth(tokens)


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER "])
def test_a_good_token_opens_the_door(gate: BearerAuth, tokens: AccessTokens, scheme: str) -> None:
    token = tokens.issue("gateway", frozenset({"read"}))
    assert gate.admit(f"{scheme} {token}", "read") == "gateway"


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Basic Zzp4", "Bearer a b"])
def test_without_a_token_the_door_says_what_it_wants(gate: BearerAuth, header: str | None) -> None:
    with pytest.raises(NotAuthorised, match="expected a bearer token") as caught:
        gate.admit(header, "read")
    assert caught.value.challenge == 'Bearer realm="supplier-api"'


def test_a_bad_token_is_called_so(
    gate: BearerAuth, tokens: AccessTokens, clock: ManualMachineClock
) -> None:
    token = tokens.issue("gateway", frozenset({"read"}))
    clock.advance(3600)
    with pytest.raises(NotAuthorised, match="the token has expired") as caught:
        gate.admit(f"Bearer {token}", "read")
    assert caught.value.challenge == (
        'Bearer realm="supplier-api", error="invalid_token",'
        ' error_description="the token has expired"'
    )


def test_a_token_for_something_else_is_not_enough(gate: BearerAuth, tokens: AccessTokens) -> None:
    token = tokens.issue("gateway", frozenset({"read"}))
    with pytest.raises(Forbidden) as caught:
        gate.admit(f"Bearer {token}", "write")
    assert caught.value.challenge == (
        'Bearer realm="supplier-api", error="insufficient_scope", scope="write"'
    )
