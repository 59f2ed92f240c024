"""/admin/faults: what is set, for whom and how long, and what is said of what is wrong."""

from typing import Any

import pytest

from supplier_api.app.web import create_app
from supplier_api.app.worker import build_worker
from supplier_api.sandbox.fault_injection.catalogue import EVERYWHERE, KINDS
from supplier_api.settings import Settings
from tests.integration.sandbox.fault_injection.conftest import Clocks, Faulty
from tests.samples import problem_request
from tests.supplier import TENANT, on_sqlite, refusal


def strikes(faulty: Faulty, calls: int, tenant: str = TENANT) -> str:
    """Create so many problems; return an x for each call that was struck, a dot for the others."""
    found = ""
    for _ in range(calls):
        number = next(faulty.serial)
        body = problem_request(id=number, serviceId=f"SI{number + 10**6:013}")
        status = faulty.create(body, tenant=tenant).status_code
        assert status in (201, 503)
        found += "x" if status == 503 else "."
    return found


def test_it_ends_after_so_many_calls(faulty: Faulty) -> None:
    faulty.set("503", "in", calls=2)
    assert strikes(faulty, 4) == "xx.."
    fault = faulty.fault()
    assert (fault["active"], fault["seen"], fault["hit"]) == (False, 2, 2)


def test_it_ends_after_its_time(faulty: Faulty) -> None:
    faulty.set("503", "in", forSeconds=60)
    assert strikes(faulty, 2) == "xx"
    faulty.business.advance(3600)
    faulty.machine.advance(59)
    assert strikes(faulty, 1) == "x"
    faulty.machine.advance(1)
    assert strikes(faulty, 1) == "."
    assert faulty.fault()["active"] is False


def test_the_same_seed_strikes_the_same_calls(faulty: Faulty) -> None:
    def run(seed: int) -> str:
        faulty.set("503", "in", calls=12, share=0.5, seed=seed)
        return strikes(faulty, 13)

    first = run(7)
    assert first == run(7)
    assert first != run(8)
    assert 2 < first.count("x") < 11
    assert first.endswith(".")


def test_a_share_of_nothing_strikes_nothing(faulty: Faulty) -> None:
    faulty.set("503", "in", calls=5, share=0)
    assert strikes(faulty, 3) == "..."
    assert faulty.fault()["seen"] == 3


def test_it_is_the_tenants_own(faulty: Faulty) -> None:
    faulty.set("503", "in", calls=9)
    assert strikes(faulty, 1, "TENANT2") == "."
    assert strikes(faulty, 1) == "x"


def test_it_may_be_one_conversations(faulty: Faulty) -> None:
    faulty.set("503", "in", conversation="conversation-2")
    assert strikes(faulty, 1) == "."
    faulty.set("503", "in", conversation="conversation-1")
    assert strikes(faulty, 2, "ANYBODY") == "x."


def test_it_strikes_the_operations_that_are_named(faulty: Faulty) -> None:
    faulty.set("503", "in", operations=["service-problem-amendments"])
    assert strikes(faulty, 1) == "."
    problem = faulty.opened()
    assert faulty.amend(problem.named({"id": 1, "notes": "x"})).status_code == 503


def test_the_oldest_strikes_and_the_others_do_not_count(faulty: Faulty) -> None:
    faulty.set("503", "in", calls=1)
    faulty.set("500", "in", calls=1)
    assert faulty.create(problem_request()).status_code == 503
    assert faulty.create(problem_request()).status_code == 500
    assert faulty.create(problem_request()).status_code == 201


def test_the_same_kind_again_takes_its_place(faulty: Faulty) -> None:
    faulty.set("503", "in", calls=1)
    assert strikes(faulty, 2) == "x."
    faulty.set("503", "in", calls=2)
    assert strikes(faulty, 3) == "xx."
    assert faulty.fault()["calls"] == 2


def test_faults_are_shown_and_deleted_by_whose_and_which(faulty: Faulty) -> None:
    faulty.set("503", "in")
    faulty.set("gap")
    faulty.set("500", "in", conversation="conversation-1")

    def kinds(query: str = "") -> list[str]:
        faults = faulty.client.get(f"/admin/faults{query}").get_json()["faults"]
        return [fault["kind"] for fault in faults]

    assert kinds() == ["503", "gap", "500"]
    assert kinds("?direction=out") == ["gap"]
    assert kinds(f"?tenant={TENANT}&kind=503") == ["503"]
    assert faulty.client.delete(f"/admin/faults?tenant={TENANT}&kind=503").status_code == 204
    assert kinds() == ["gap", "500"]
    assert faulty.client.delete("/admin/faults?conversation=conversation-1").status_code == 204
    assert kinds() == ["gap"]
    assert faulty.client.delete("/admin/faults?all=true").status_code == 204
    assert kinds() == []


@on_sqlite
@pytest.mark.parametrize("query", ["", f"?tenant={TENANT}&all=true", "?kind=gap"])
def test_it_must_be_said_whose_are_deleted(faulty: Faulty, query: str) -> None:
    faulty.set("gap")
    answer = faulty.client.delete(f"/admin/faults{query}")
    assert refusal(answer)[0] == 422
    assert faulty.fault()["kind"] == "gap"


