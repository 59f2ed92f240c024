"""Every call in and out is taken down, can be looked for and waited for, and explains itself."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jsonschema_rs
import pytest

from supplier_api.app.web import create_app
from supplier_api.app.worker import build_worker
from supplier_api.clock import from_wire
from supplier_api.contract.limits import ID_MAX
from supplier_api.settings import Settings
from tests.samples import amendment_request, problem_request
from tests.supplier import REPAIRED, TENANT, on_sqlite
from tests.unit.sandbox.journal.har_schema import HAR
from tests.waiting import PATIENCE

from .target import DAY, Target

Entry = dict[str, Any]
UNKNOWN_SERVICE = {"serviceId": "NO_SUCH_SERVICE"}


def entries(target: Target, search: str = f"tenant={TENANT}") -> list[Entry]:
    """Return the calls that are found."""
    found: list[Entry] = target.done(200, "GET", f"/journal?{search}")["entries"]
    return found


def why(target: Target, entry: Entry) -> list[dict[str, str]]:
    """Return the causes of an answer."""
    explained = target.done(200, "GET", f"/journal/{entry['cursor']}/why")
    assert explained["refused"] is True
    causes: list[dict[str, str]] = explained["causes"]
    return causes


def create(target: Target, request: str = "r", **changes: Any) -> int:
    """Ask for a problem; return the answer's status."""
    answer = target.call("/service-problems", problem_request(**changes), request=request)
    return answer.status_code


# -- what comes in


def test_a_call_is_kept_with_its_answer_and_the_decision(target: Target) -> None:
    assert create(target, id=7, extra="x") == 201
    [entry] = entries(target)
    assert (entry["direction"], entry["operation"], entry["method"], entry["url"]) == (
        "in",
        "service-problems",
        "POST",
        "/service-problems",
    )
    assert (entry["status"], entry["requestId"], entry["conversationId"]) == (
        201,
        "r",
        "conversation-1",
    )
    request, answer = (json.loads(entry[half]["body"]) for half in ("request", "answer"))
    assert request["extra"] == "x"
    assert answer["supplierReference"] in entry["ids"]
    assert entry["answer"]["headers"]["Content-Type"] == "application/json"
    assert entry["decision"]["outcome"] == "acknowledge"
    assert {"rule", "verdict", "values"} <= entry["decision"]["trace"][0].keys()
    assert [(each["document"], each["field"]) for each in entry["remarks"]] == [
        ("supplier-create v1.15", "extra")
    ]
    assert from_wire(entry["at"]) <= target.now()


def test_no_secret_is_kept(target: Target) -> None:
    token = target.token("gateway")
    create(target)
    found = entries(target, "after=0")
    assert [entry["operation"] for entry in found] == ["token", "service-problems"]
    assert token not in json.dumps(found)
    assert "gateway-secret" not in json.dumps(found)
    assert found[1]["request"]["headers"]["Authorization"] == "Bearer ***"


def test_calls_are_found_by_any_of_their_ids(target: Target) -> None:
    target.call("/service-problems", problem_request(id=5), request="first")
    [created] = entries(target)
    reference = json.loads(created["answer"]["body"])["supplierReference"]
    change = amendment_request(
        id=99,
        serviceProblemId=5,
        supplierServiceProblemReference=reference,
        supplierReference="X" * 9,
    )
    assert target.call("/service-problem-amendments", change, request="second").status_code == 201
    target.say(reference, "resolve", resolution=REPAIRED)
    assert create(target, "third", id=6, problemType="stability") == 422
    refused = entries(target)[-1]
    uuid = json.loads(refused["answer"]["body"])["uuid"]

    def operations(name: str) -> list[str]:
        return [entry["operation"] for entry in entries(target, f"id={name}")]

    story = ["service-problems", "service-problem-amendments", "back-office"]
    assert operations("5") == operations(reference) == story
    assert operations("99") == operations("second") == ["service-problem-amendments"]
    assert operations("6") == operations("third") == operations(uuid) == ["service-problems"]


