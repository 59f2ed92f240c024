"""Who may see the console, and who may do what there."""

import re

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from supplier_api.auth.accounts import Accounts, By, Role
from supplier_api.console.context import EXTENSION
from supplier_api.settings import Settings
from supplier_api.settings.doors import Door, listeners

PASSWORD = "correct horse battery"
BEYOND = {"SUPPLIER_API__SERVER__HOST": "0.0.0.0"}
beyond_loopback = pytest.mark.parametrize("more_settings", [BEYOND], ids=["beyond"])
SITE = "https://supplier.example"
LOOPBACK = "http://127.0.0.1:8080"
ELSEWHERE = ["https://evil.example/", "//evil.example/", r"/\evil.example"]
TEST = By("test", "for a test")


@pytest.fixture
def accounts(app: Flask) -> Accounts:
    """Return the accounts, with one of each role."""
    found: Accounts = app.extensions["console"].extensions[EXTENSION].access.accounts
    for role in Role:
        found.add(f"the-{role}", PASSWORD, role, TEST)
    return found


def send(client: FlaskClient, path: str, site: str = SITE, **fields: str) -> TestResponse:
    """Send a form as a browser does that has shown the page before it."""
    page = client.get("/console/sign-in/", base_url=site)
    token = re.search(r'name="csrf_token" value="([^"]+)"', page.text)
    assert token
    return client.post(
        f"/console{path}",
        data={"csrf_token": token[1], **fields},
        base_url=site,
        headers={"Referer": f"{site}/console/"},
    )


def sign_in(client: FlaskClient, role: Role, **fields: str) -> TestResponse:
    return send(client, "/sign-in/", name=f"the-{role}", password=PASSWORD, **fields)


def get(client: FlaskClient, path: str) -> TestResponse:
    return client.get(f"/console{path}", base_url="https://supplier.example")


@beyond_loopback
@pytest.mark.usefixtures("accounts")
def test_nobody_sees_a_page_without_signing_in(client: FlaskClient) -> None:
    answer = get(client, "/problems/?state=HELD")
    assert answer.status_code == 302
    assert answer.location == "/console/sign-in/?next=/problems/?state%3DHELD"
    assert "Overview" not in get(client, "/sign-in/").text


@beyond_loopback
def test_a_page_whose_session_has_ended_loads_itself_again(client: FlaskClient) -> None:
    asks = {"HX-Request": "true"}
    answer = client.get("/console/overview/news", headers=asks, base_url="https://supplier.example")
    assert (answer.status_code, answer.headers["HX-Refresh"]) == (401, "true")


@beyond_loopback
@pytest.mark.usefixtures("accounts")
def test_who_signs_in_comes_to_the_page_asked_for(client: FlaskClient) -> None:
    answer = sign_in(client, Role.VIEWER, next="/problems/?state=HELD")
    assert (answer.status_code, answer.location) == (303, "/console/problems/?state=HELD")
    assert get(client, "/problems/").status_code == 200


@beyond_loopback
@pytest.mark.usefixtures("accounts")
@pytest.mark.parametrize(
    "elsewhere", ["https://evil.example/", "//evil.example/", r"/\evil.example", "//[", "/\r\nX: y"]
)
def test_signing_in_leads_nowhere_else(client: FlaskClient, elsewhere: str) -> None:
    assert sign_in(client, Role.VIEWER, next=elsewhere).location == "/console/"


@beyond_loopback
@pytest.mark.usefixtures("accounts")
def test_the_cookie_is_kept_from_scripts_and_from_plain_http(client: FlaskClient) -> None:
    cookie = sign_in(client, Role.VIEWER).headers["Set-Cookie"]
    assert all(word in cookie for word in ("HttpOnly", "Secure", "SameSite=Lax"))


@beyond_loopback
@pytest.mark.usefixtures("accounts")
def test_a_wrong_password_says_nothing_of_the_name(client: FlaskClient) -> None:
    answers = [
        send(client, "/sign-in/", name=name, password="something wrong")
        for name in ("the-viewer", "nobody")
    ]
    assert {answer.status_code for answer in answers} == {422}
    assert all("name or password is wrong" in answer.text for answer in answers)


@beyond_loopback
@pytest.mark.usefixtures("accounts")
def test_many_attempts_have_to_wait(client: FlaskClient) -> None:
    for _ in range(10):
        answer = send(client, "/sign-in/", name="the-viewer", password="something wrong")
        if answer.status_code == 429:
            break
    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) > 0


@pytest.mark.parametrize(
    ("more_settings", "site", "status"),
    [
        ({**BEYOND, "SUPPLIER_API__CONSOLE__URL": LOOPBACK}, LOOPBACK, 303),
        (BEYOND, SITE, 429),
    ],
    ids=["by loopback", "from elsewhere"],
)
@pytest.mark.usefixtures("accounts")
def test_who_comes_by_loopback_holds_up_no_other_name(
    client: FlaskClient, site: str, status: int
) -> None:
    for number in range(10):
        send(client, "/sign-in/", site, name=f"user{number}", password="something wrong")
    assert (
        send(client, "/sign-in/", site, name="the-viewer", password=PASSWORD).status_code == status
    )