def test_a_reset_deletes_the_tenants_faults(faulty: Faulty) -> None:
    faulty.set("gap")
    assert faulty.client.post("/admin/reset", json={"tenant": TENANT}).status_code == 200
    assert faulty.client.get("/admin/faults").get_json() == {"faults": []}


def test_what_is_set_is_shown(faulty: Faulty) -> None:
    answer = faulty.put("503", "in", operations=["service-problems"], calls=3, forSeconds=60)
    assert answer.get_json() == faulty.fault()
    assert answer.get_json() == {
        "id": 1,
        "tenant": TENANT,
        "direction": "in",
        "operations": ["service-problems"],
        "kind": "503",
        "parameters": {"retryAfter": 2, "when": "before"},
        "calls": 3,
        "ends": "2026-01-05T12:01:00.000Z",
        "share": 1.0,
        "seed": 1,
        "active": True,
        "seen": 0,
        "hit": 0,
    }


GOOD: dict[str, Any] = {"tenant": TENANT, "direction": "in", "kind": "503", "calls": 1}
IN = ", ".join(kind.name for kind in KINDS if kind.direction == "in")
FIELDS = (
    "tenant, conversation, direction, operations, kind, parameters, calls, forSeconds, share, seed"
)


@on_sqlite
@pytest.mark.parametrize(
    ("change", "status", "message"),
    [
        ({"kind": "telepathy"}, 422, f"kind: unknown; expected one of {IN}"),
        ({"kind": "gap"}, 422, f"kind: unknown; expected one of {IN}"),
        ({"direction": "up"}, 422, "direction: expected one of in, out"),
        ({"kind": None}, 400, "kind: expected a string, not null"),
        ({"parameters": []}, 400, "parameters: expected an object"),
        (
            {"parameters": {"retryAfter": -1}},
            422,
            "parameters.retryAfter: expected a whole number, 0 to 3600",
        ),
        ({"parameters": {"when": 1}}, 422, "parameters.when: expected one of before, after"),
        (
            {"parameters": {"seconds": 1}},
            422,
            "parameters.seconds: unknown; expected one of retryAfter, when",
        ),
        (
            {"operations": ["kcis"]},
            422,
            f"operations[0]: expected one of {', '.join(EVERYWHERE)}",
        ),
        ({"call": 3}, 422, f"call: unknown; expected one of {FIELDS}"),
        ({"share": 1.5}, 422, "share: expected a number from 0 to 1"),
        ({"calls": 0}, 422, "calls: expected a whole number from 1 to 9223372036854775807"),
        ({"tenant": "no tenant"}, 422, "tenant: expected to match [!-~]{1,255}"),
    ],
)
def test_what_is_wrong_is_named_with_what_is_expected(
    faulty: Faulty, change: dict[str, Any], status: int, message: str
) -> None:
    answer = faulty.client.put("/admin/faults", json={**GOOD, **change})
    assert refusal(answer)[::2] == (status, [message])


@on_sqlite
@pytest.mark.parametrize(
    ("missing", "message"),
    [
        ("tenant", "tenant: expected one, or a conversation"),
        ("calls", "calls: expected a number of calls, or else forSeconds"),
    ],
)
def test_it_must_be_said_whose_and_how_long(faulty: Faulty, missing: str, message: str) -> None:
    body = {name: value for name, value in GOOD.items() if name != missing}
    assert refusal(faulty.client.put("/admin/faults", json=body))[2] == [message]


@on_sqlite
def test_every_kind_can_be_set_as_the_catalogue_has_it(faulty: Faulty) -> None:
    kinds = faulty.client.get("/admin/faults/catalogue").get_json()["kinds"]
    assert len(kinds) == len(KINDS)
    for kind in kinds:
        parameters = {each["name"]: each["default"] for each in kind["parameters"]}
        answer = faulty.put(
            kind["kind"],
            kind["direction"],
            parameters=parameters,
            operations=kind["operations"],
        )
        assert answer.status_code == 200, answer.get_json()
        if kind["direction"] == "out":
            assert ("clause" in kind) is (kind["kind"] != "delay")


@on_sqlite
@pytest.mark.parametrize("more_settings", [{"SUPPLIER_API__SERVER__HOST": "0.0.0.0"}])
def test_beyond_loopback_a_token_is_needed(faulty: Faulty) -> None:
    assert faulty.client.get("/admin/faults").status_code == 401


@on_sqlite
def test_production_has_none_of_it(
    settings: Settings, clocks: Clocks, monkeypatch: pytest.MonkeyPatch
) -> None:
    production = settings.model_copy(update={"profile": "production"})
    called: list[str] = []
    for name in ("sandbox_web.inject_answer_faults", "sandbox.FaultyTransport"):
        monkeypatch.setattr(f"supplier_api.app.{name}", lambda *_, name=name: called.append(name))
    app = create_app(production, clocks[2])
    assert app.test_client().get("/admin/faults").status_code == 404
    monkeypatch.setattr(
        "supplier_api.app.worker.build_services", lambda *_: app.extensions["services"]
    )
    with monkeypatch.context() as patch:
        patch.setattr("supplier_api.app.destinations.load_adapter", lambda *_: None)
        build_worker(production)
    assert called == []
    build_worker(settings)
    assert called == ["sandbox.FaultyTransport"]
    app.extensions["services"].store.close()
