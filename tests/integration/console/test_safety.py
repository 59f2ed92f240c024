"""The console against who wishes it ill: roles, hostile text and input, masking, sessions."""

import json
import re
from collections.abc import Iterator
from hashlib import sha256
from html import unescape
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.routing import Rule

from supplier_api.console.access import Role
from supplier_api.db import UnitOfWork
from supplier_api.delivery.model import Meaning, Reply
from supplier_api.problems.inbox_repository import InboxRepository, InboxState
from supplier_api.problems.repository import ProblemRepository
from tests.integration.console.pages import Console
from tests.samples import amendment_request, problem_request, published_problem
from tests.supplier import DEFERRED, Problem, Supplier, on_sqlite

UUID = "00000000-0000-4000-8000-000000000000"
MARKER = "Marguerite"
SCRIPT = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>\u202e\x1b"
PAGES_MOST = 250  # that a walk over the console looks at
PUBLIC = {
    "static",
    "sign_in.show",
    "sign_in.sign_in",
    "sign_in.show_link",
    "sign_in.use_link",
    "sign_in.sign_out",
}
ADMINS = {
    "delivery.pause",
    "delivery.pausing",
    "delivery.resume",
    "delivery.resuming",
    "people.add",
    "people.change",
    "people.show",
    "problems.erase",
    "rules.draft_form",
    "rules.judge",
    "sandbox.reset",
}
# Pages that only show, but only to those who may act.
OPERATORS = {"delivery.opened", "delivery.rehearsed", "rules.try_form"}
HOSTILE = [
    "\0",
    "a\0b",
    "\ud800".encode("utf-8", "surrogatepass").decode("latin-1"),
    "9" * 18,
    "9" * 19,
    "9" * 5000,
    "-1",
    "٣",
    "1e999",
    "NaN",
    "//[",
    "/\r\nX: y",
    "../../etc/passwd",
    "{{7*7}}",
    "' OR 1=1 --",
    SCRIPT,
    # In all fields together as long as a form may be.
    "x" * 5_000,
]
FIELDS = re.findall(
    r"\S+",
    "action after and_record age appointment backOfficeId before body by calls change "
    "changeReference commit confirm current cursor days delay destination direction do draft "
    "event fault free from holder id incidents kind made message most move name newer next "
    "notes older open operation operations outcome parameters.seconds password problem "
    "problemCode problems problem_type q reason_code request resolutionCode resolutionText "
    "role scenario scopes seed seen service service_test services silent since stands state "
    "status tenant text ticket until version watched who ",
)


def rules(app: Flask) -> Iterator[tuple[Rule, str]]:
    """Yield each rule of the console with each method."""
    for rule in app.extensions["console"].url_map.iter_rules():
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            yield rule, method


def path_of(app: Flask, rule: Rule, text: str = "x") -> str:
    """Return a path that the rule takes, without the slash at its beginning."""
    numbers = dict.fromkeys(("cursor", "number", "problem"), 1)
    values = dict.fromkeys(rule.arguments, text) | numbers | {"message_id": UUID, "act": "role"}
    console: Flask = app.extensions["console"]
    adapter = console.url_map.bind("localhost")
    method = "POST" if "POST" in (rule.methods or ()) else None
    return adapter.build(rule.endpoint, values, method, append_unknown=False).removeprefix("/")


# -- roles


@on_sqlite
def test_each_view_needs_the_role_that_is_written_here(app: Flask, console: Console) -> None:
    """A new view is a viewer's to see and an operator's to use; all others are named here."""
    token = dict.fromkeys(Role, "")
    for role in Role:
        console.be("ann", role)
        token[role] = console.token("problems/") or console.token("sign-in/")
    for rule, method in rules(app):
        if rule.endpoint in PUBLIC:
            continue
        needs = Role.VIEWER if method == "GET" else Role.OPERATOR
        if rule.endpoint in OPERATORS:
            needs = Role.OPERATOR
        elif rule.endpoint in ADMINS:
            needs = Role.ADMIN
        for role in Role:
            console.be("ann", role)
            form = {"csrf_token": token[role]} if method == "POST" else {}
            answer = console.open(method, path_of(app, rule), form)
            refused = "this needs the role" in answer.text
            assert refused is not role.allows(needs), (rule.endpoint, method, role)
            assert answer.status_code == 403 or not refused


