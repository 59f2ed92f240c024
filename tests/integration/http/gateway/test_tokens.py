"""The token endpoint and the public keys, over HTTP."""

import base64

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from .conftest import MAX_BODY, SCOPES

FORM = {
    "grant_type": "client_credentials",
    "client_id": "gateway",
    "client_secret": "gateway-secret",
}
# No base64, not ASCII, no UTF-8 in it, no pair, nothing.
NO_BASIC = [b"::", b"Z2F0", "é".encode(), b"\xff", b"/////w==", b"Z2F0ZXdheQ==", b"", b"Og=="]
BASIC = "Basic " + base64.b64encode(b"gateway:gateway-secret").decode()


def refusal(answer: TestResponse) -> tuple[int, str]:
    body = answer.get_json()
    assert body.keys() == {"error", "error_description"}
    assert answer.headers["Cache-Control"] == "no-store"
    return answer.status_code, body["error"]


@pytest.mark.parametrize("by_basic", [True, False])
def test_a_client_gets_a_token(by_basic: bool, client: FlaskClient) -> None:
    if by_basic:
        form, headers = {"grant_type": "client_credentials"}, {"Authorization": BASIC}
    else:
        form, headers = FORM, {}
    answer = client.post("/oauth2/token", data=form, headers=headers)
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    body = answer.get_json()
    assert body.keys() == {"access_token", "token_type", "expires_in", "scope"}
    assert (body["token_type"], body["expires_in"]) == ("Bearer", 3600)
    assert body["scope"] == " ".join(sorted(SCOPES))


def test_an_unknown_client_is_told_how_to_show_itself(client: FlaskClient) -> None:
    answer = client.post("/oauth2/token", data={**FORM, "client_secret": "wrong"})
    assert refusal(answer) == (401, "invalid_client")
    assert answer.headers["WWW-Authenticate"] == 'Basic realm="supplier-api"'


@pytest.mark.parametrize("pair", NO_BASIC)
def test_credentials_that_cannot_be_read_are_those_of_nobody(
    client: FlaskClient, pair: bytes
) -> None:
    # As a server hands it on: byte by byte.
    header = {"Authorization": f"Basic {pair.decode('latin-1')}"}
    answer = client.post("/oauth2/token", data={"grant_type": "client_credentials"}, headers=header)
    assert refusal(answer) == (401, "invalid_client")


def test_what_is_no_form_is_refused(client: FlaskClient) -> None:
    assert refusal(client.post("/oauth2/token", json=FORM)) == (400, "invalid_request")
    assert refusal(client.post("/oauth2/token")) == (400, "invalid_request")
    too_long = {**FORM, "padding": "x" * MAX_BODY}
    assert refusal(client.post("/oauth2/token", data=too_long)) == (400, "invalid_request")


def test_a_parameter_stands_once(client: FlaskClient) -> None:
    answer = client.post("/oauth2/token", data={**FORM, "scope": ["service-problems"] * 2})
    assert refusal(answer) == (400, "invalid_request")


def test_the_public_keys_are_shown(client: FlaskClient) -> None:
    answer = client.get("/.well-known/jwks.json")
    assert answer.status_code == 200
    [key] = answer.get_json()["keys"]
    assert (key["kty"], key["alg"], key["use"]) == ("RSA", "RS256", "sig")
    assert not key.keys() & {"d", "p", "q"}