def test_a_call_of_the_back_office_is_its_problems(target: Target) -> None:
    reference = target.opened(1)
    target.say(reference, "start")
    entry = entries(target)[-1]
    assert (entry["operation"], entry["tenant"]) == ("back-office", TENANT)
    assert json.loads(entry["request"]["body"])["event"] == "start"


def test_the_answer_to_a_resolution_is_its_problems(worked: Target) -> None:
    reference = worked.resolved(1)
    worked.settle()
    resolution = worked.told(1)[-1]["serviceProblemResolution"]["supplierReference"]
    headers = {"Authorization": f"Bearer {worked.token('gateway')}", "Tenant": TENANT}
    answer = worked.client.patch(
        f"/service-problem-resolutions/{resolution}",
        json={"status": "ACCEPTED"},
        headers={**headers, "X-Request-ID": "r", "X-Conversation-ID": "c"},
    )
    assert answer.status_code == 200
    [entry] = entries(worked, f"id={reference}&operation=service-problem-resolutions")
    assert resolution in entry["ids"]


def test_calls_that_no_tenant_made_are_nobodys(target: Target) -> None:
    assert target.client.get("/no/such/path%20%5b?b=%ff&x=[").status_code == 404
    [entry] = entries(target, "operation=unknown")
    assert (entry["tenant"], entry["url"]) == ("", "/no/such/path%20%5B?b=%ff&x=%5B")


@pytest.mark.parametrize(
    "path", ["/admin/clock", "/admin/journal", "/health/live", "/openapi.json", "/docs", "/admin/x"]
)
def test_calls_of_testers_and_monitors_are_not_kept(path: str, target: Target) -> None:
    target.client.get(path)
    assert entries(target, "after=0") == []


def test_a_body_that_cannot_be_read_is_kept_as_it_came(target: Target) -> None:
    headers = {"Authorization": f"Bearer {target.token('gateway')}", "Tenant": TENANT}
    target.client.post(
        "/service-problems", data=b'{"id": 1, \xff\x00', content_type="text/x", headers=headers
    )
    [entry] = entries(target)
    assert entry["request"] == {
        "headers": entry["request"]["headers"],
        "body": '{"id": 1, \\xff\0',
        "size": 12,
    }
    assert {remark["field"] for remark in entry["remarks"]} == {
        "X-Request-ID",
        "X-Conversation-ID",
        "Content-Type",
        "body",
    }


