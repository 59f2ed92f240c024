"""The two token endpoints, and what their tokens open."""

import base64
from dataclasses import replace
from typing import Any

import pytest
from flask.testing import FlaskClient

from supplier_api.clock import ManualMachineClock
from supplier_api.sandbox.gateway import SandboxConfig
from tests.integration.sandbox.gateway.conftest import HEADERS, MakeApp, Party
from tests.logs import logging_to

GRANT = {"grant_type": "client_credentials"}


@pytest.mark.parametrize(("side", "client"), [("tenant", "tenant"), ("supplier", "supplier")])
def test_a_client_gets_a_token_by_basic_or_form(http: FlaskClient, side: str, client: str) -> None:
    form = {"client_id": client, "client_secret": f"{client}-secret"}
    path = f"/auth/{side}/access-token"
    for answer in (
        http.post(path, data=GRANT, auth=(client, f"{client}-secret")),
        http.post(path, data=GRANT | form),
        # Encoded as RFC 6749, section 2.3.1, has it.
        http.post(path, data=GRANT, auth=(client, f"{client}%2Dsecret")),
    ):
        assert answer.status_code == 200
        assert answer.headers["Cache-Control"] == "no-store"
        granted = answer.get_json()
        assert granted.pop("access_token").count(".") == 2
        assert granted == {"token_type": "Bearer", "expires_in": 3600}


@pytest.mark.parametrize(
    ("data", "status", "error"),
    [
        ({}, 400, "invalid_request"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
        (GRANT, 401, "invalid_client"),
        (GRANT | {"client_id": "tenant", "client_secret": "no"}, 401, "invalid_client"),
        (
            GRANT | {"client_id": "supplier", "client_secret": "supplier-secret"},
            401,
            "invalid_client",
        ),
    ],
)
def test_a_wrong_request_for_a_token_is_answered_as_oauth_says(
    http: FlaskClient, data: dict[str, str], status: int, error: str
) -> None:
    answer = http.post("/auth/tenant/access-token", data=data)

    assert answer.status_code == status
    assert answer.get_json() == {"error": error}
    assert ("WWW-Authenticate" in answer.headers) == (status == 401)


@pytest.mark.parametrize("token", ["", "Bearer", "Bearer nonsense", "Basic dGVuYW50OnRlbmFudA=="])
def test_without_a_good_token_nothing_is_answered(http: FlaskClient, token: str) -> None:
    answer = http.post("/kcis", json={}, headers={"Authorization": token})

    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert answer.get_json()["code"] == "NOT_AUTHORISED"


def test_a_token_that_nobody_signed_is_refused(http: FlaskClient, tenant: Party) -> None:
    _, payload, _ = tenant.token.split(".")
    head = base64.urlsafe_b64encode(b'{"alg":"none","typ":"JWT"}').decode().rstrip("=")
    forged = HEADERS | {"Authorization": f"Bearer {head}.{payload}."}

    assert http.get("/service-problems/1", headers=forged).status_code == 401


def test_a_token_ends(tenant: Party, clock: ManualMachineClock) -> None:
    clock.advance(3599)
    assert tenant.get("/service-problems/1").status_code == 404
    clock.advance(1)
    assert tenant.get("/service-problems/1").status_code == 401


def test_a_token_is_not_good_before_its_time(tenant: Party, clock: ManualMachineClock) -> None:
    clock.advance(-60)
    assert tenant.get("/service-problems/1").status_code == 401


@pytest.mark.parametrize("now", [(), ("other",)])
def test_a_token_ends_with_its_party(
    tenant: Party, make_app: MakeApp, config: SandboxConfig, now: tuple[str, ...]
) -> None:
    parties = [replace(config.tenants[0], client_secret=secret) for secret in now]
    app = make_app(replace(config, tenants=tuple(parties)))
    again = Party(app.test_client(), tenant.token)
    assert again.get("/service-problems/1").status_code == 401


def test_a_token_outlives_a_restart(tenant: Party, make_app: MakeApp) -> None:
    again = Party(make_app().test_client(), tenant.token)
    assert again.get("/service-problems/1").status_code == 404


@pytest.mark.parametrize(("who", "path"), [("supplier", "/service-problems"), ("tenant", "/kcis")])
def test_a_token_opens_one_side_only(who: str, path: str, request: pytest.FixtureRequest) -> None:
    party: Any = request.getfixturevalue(who)
    answer = party.post(path, {})

    assert answer.status_code == 403
    assert answer.data == b""


def test_tokens_and_refusals_leave_a_line(
    http: FlaskClient, tenant: Party, capsys: pytest.CaptureFixture[str]
) -> None:
    with logging_to(capsys) as logged:
        for secret in ("tenant-secret", "wrong"):
            http.post("/auth/tenant/access-token", data=GRANT, auth=("tenant", secret))
        tenant.post("/kcis", {})
        http.post("/kcis", json={}, headers={"Authorization": "Bearer nonsense"})
        lines = logged()
    assert [(line["event"], line["client"], line.get("status")) for line in lines] == [
        ("token.granted", "tenant", None),
        ("token.refused", "unknown", 401),
        ("access.refused", "unknown", 403),
        ("access.refused", "unknown", 401),
    ]
    assert {line["address"] for line in lines} == {"127.0.0.1"}