@on_sqlite
def test_nobody_sees_or_does_anything_without_signing_in(app: Flask, console: Console) -> None:
    token = console.token("sign-in/")
    console.be_nobody()
    for rule, method in rules(app):
        if rule.endpoint in PUBLIC:
            continue
        form = {"csrf_token": token} if method == "POST" else {}
        answer = console.open(method, path_of(app, rule), form)
        assert answer.status_code == (302 if method == "GET" else 401), rule
    assert console.open("GET", "no/such/page").status_code == 302


# -- input that nobody types


def hostile_requests(app: Flask) -> Iterator[tuple[str, str, dict[str, str]]]:
    """Yield method, path and fields: each value in all fields, and each as a part of paths."""
    for rule, method in rules(app):
        if rule.endpoint == "static":
            continue
        for value in HOSTILE:
            yield method, path_of(app, rule), dict.fromkeys(FIELDS, value)
        if rule.arguments:
            for value in HOSTILE[:4]:
                yield method, path_of(app, rule, value), {}


def test_no_input_makes_a_page_fail(app: Flask, console: Console) -> None:
    token = console.token("sign-in/")
    failed = set()
    for method, path, fields in hostile_requests(app):
        if method == "POST":
            form = {"csrf_token": token, "reason": "to see what happens", **fields}
            answer = console.open(method, path, form)
        else:
            answer = console.open(method, path, query=fields)
        if answer.status_code == 500:
            failed.add((method, path[:60], str(fields.get("q"))[:20]))
    assert not failed


# -- what others wrote


def walk(console: Console) -> Iterator[tuple[str, str]]:
    """Yield path and text of each page that links lead to, and of each live part; no forms."""
    todo, seen = [""], {""}
    while todo and len(seen) < PAGES_MOST:
        path = todo.pop(0)
        answer = console.open("GET", path)
        if answer.status_code in {301, 302, 303, 308}:
            html, found = "", [answer.headers["Location"]]
        else:
            assert answer.status_code in {200, 204, 404, 409}, (path, answer.status_code)
            html = answer.text
            found = re.findall(r'(?:href|hx-get)="([^"]*)"', html)
        yield path, html
        for link in map(unescape, found):
            parts = urlsplit(link)
            if parts.path.startswith("/console/"):
                target = link.partition("#")[0].removeprefix("/console/")
                kind = re.sub(r"[?&](seen|older|newer|from|before|until)=[^&]*", "", target)
                if kind not in seen and "static/" not in target:
                    seen.add(kind)
                    todo.append(target)


def marked(supplier: Supplier, said: str) -> Problem:
    """Have each party write `said` wherever it may write, and return a problem of it."""
    person = {"name": said, "email": "m@example.com", "phoneNumber": "01234 567890"}
    texts: dict[str, Any] = {
        "problemText": said,
        "notes": said,
        "hazards": said,
        "onSiteRestrictions": said,
        "primaryContact": person,
        "secondaryContact": person,
        "characteristics": [{"name": "END_USER_CPE", "value": said}],
    }
    problem = supplier.opened(**published_problem(**texts))
    amended = amendment_request(**{**texts, "id": 9001})
    amended.pop("supplierReference", None)
    supplier.amend(problem.named(amended))
    supplier.event(problem.reference, "start", note=said)
    supplier.deliver()
    refused = {"status": 422, "code": "INVALID_REQUEST", "messages": [f"text: not {said}"]}
    supplier.answers[2] = Reply(Meaning.REFUSED, "422 INVALID_REQUEST", 422, refusal=refused)
    supplier.event(problem.reference, "hold", problemCode="ACCESS_ISSUE", text=said, note=said)
    supplier.deliver()
    supplier.answers.clear()
    left_open = problem_request(**{**texts, "id": 9002, "serviceId": "SI0000000009002"})
    answer = supplier.create(left_open, tenant=DEFERRED)
    assert answer.status_code == 202, answer.get_json()
    repaired = supplier.opened(
        **problem_request(**{**texts, "id": 9003, "serviceId": "SI0000000009003"})
    )
    supplier.event(repaired.reference, "start")
    supplier.deliver()
    details = {"resolutionCode": "NETWORK_CABLING", "resolutionText": said}
    supplier.event(repaired.reference, "resolve", resolution=details, text=said)
    supplier.deliver()
    [*_, told] = supplier.kcis(repaired)
    supplier.settle(
        told["serviceProblemResolution"]["supplierReference"], "REJECTED", tenantNotes=said
    )
    received(supplier, said)
    return problem