@on_sqlite
def test_in_production_nothing_is_kept(running: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[object] = []
    monkeypatch.setattr("supplier_api.app.sandbox.Recorder", lambda *given: made.append(given))
    production = running.model_copy(update={"profile": "production"})
    app = create_app(production)
    app.test_client().get("/nowhere")
    monkeypatch.setattr(
        "supplier_api.app.worker.build_services", lambda *_: app.extensions["services"]
    )
    monkeypatch.setattr("supplier_api.app.destinations.load_adapter", lambda *_: None)
    build_worker(production)
    assert made == []
    app.extensions["services"].store.close()


# -- what goes out


def test_an_update_is_kept_with_the_gateways_answer(worked: Target) -> None:
    # A 400 of this gateway has no body, and should have one.
    worked.gateway.answers(lambda arrival: 400 if arrival.problem == 2 else 204)
    for problem in (1, 2):
        worked.resolved(problem)
    worked.settle()
    found = entries(worked, f"tenant={TENANT}&operation=kcis&direction=out")
    by_problem = {
        json.loads(each["request"]["body"])["serviceProblem"]["id"]: each for each in found
    }
    taken, refused = by_problem[1], by_problem[2]
    assert json.loads(taken["request"]["body"]) == worked.told(1)[0]
    assert taken["url"] == f"{worked.gateway.url}/kcis"
    assert (taken["status"], taken["remarks"], taken["deliberate"]) == (204, [], None)
    assert taken["requestId"] == taken["request"]["headers"]["X-Request-ID"]
    assert (refused["status"], refused["remarks"][0]["section"]) == (400, "Response 400 fields")
    assert why(worked, refused)[0]["document"] == "Supplier Updates API 1.8, POST /kcis"


def test_tokens_that_the_worker_gets_are_nobodys_and_masked(worked: Target) -> None:
    worked.resolved(1)
    worked.settle()
    [entry] = entries(worked, "operation=token&direction=out")
    assert (entry["tenant"], entry["status"]) == ("", 200)
    assert entry["request"]["body"].endswith("client_secret=***")
    assert json.loads(entry["answer"]["body"])["access_token"] == "***"
    assert "token-1" not in json.dumps(entries(worked, "after=0"))


@pytest.mark.parametrize("also", [{"GATEWAY__KCI_URL": "http://127.0.0.1:1/kcis"}], ids=["away"])
def test_a_gateway_that_is_away_is_told(worked: Target) -> None:
    worked.resolved(1)
    page = worked.done(200, "GET", "/journal?operation=kcis&wait=20s")
    [entry] = page["entries"]
    assert (entry["status"], entry["trouble"]) == (None, "connection refused")
    [cause] = why(worked, entry)
    assert (cause["kind"], cause["message"]) == ("fault", "connection refused")


# -- what is done on purpose


def fault(target: Target, direction: str, kind: str, **more: Any) -> None:
    body = {"direction": direction, "kind": kind, "tenant": TENANT, "calls": 1, **more}
    assert target.admin("PUT", "/faults", body).status_code == 200


@pytest.mark.parametrize(
    ("kind", "parameters", "status", "left"),
    [
        ("500", {"when": "before"}, 500, '"SUPPLIER_FAULT"'),
        ("500", {"when": "after"}, 500, '"SUPPLIER_FAULT"'),
        ("503", {}, 503, ""),
        ("expired-token", {}, 401, "the token has expired"),
        ("reset", {}, None, ""),
        ("truncated", {}, 201, '{"status":"ACKNOWLEDGED"'),
        ("off-contract", {}, 201, "{"),
    ],
)
def test_a_spoilt_answer_is_kept_as_it_left(
    target: Target, kind: str, parameters: dict[str, Any], status: int | None, left: str
) -> None:
    fault(target, "in", kind, parameters=parameters)
    target.call("/service-problems", problem_request(id=8), request="r")
    [entry] = entries(target, "id=8")
    assert entry["status"] == status
    assert left in entry["answer"]["body"]
    assert entry["deliberate"]["kind"] == kind
    if kind == "truncated":
        with pytest.raises(ValueError, match=r"Expecting|Unterminated"):
            json.loads(entry["answer"]["body"])
    if status != 201:
        assert [cause["kind"] for cause in why(target, entry)] == ["deliberate"]


def test_an_update_off_the_contract_is_marked_with_clause_and_expected_answer(
    worked: Target,
) -> None:
    fault(worked, "out", "bad-uuid")
    worked.resolved(1)
    worked.settle()
    bad, real = entries(worked, f"tenant={TENANT}&operation=kcis")
    assert json.loads(bad["request"]["body"])["id"] == "not-a-uuid"
    assert bad["deliberate"] == {
        "kind": "bad-uuid",
        "description": "`id` is no UUID.",
        "clause": "Supplier Updates API 1.8, POST /kcis, id: a UUID",
        "expected": "422 INVALID_REQUEST",
    }
    assert real["deliberate"] is None


@pytest.mark.parametrize(
    ("kind", "marked"), [("duplicate", [False, True]), ("answer-lost", [True])]
)
def test_a_fault_of_delivery_is_marked_on_what_it_strikes(
    worked: Target, kind: str, marked: list[bool]
) -> None:
    fault(worked, "out", kind)
    worked.resolved(1)
    worked.settle()
    found = entries(worked, f"tenant={TENANT}&operation=kcis&count={len(marked)}")
    assert [entry["deliberate"] is not None for entry in found] == marked
    assert all(not entry["deliberate"] or entry["deliberate"]["kind"] == kind for entry in found)


# -- looking


def test_a_page_leads_to_the_next(target: Target) -> None:
    for problem in range(1, 6):
        create(target, f"r{problem}", id=problem, **UNKNOWN_SERVICE)
    seen, after = [], 0
    while (page := target.done(200, "GET", f"/journal?tenant={TENANT}&count=2&after={after}"))[
        "entries"
    ]:
        seen += [entry["requestId"] for entry in page["entries"]]
        after = page["cursor"]
    assert seen == [f"r{problem}" for problem in range(1, 6)]
    assert page["cursor"] == page["end"] == after


@on_sqlite
@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("outcome=201", ["a"]),
        ("outcome=422", ["b", "c"]),
        ("outcome=reject", ["b"]),
        ("outcome=acknowledge", ["a"]),
        ("conversation=conversation-1", ["a", "b", "c"]),
        ("conversation=another", []),
        ("operation=service-problem-amendments", []),
        ("since=2020-01-01T00:00:00%2B01:00", ["a", "b", "c"]),
        ("since=2020-01-01T00:00:00+01:00", ["a", "b", "c"]),
        ("until=2020-01-01T00:00:00Z", []),
        (f"tenant={TENANT}", ["a", "b", "c"]),
        ("tenant=TENANT2", []),
    ],
)
def test_what_is_found_by_which_filter(target: Target, search: str, found: list[str]) -> None:
    create(target, "a", id=1)
    create(target, "b", id=2, **UNKNOWN_SERVICE)
    create(target, "c", id=3, problemText="short")
    after = next(each["cursor"] for each in entries(target, "operation=token"))
    assert [entry["requestId"] for entry in entries(target, f"{search}&after={after}")] == found


