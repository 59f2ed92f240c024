import base64
from urllib.parse import quote_plus

import pytest

from supplier_api.auth import AccessTokens, ClientCredentials, GrantError
from supplier_api.settings import AccessSettings

GRANT_TYPE = ("grant_type", "client_credentials")
ID = ("client_id", "gateway")
SECRET = ("client_secret", "gateway-secret")

Form = list[tuple[str, str]]


@pytest.fixture
def credentials(access: AccessSettings, tokens: AccessTokens) -> ClientCredentials:
    return ClientCredentials(access, tokens)


def basic(client_id: str, secret: str) -> str:
    return "Basic " + base64.b64encode(f"{client_id}:{secret}".encode()).decode()


def test_a_client_in_the_form_gets_all_its_scopes(
    credentials: ClientCredentials, tokens: AccessTokens
) -> None:
    grant = credentials.grant(None, [GRANT_TYPE, ID, SECRET, ("resource", "ignored")])
    assert grant.scope == "read write"
    assert grant.expires_in == 3600
    token = tokens.verify(grant.access_token)
    assert token.client == "gateway"
    assert token.scopes == {"read", "write"}


def test_a_client_by_basic_gets_what_it_asks_for(
    credentials: ClientCredentials, tokens: AccessTokens
) -> None:
    grant = credentials.grant(
        basic("gateway", "gateway-secret"), [GRANT_TYPE, ID, ("scope", "write")]
    )
    assert grant.scope == "write"
    assert tokens.verify(grant.access_token).scopes == {"write"}


def test_basic_carries_form_encoded_credentials(credentials: ClientCredentials) -> None:
    header = basic(quote_plus("näive:one"), quote_plus("p+ss:wörd %41"))
    assert credentials.grant(header, [GRANT_TYPE]).scope == "read"


def test_an_empty_parameter_counts_as_left_out(credentials: ClientCredentials) -> None:
    assert credentials.grant(None, [GRANT_TYPE, ID, SECRET, ("scope", "")]).scope == "read write"


@pytest.mark.parametrize(
    ("authorization", "form", "error", "status"),
    [
        (None, [ID, SECRET], "invalid_request", 400),
        (None, [GRANT_TYPE, GRANT_TYPE, ID, SECRET], "invalid_request", 400),
        (basic("gateway", "gateway-secret"), [GRANT_TYPE, SECRET], "invalid_request", 400),
        (None, [("grant_type", "password"), ID, SECRET], "unsupported_grant_type", 400),
        (None, [GRANT_TYPE, ID, SECRET, ("scope", "read admin")], "invalid_scope", 400),
        (None, [GRANT_TYPE, ID, SECRET, ("scope", "read  write")], "invalid_scope", 400),
        (None, [GRANT_TYPE], "invalid_client", 401),
        (None, [GRANT_TYPE, ID], "invalid_client", 401),
        (None, [GRANT_TYPE, ID, ("client_secret", "wrong")], "invalid_client", 401),
        (None, [GRANT_TYPE, ("client_id", "nobody"), SECRET], "invalid_client", 401),
        (basic("gateway", "wrong"), [GRANT_TYPE], "invalid_client", 401),
        (basic("nobody", ""), [GRANT_TYPE], "invalid_client", 401),
        ("Basic gateway", [GRANT_TYPE], "invalid_client", 401),
        ("Basic /////w==", [GRANT_TYPE], "invalid_client", 401),
        ("Bearer abc", [GRANT_TYPE], "invalid_client", 401),
    ],
)
def test_what_is_wrong_is_told_in_the_words_of_oauth(
    credentials: ClientCredentials,
    authorization: str | None,
    form: Form,
    error: str,
    status: int,
) -> None:
    with pytest.raises(GrantError) as caught:
        credentials.grant(authorization, form)
    assert (caught.value.error, caught.value.status) == (error, status)
    assert caught.value.description
