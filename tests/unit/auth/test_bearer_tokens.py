import pytest

from supplier_api.auth import AccessTokens, Forbidden, NotAuthorised
from supplier_api.clock import ManualMachineClock


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER "])
def test_a_good_token_opens_the_door(tokens: AccessTokens, scheme: str) -> None:
    token = tokens.issue("gateway", frozenset({"read"}))
    assert tokens.admit(f"{scheme} {token}", "read") == "gateway"


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Basic Zzp4", "Bearer a b"])
def test_without_a_token_the_door_says_what_it_wants(
    tokens: AccessTokens, header: str | None
) -> None:
    with pytest.raises(NotAuthorised, match="expected a bearer token") as caught:
        tokens.admit(header, "read")
    assert caught.value.challenge == 'Bearer realm="supplier-api"'


def test_a_bad_token_is_called_so(tokens: AccessTokens, clock: ManualMachineClock) -> None:
    token = tokens.issue("gateway", frozenset({"read"}))
    clock.advance(3600)
    with pytest.raises(NotAuthorised, match="the token has expired") as caught:
        tokens.admit(f"Bearer {token}", "read")
    assert caught.value.challenge == (
        'Bearer realm="supplier-api", error="invalid_token",'
        ' error_description="the token has expired"'
    )


def test_a_token_for_something_else_is_not_enough(tokens: AccessTokens) -> None:
    token = tokens.issue("gateway", frozenset({"read"}))
    with pytest.raises(Forbidden) as caught:
        tokens.admit(f"Bearer {token}", "write")
    assert caught.value.challenge == (
        'Bearer realm="supplier-api", error="insufficient_scope", scope="write"'
    )