@on_sqlite
@pytest.mark.parametrize(
    ("search", "field"),
    [
        ("tenant=two+words", "tenant"),
        ("direction=up", "direction"),
        ("after=-1", "after"),
        ("after=9223372036854775808", "after"),
        ("after=%C2%B2", "after"),
        ("count=0", "count"),
        ("count=501", "count"),
        ("id=", "id"),
        ("id=%00", "id"),
        (f"conversation={'x' * 256}", "conversation"),
        ("outcome=%0A", "outcome"),
        ("operation=", "operation"),
        ("since=yesterday", "since"),
        ("until=2026-01-05T12:00:00", "until"),
        ("since=2026-01-05T12:00:00Z&until=2026-01-05T12:00:00Z", "until"),
        ("wait=61s", "wait"),
    ],
)
def test_what_cannot_be_looked_for_is_refused(target: Target, search: str, field: str) -> None:
    refused = target.done(422, "GET", f"/journal?{search}")
    assert refused["messages"][0].startswith(f"{field}: expected")


def test_a_parameter_that_does_not_exist_is_refused(target: Target) -> None:
    refused = target.done(422, "GET", "/journal?tennant=TENANT1")
    (told,) = refused["messages"]
    assert told.startswith("tennant: unknown; expected one of tenant, operation, direction, id,")
    # Misspelt, a limit would be none.
    refused = target.done(422, "DELETE", "/journal?all=true&tennant=TENANT1")
    assert refused["messages"] == ["tennant: unknown; expected one of tenant, all"]


@pytest.mark.parametrize("outcome", ["²²²", "999999999999999999999", "reject'"])
def test_any_outcome_may_be_looked_for(target: Target, outcome: str) -> None:
    answer = target.client.get("/admin/journal", query_string={"outcome": outcome})
    assert (answer.status_code, answer.get_json()["entries"]) == (200, [])


# -- waiting


def test_one_waits_until_there_are_so_many(target: Target) -> None:
    create(target, id=1)
    after = entries(target)[-1]["cursor"]
    app, looking = target.client.application, threading.Event()

    def wait() -> tuple[int, list[str]]:
        looking.set()
        path = f"/admin/journal?tenant={TENANT}&after={after}&count=2&wait=60s"
        answer = app.test_client().get(path)
        return answer.status_code, [each["requestId"] for each in answer.get_json()["entries"]]

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(wait)
        assert looking.wait(PATIENCE)
        for request in ("x", "y", "z"):
            create(target, request, id=2)
        status, found = waiting.result(PATIENCE)
    assert (status, found) == (200, ["x", "y"])


