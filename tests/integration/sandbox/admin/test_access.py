"""Who may use the testers' door, and what is said of it."""

import re
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from supplier_api.app.web import create_app
from supplier_api.settings import load_settings

from .target import Target

# None of it depends on the engine.
pytestmark = pytest.mark.parametrize("upgraded_url", ["sqlite_file"], indirect=True, ids=["sqlite"])
EVERYWHERE = "0.0.0.0"
# Beyond loopback, with the secrets of the documentation.
beyond = pytest.mark.parametrize(
    "also",
    [{"SERVER__HOST": EVERYWHERE, "SANDBOX__ALLOW_DEFAULT_SECRETS": "true"}],
    ids=["beyond-loopback"],
)


@pytest.mark.parametrize(
    "host", ["localhost", "127.0.0.1:8080", "[::1]:8080", "supplier:8080", "192.0.2.7"]
)
def test_on_loopback_nobody_needs_a_token(host: str, target: Target) -> None:
    assert target.admin("GET", "/clock", Host=host).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8080", "127.0.0.1.evil.example"])
def test_a_stranger_cannot_give_us_a_name(host: str, target: Target) -> None:
    refused = target.admin("GET", "/clock", Host=host)
    assert refused.status_code == 403
    assert refused.get_json()["messages"][0].startswith("Host:")


@pytest.mark.parametrize("also", [{"SANDBOX__ALLOWED_HOSTS": "ci.example"}], ids=["allowed"])
def test_a_name_can_be_allowed(target: Target) -> None:
    assert target.admin("GET", "/clock", Host="ci.example:8080").status_code == 200
    assert target.admin("GET", "/clock", Host="other.example").status_code == 403


def test_no_other_origin_may_call(target: Target) -> None:
    origin = "https://evil.example"
    answer = target.admin("GET", "/clock", Origin=origin)
    assert not [name for name, _ in answer.headers if name.startswith("Access-Control")]
    asked = target.client.options("/admin/clock", headers={"Origin": origin})
    assert asked.status_code == 405
    plain = target.client.post("/admin/clock", data='{"freeze": true}', content_type="text/plain")
    assert plain.status_code == 400


@beyond
def test_beyond_loopback_a_token_of_the_scope_is_needed(target: Target) -> None:
    def status(token: str) -> int:
        return target.admin("GET", "/clock", Authorization=f"Bearer {token}").status_code

    refused = target.admin("GET", "/clock")
    assert refused.status_code == 401
    assert refused.headers["WWW-Authenticate"].startswith("Bearer")
    assert status("none") == 401
    assert status(target.token("gateway")) == 403
    assert status(target.token("admin")) == 200


def test_beyond_loopback_the_known_secrets_do_not_hold(
    environ: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    app = create_app(load_settings(environ | {"SUPPLIER_API__SERVER__HOST": EVERYWHERE}))
    told = capsys.readouterr().err
    client = app.test_client()
    secret = load_settings(environ | {"SUPPLIER_API__SERVER__HOST": EVERYWHERE}).access.clients[
        "admin"
    ]
    own = secret.secret.get_secret_value()
    assert _token(client, "admin-secret") == 401
    assert _token(client, own) == 200
    assert own in told
    # Told once, kept for the other processes, and readable by nobody else.
    assert capsys.readouterr().err == ""
    assert (tmp_path / "secrets.json").stat().st_mode & 0o077 == 0
    app.extensions["services"].store.close()


def test_in_production_there_is_no_such_door(environ: dict[str, str]) -> None:
    production = {
        "SUPPLIER_API_PROFILE": "production",
        "SUPPLIER_API__GATEWAY__KCI_URL": "https://gateway.example/kcis",
        "SUPPLIER_API__GATEWAY__TOKEN_URL": "https://gateway.example/token",
        "SUPPLIER_API__GATEWAY__CLIENT_ID": "us",
        "SUPPLIER_API__BACKOFFICE__ADAPTER": "ours",
        "SUPPLIER_API__GATEWAY__CLIENT_SECRET": "a-long-secret-of-one",
        "SUPPLIER_API__ACCESS__CLIENTS__GATEWAY__SECRET": "a-long-secret-of-two",
        "SUPPLIER_API__ACCESS__CLIENTS__BACK_OFFICE__SECRET": "a-long-secret-of-three",
    }
    app = create_app(load_settings(environ | production))
    assert not [rule for rule in app.url_map.iter_rules() if str(rule).startswith("/admin")]
    assert "/admin" not in app.test_client().get("/openapi.json").get_data(as_text=True)
    app.extensions["services"].store.close()


def test_every_route_is_described(target: Target) -> None:
    described: dict[str, Any] = target.client.get("/openapi.json").get_json()
    app = target.client.application
    served = {
        (re.sub(r"<(\w+:)?(\w+)>", r"{\2}", str(rule)), method.lower())
        for rule in app.url_map.iter_rules()
        if str(rule).startswith("/admin")
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    found = {
        (path, method)
        for path, methods in described["paths"].items()
        for method in methods
        if path.startswith("/admin") and method != "parameters"
    }
    assert served == found
    schemes = described["components"]["securitySchemes"]
    assert "admin" in schemes["oauth2"]["flows"]["clientCredentials"]["scopes"]


def _token(client: FlaskClient, secret: str) -> int:
    form = {"grant_type": "client_credentials", "client_id": "admin", "client_secret": secret}
    return client.post("/oauth2/token", data=form).status_code