def received(supplier: Supplier, said: str) -> None:
    """Have a webhook come that could not be applied."""
    body, now = json.dumps({"ticket": "T-1", "note": said}).encode(), supplier.machine.now()

    def work(uow: UnitOfWork) -> None:
        inbox = InboxRepository(uow)
        assert inbox.add("desk", sha256(body).hexdigest(), {"x-event": "changed"}, body, now)
        inbox.settle(inbox.newest(None, 1)[0], InboxState.FAILED, now, "status: is empty")

    supplier.services.store.write(work)


@on_sqlite
@pytest.mark.parametrize("role", list(Role))
def test_no_page_shows_what_is_personal(supplier: Supplier, console: Console, role: Role) -> None:
    problem = marked(supplier, MARKER)
    console.be("ann", role)
    pages = dict(walk(console))
    assert f"problems/{problem.reference}" in pages
    assert sum("delivery/" in path for path in pages) > 5
    assert [path for path, html in pages.items() if MARKER in html] == []


@on_sqlite
def test_a_viewer_does_not_see_why_people_did_something(
    supplier: Supplier, console: Console
) -> None:
    """A reason is what somebody wrote, and may name a customer."""
    problem = marked(supplier, "some words")
    message = next(
        each["id"] for each in supplier.kcis(problem) if each["reasonCode"] != "COMMITTED"
    )
    for path, page, more in (
        (f"delivery/{message}/open", f"delivery/{message}", {}),
        ("delivery/pause", "delivery/pause", {"tenant": "TENANT1"}),
        ("back-office/incidents", "back-office/incidents", {"id": "INC-1", "services": "S9"}),
        (f"problems/{problem.reference}/unmasked", f"problems/{problem.reference}", {}),
    ):
        answer = console.send(path, page, reason=MARKER, **more)
        assert answer.status_code in {200, 303}, answer.text
    assert MARKER in console.get("audit/")
    console.be("bob", Role.VIEWER)
    assert [path for path, html in walk(console) if MARKER in html] == []


@on_sqlite
def test_what_others_write_is_text_on_every_page(supplier: Supplier, console: Console) -> None:
    problem = marked(supplier, SCRIPT)

    def work(uow: UnitOfWork) -> None:
        stored = ProblemRepository(uow).lock(supplier.stored(problem.id).id)
        stored.back_office_id, stored.back_office_url = SCRIPT[:60], "javascript:alert(1)"
        ProblemRepository(uow).save(stored)

    supplier.services.store.write(work)
    reason = {"reason": SCRIPT}
    page = f"problems/{problem.reference}"
    opened = console.send(f"{page}/unmasked", page, **reason)
    console.send("delivery/pause", "delivery/pause", tenant="TENANT1", **reason)
    asked = [
        (path, console.open("GET", path, query=dict.fromkeys(FIELDS, SCRIPT)).text)
        for path in ("problems/", "audit/", "work/", "delivery/", "sandbox/journal")
    ]
    for path, html in [("unmasked", opened.text), *asked, *walk(console)]:
        assert_inert(path, html)