def test_who_waits_in_vain_is_told_of_close_misses(target: Target) -> None:
    create(target, "a", id=1)
    after = entries(target)[-1]["cursor"]
    for number in range(5):
        create(target, f"b{number}", id=2, **UNKNOWN_SERVICE)
    search = f"tenant={TENANT}&id=2&outcome=201&after={after}&count=1&wait=0"
    page = target.done(408, "GET", f"/journal?{search}")
    assert page["entries"] == []
    near = {name: [e["requestId"] for e in found] for name, found in page["nearest"].items()}
    assert near == {"outcome": ["b2", "b3", "b4"]}
    other = target.done(408, "GET", f"/journal?tenant={TENANT}&id=1&after={after}&wait=0")
    assert [each["requestId"] for each in other["nearest"]["after"]] == ["a"]
    some = target.done(408, "GET", f"/journal?tenant={TENANT}&id=b4&count=2&wait=0ms")
    assert [each["requestId"] for each in some["entries"]] == ["b4"]
    assert [each["requestId"] for each in some["nearest"]["id"]] == ["b1", "b2", "b3"]


def test_what_another_process_records_is_seen(target: Target, running: Settings) -> None:
    app = create_app(running)
    create(Target(app.test_client(), target.gateway), "theirs", id=1)
    page = target.done(200, "GET", f"/journal?tenant={TENANT}&wait=20s")
    assert [entry["requestId"] for entry in page["entries"]] == ["theirs"]
    app.extensions["services"].store.close()


def test_what_is_settled_is_in_the_journal(worked: Target) -> None:
    """Whoever has waited for the end of all work need not wait for the journal."""
    for problem in range(1, 6):
        worked.resolved(problem)
        worked.settle()
        assert len(entries(worked, f"operation=kcis&tenant={TENANT}")) == problem


# -- why


def test_a_refusal_names_field_rule_and_section(target: Target) -> None:
    create(target, "a", id=1, **UNKNOWN_SERVICE)
    create(target, "b", id=2, problemText="short", problemType="stability")
    target.call("/service-problem-amendments", {"id": 3, "serviceProblemId": 4}, request="c")
    target.call("/service-problems", problem_request(id=1), request="d")
    by_rule, by_constraint, by_state, by_use = entries(target)
    [cause] = why(target, by_rule)
    assert (cause["kind"], cause["field"], cause["rule"]) == (
        "rule",
        "serviceId",
        "service-unknown",
    )
    assert (cause["document"], cause["section"]) == ("supplier-create v1.15", "Request fields")
    fields = [(each["kind"], each["field"]) for each in why(target, by_constraint)]
    assert fields == [("contract", "problemType"), ("contract", "problemText")]
    assert by_state["decision"] is None
    assert {each["field"] for each in why(target, by_state)} == {"body"}
    # The id was used for another request; what was decided of that is not the answer to this one.
    assert by_use["decision"] is None
    [cause] = why(target, by_use)
    assert (cause["kind"], cause["field"]) == ("state", "id")


def test_a_repeat_is_explained_like_the_first(target: Target) -> None:
    for _ in range(2):
        create(target, id=1, **UNKNOWN_SERVICE)
    first, repeat = entries(target)
    assert first["decision"] == repeat["decision"]
    assert why(target, first) == why(target, repeat)


@pytest.mark.parametrize("cursor", ["0", "12345", str(ID_MAX + 1), "x", "-1", "%C2%B2"])
def test_there_is_no_why_of_what_was_not_called(target: Target, cursor: str) -> None:
    assert target.done(404, "GET", f"/journal/{cursor}/why")["code"] == "NOT_FOUND"


# -- taking it away


@pytest.fixture
def full(worked: Target) -> Target:
    """Return a supplier with calls of all kinds in its journal."""
    reference = worked.resolved(1)
    worked.settle()
    worked.say(reference, "note", text="Ŵyn 😀 \u2028")
    create(worked, "x", id=2, extra=1, problemType="cpe")
    worked.client.get("/nowhere?a=1&b=")
    worked.settle()
    return worked