@beyond_loopback
def test_signing_out_ends_the_session(client: FlaskClient, accounts: Accounts) -> None:
    sign_in(client, Role.ADMIN)
    assert [each.name for each in accounts.sessions()] == ["the-admin"]
    assert send(client, "/sign-in/out").status_code == 303
    assert accounts.sessions() == []
    assert get(client, "/problems/").status_code == 302


@beyond_loopback
def test_who_signs_in_anew_leaves_no_session_behind(
    client: FlaskClient, accounts: Accounts
) -> None:
    sign_in(client, Role.ADMIN)
    sign_in(client, Role.VIEWER)
    assert [each.name for each in accounts.sessions()] == ["the-viewer"]


@beyond_loopback
def test_a_link_signs_in_once(client: FlaskClient, accounts: Accounts) -> None:
    link = f"/sign-in/link/{accounts.new_link(TEST)}"
    assert get(client, link).status_code == 200
    assert send(client, link).location == "/console/"
    assert "local, admin" in get(client, "/problems/").text
    send(client, "/sign-in/out")
    assert send(client, link).status_code == 422


@beyond_loopback
@pytest.mark.usefixtures("accounts")
def test_only_an_admin_sees_the_people(client: FlaskClient) -> None:
    sign_in(client, Role.OPERATOR)
    assert "/console/people/" not in get(client, "/problems/").text
    refused = get(client, "/people/")
    assert refused.status_code == 403
    assert "this needs the role admin; you are operator" in refused.text


@beyond_loopback
def test_an_admin_adds_changes_and_disables_people(client: FlaskClient, accounts: Accounts) -> None:
    sign_in(client, Role.ADMIN)
    new = {"name": "eve", "role": "viewer", "password": PASSWORD}
    assert send(client, "/people/", reason="new here", **new).status_code == 303
    assert send(client, "/people/", reason="again", **new).status_code == 422
    assert send(client, "/people/eve/role", reason="promoted", role="operator").status_code == 303
    assert send(client, "/people/eve/disable", reason="left").status_code == 303
    assert send(client, "/people/eve/disable", reason="left").status_code == 422
    eve = accounts.get("eve")
    assert eve
    assert eve.role is Role.OPERATOR
    assert eve.disabled
    assert "eve" in get(client, "/people/").text


@beyond_loopback
def test_a_disabled_person_is_signed_out_at_once(client: FlaskClient, accounts: Accounts) -> None:
    sign_in(client, Role.VIEWER)
    accounts.disable("the-viewer", TEST)
    assert get(client, "/problems/").status_code == 302


@beyond_loopback
@pytest.mark.usefixtures("accounts")
def test_without_its_token_a_form_does_nothing(client: FlaskClient) -> None:
    sign_in(client, Role.ADMIN)
    answer = client.post(
        "/console/people/the-viewer/disable",
        data={"reason": "forged"},
        base_url="https://supplier.example",
    )
    assert answer.status_code == 400
    assert "CSRF" in answer.text


@beyond_loopback
@pytest.mark.usefixtures("accounts")
def test_who_comes_without_tls_is_told_why_it_fails(client: FlaskClient) -> None:
    """The cookie stays away, and so does all that stands in it."""
    for scheme, told in (("http", True), ("https", False)):
        answer = client.post("/console/sign-in/", base_url=f"{scheme}://supplier.example")
        assert answer.status_code == 400
        assert ("Signing in takes https" in answer.text) is told


@beyond_loopback
@pytest.mark.usefixtures("accounts")
def test_a_form_of_another_site_does_nothing(client: FlaskClient) -> None:
    sign_in(client, Role.ADMIN)
    for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        answer = client.post(
            "/console/people/the-viewer/disable",
            base_url="https://supplier.example",
            headers=headers,
        )
        assert answer.status_code == 403


def test_on_loopback_anybody_is_admin(client: FlaskClient) -> None:
    page = client.get("/console/overview/")
    assert "local, admin" in page.text
    assert "Sign out" not in page.text


@pytest.mark.parametrize(
    "more_settings",
    [
        {"SUPPLIER_API__CONSOLE__PROXIES": "1"},
        {"SUPPLIER_API__CONSOLE__URL": "https://supplier.example"},
    ],
    ids=["proxy", "name"],
)
def test_on_loopback_behind_a_proxy_people_sign_in(client: FlaskClient) -> None:
    assert client.get("/console/overview/").status_code == 302


def test_on_loopback_no_other_name_is_ours(client: FlaskClient) -> None:
    assert client.get("/console/", base_url="http://evil.example").status_code == 421


@pytest.mark.parametrize("more_settings", [{}, BEYOND], ids=["loopback", "beyond"])
def test_what_is_no_name_at_all_is_refused(client: FlaskClient) -> None:
    # A label has at most 63 characters (RFC 1035).
    assert client.get("/console/", headers={"Host": "a" * 64}).status_code == 421


def test_production_has_no_console_until_it_is_configured(settings: Settings) -> None:
    production = settings.model_copy(update={"profile": "production"})
    doors = {door for listener in listeners(production) for door in listener.doors}
    assert doors == {Door.GATEWAY}