def assert_inert(path: str, html: str) -> None:
    """Check that a page brings no script and no style but our files, and links to no script."""
    scripts = re.findall(r"<script[^>]*>", html)
    assert all("/console/static/" in each for each in scripts), (path, scripts)
    assert "<img" not in html, path
    assert "<style" not in html, path
    tags = re.findall(r"<[a-z][^<>]*>", html)
    outside = [re.sub(r'"[^"]*"|\'[^\']*\'', "", each) for each in tags]
    assert [each for each in outside if re.search(r"\son\w+=|\sstyle=|hx-on", each)] == [], path
    links = re.findall(r'(?:href|src|action)="([^"]*)"', html)
    bad = [each for each in links if not re.match(r"/|#|\?|https?://|data:,", each)]
    assert bad == [], (path, bad)


# -- where requests come from


@on_sqlite
@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("LOCALHOST:8080", 200),
        ("127.0.0.1:8080", 200),
        ("[::1]:8080", 200),
        ("127.0.0.1.evil.example", 421),
        ("localhost.", 421),
        ("evil.example", 421),
        ("evil.example:80@127.0.0.1", 421),
        ("[::1", 421),
        ("0.0.0.0", 421),
    ],
)
def test_on_loopback_only_names_of_this_machine_are_ours(
    client: FlaskClient, host: str, status: int
) -> None:
    answer = client.get("/console/problems/", headers={"Host": host})
    assert answer.status_code in ({status} if status == 200 else {status, 400})


@on_sqlite
@pytest.mark.parametrize(
    ("headers", "refused"),
    [
        ({"Origin": "http://localhost"}, False),
        ({"Sec-Fetch-Site": "none"}, False),
        ({"Origin": "null"}, True),
        ({"Origin": "http://localhost.evil.example"}, True),
        ({"Origin": "http://localhost:81"}, True),
        ({"Origin": "http://[::1"}, True),
        ({"Origin": "http://evil.example@localhost.evil.example"}, True),
        ({"Sec-Fetch-Site": "same-site"}, True),
        ({"Origin": "http://localhost", "Sec-Fetch-Site": "cross-site"}, True),
    ],
)
def test_forms_come_from_our_own_pages(
    client: FlaskClient, headers: dict[str, str], refused: bool
) -> None:
    answer = client.post("/console/back-office/ping", headers=headers)
    assert answer.status_code == (403 if refused else 400)  # 400: it has no token


@on_sqlite
def test_a_page_never_leads_back_to_another_site(client: FlaskClient) -> None:
    for elsewhere in ("https://evil.example/", "http://localhost.evil.example/", "javascript:1"):
        answer = client.get("/console/no/such/page", headers={"Referer": elsewhere})
        assert elsewhere not in answer.text
        answer = client.get(
            "/console/problems/", headers={"X-Forwarded-Host": "evil.example", "Referer": elsewhere}
        )
        assert "evil.example" not in answer.text


@on_sqlite
def test_a_form_has_a_largest_size(console: Console) -> None:
    token = {"csrf_token": console.token("rules/draft")}
    assert console.post("rules/draft", **token, draft="x" * (1 << 20)).status_code == 413
    many = {f"field{number}": "x" for number in range(2_000)}
    assert console.post("back-office/ping", **token, **many).status_code < 500
    assert "expected at most" in console.post("rules/draft", **token, draft="x" * 250_000).text


@on_sqlite
def test_each_answer_says_what_a_browser_may_do_with_it(app: Flask, console: Console) -> None:
    for rule, method in rules(app):
        if method != "GET" or rule.endpoint == "static":
            continue
        headers = console.open("GET", path_of(app, rule)).headers
        assert "script-src 'self'" in headers["Content-Security-Policy"], rule
        assert "unsafe" not in headers["Content-Security-Policy"], rule
        assert headers["Cache-Control"] == "no-store", rule
        assert headers["X-Content-Type-Options"] == "nosniff", rule