def test_every_line_of_ndjson_fits_the_published_schema(full: Target) -> None:
    schema = full.admin("GET", "/journal/schema")
    assert schema.content_type == "application/schema+json"
    validator = jsonschema_rs.validator_for(schema.get_json(force=True), validate_formats=True)
    answer = full.admin("GET", "/journal/export")
    assert answer.content_type == "application/x-ndjson"
    lines = [json.loads(line) for line in answer.data.splitlines()]
    assert len(lines) >= 7
    assert lines == entries(full, "after=0")
    for line in lines:
        validator.validate(line)


def test_an_archive_can_be_read_by_other_tools(full: Target) -> None:
    answer = full.admin("GET", f"/journal/export?format=har&tenant={TENANT}")
    assert answer.content_type == "application/json"
    archive = answer.get_json()
    jsonschema_rs.validator_for(HAR, validate_formats=True).validate(archive)
    assert len(archive["log"]["entries"]) == len(entries(full))


def test_there_is_no_other_form(target: Target) -> None:
    refused = target.done(422, "GET", "/journal/export?format=pcap")
    assert refused["messages"] == ["format: expected one of ndjson, har"]


def test_openapi_describes_what_is_answered(full: Target) -> None:
    api = full.client.get("/openapi.json").get_json()
    operation = api["paths"]["/admin/journal"]["get"]
    names = {parameter["name"] for parameter in operation["parameters"]}
    assert names >= {
        "tenant",
        "operation",
        "id",
        "conversation",
        "outcome",
        "since",
        "after",
        "wait",
    }
    page = operation["responses"]["200"]["content"]["application/json"]["schema"]
    described = page["properties"]["entries"]["items"]["properties"]
    assert all(entry.keys() == described.keys() for entry in entries(full, "after=0"))


# -- forgetting


def test_a_reset_forgets_the_tenants_calls_and_nobody_elses(target: Target) -> None:
    target.opened(1)
    target.opened(2, tenant="TENANT2")
    target.done(200, "POST", "/reset", {"tenant": TENANT})
    assert entries(target) == []
    assert len(entries(target, "tenant=TENANT2")) == 1
    target.done(200, "POST", "/reset?all=true", {})
    assert entries(target, "after=0") == []


def test_a_journal_can_be_forgotten_alone(target: Target) -> None:
    reference = target.opened(1)
    target.opened(2, tenant="TENANT2")
    assert target.admin("DELETE", "/journal").status_code == 422
    assert target.admin("DELETE", f"/journal?tenant={TENANT}&all=true").status_code == 422
    assert target.admin("DELETE", f"/journal?tenant={TENANT}").status_code == 204
    assert entries(target) == []
    assert len(entries(target, "tenant=TENANT2")) == 1
    assert target.done(200, "GET", f"/problems/{reference}")["status"] == "ACKNOWLEDGED"
    assert target.admin("DELETE", "/journal?all=true").status_code == 204
    assert entries(target, "after=0") == []


@pytest.mark.parametrize(
    "also", [{"SANDBOX__JOURNAL_CALLS": "3"}, {"SANDBOX__JOURNAL_BYTES": "6000"}], ids=str
)
def test_only_so_much_is_kept_of_each_tenant(target: Target) -> None:
    for problem in range(1, 7):
        create(target, f"r{problem}", id=problem, problemText="short")
    kept = [entry["requestId"] for entry in entries(target)]
    assert 1 <= len(kept) <= 4
    assert kept == [f"r{problem}" for problem in range(7 - len(kept), 7)]


def test_calls_are_dated_in_the_tenants_time(target: Target) -> None:
    create(target, "a", id=1)
    target.done(202, "POST", "/clock?wait=0", {"tenant": TENANT, "advanceSeconds": DAY})
    target.done(200, "POST", "/reset", {"tenant": "TENANT2", "freeze_at": "2028-02-29T12:00:00Z"})
    target.opened(2, tenant="TENANT2")
    [frozen] = entries(target, "tenant=TENANT2")
    assert frozen["at"] == "2028-02-29T12:00:00.000Z"
    [before] = entries(target)
    assert abs((from_wire(before["at"]) - target.now("TENANT3")).total_seconds()) < DAY / 2
