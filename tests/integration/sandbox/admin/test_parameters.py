"""Whose things are, and what is said of parameters and fields that there are not."""

from typing import Any
from urllib.parse import quote

import pytest

from tests.samples import problem_request
from tests.supplier import Supplier, on_sqlite, refusal

LONGEST = "t" * 255
TENANTS = ["tenant-1", "Some.Body@example", "a/b", "//", "50%?#&=+", LONGEST]
FILTERS = "tenant, operation, direction, id, conversation, outcome, since, until, after"


@pytest.mark.parametrize("tenant", TENANTS)
def test_a_tenant_that_the_calls_take_is_taken_everywhere(supplier: Supplier, tenant: str) -> None:
    client, path = supplier.client, quote(tenant, safe="")
    chosen = {"scenarios": ["SERVICE_PROBLEM_DEFERRED"]}
    assert client.put(f"/admin/scenarios/{path}", json=chosen).status_code == 200
    assert client.get(f"/admin/scenarios/{path}").get_json() == chosen
    assert supplier.create(problem_request(id=7), tenant=tenant).status_code == 202

    shown = client.get(f"/admin/problems/7?tenant={path}").get_json()
    assert shown["tenant"] == tenant
    (entry,) = client.get(f"/admin/journal?tenant={path}").get_json()["entries"]
    assert entry["tenant"] == tenant
    frozen = client.post("/admin/clock?wait=0", json={"tenant": tenant, "freeze": True})
    assert frozen.get_json()["frozen"] is True
    assert client.get(f"/admin/clock?tenant={path}").get_json()["frozen"] is True
    fault = {"tenant": tenant, "direction": "in", "kind": "500", "calls": 1}
    assert client.put("/admin/faults", json=fault).get_json()["tenant"] == tenant
    assert client.delete(f"/admin/faults?tenant={path}").status_code == 204
    assert client.get(f"/admin/destinations/{path}").status_code == 404
    assert client.get(f"/admin/idle?tenant={path}&wait=0").status_code in {200, 408}
    assert client.post("/admin/reset", json={"tenant": tenant}).status_code == 200
    assert client.get(f"/admin/problems/7?tenant={path}").status_code == 404


@on_sqlite
@pytest.mark.parametrize(
    ("method", "query", "messages"),
    [
        (
            "GET",
            "/journal?tennant=TENANT1&operations=kcis",
            [
                f"tennant: unknown; expected one of {FILTERS}, count, wait",
                f"operations: unknown; expected one of {FILTERS}, count, wait",
            ],
        ),
        (
            "GET",
            "/journal/export?fromat=har",
            [f"fromat: unknown; expected one of {FILTERS}, format"],
        ),
        ("DELETE", "/journal?al=true", ["al: unknown; expected one of tenant, all"]),
        ("GET", "/journal?tenant=A&tenant=B", ["tenant: expected once"]),
        ("GET", "/scenarios?tenant=A", ["tenant: unknown; expected none"]),
        ("GET", "/idle?waits=1", ["waits: unknown; expected one of tenant, wait"]),
        ("POST", "/clock?wiat=1", ["wiat: unknown; expected one of wait"]),
        ("POST", "/reset?everybody=true", ["everybody: unknown; expected one of all"]),
    ],
)
def test_a_parameter_that_is_not_known_is_named_with_those_that_are(
    supplier: Supplier, method: str, query: str, messages: list[str]
) -> None:
    answer = supplier.client.open(f"/admin{query}", method=method, json={})
    assert refusal(answer)[::2] == (422, messages)


@on_sqlite
@pytest.mark.parametrize(
    ("method", "path", "body", "known"),
    [
        (
            "POST",
            "/reset",
            {"tenant": "TENANT1", "freezeAt": "2026-01-05T12:00:00.000Z"},
            "tenant, seed, freeze_at",
        ),
        (
            "POST",
            "/clock",
            {"advanceSeconds": 1, "tenants": "TENANT1"},
            "tenant, advanceSeconds, to, freeze, run",
        ),
        ("PUT", "/scenarios/TENANT1", {"scenarios": [], "conversation": "c"}, "scenarios"),
    ],
)
def test_so_is_a_field(
    supplier: Supplier, method: str, path: str, body: dict[str, Any], known: str
) -> None:
    name = list(body)[-1]
    answer = supplier.client.open(f"/admin{path}", method=method, json=body)
    assert refusal(answer)[::2] == (422, [f"{name}: unknown; expected one of {known}"])


@on_sqlite
def test_what_is_wrong_is_said_together_wherever_it_stands(supplier: Supplier) -> None:
    answer = supplier.client.post("/admin/clock?wait=5m", json={"advanceSeconds": -1})
    assert refusal(answer)[::2] == (
        422,
        [
            "wait: expected at most 60s, as in 10s or 500ms",
            "advanceSeconds: expected a number from 0 to 316224000",
        ],
    )


@on_sqlite
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/reset"),
        ("POST", "/reset?all=true"),
        ("DELETE", "/journal"),
        ("DELETE", "/journal?all=true&tenant=TENANT1"),
        ("DELETE", "/faults"),
        ("DELETE", "/faults?all=true&tenant=TENANT1"),
    ],
)
def test_what_deletes_is_told_whose(supplier: Supplier, method: str, path: str) -> None:
    body = {"tenant": "TENANT1"} if path == "/reset?all=true" else {}
    answer = supplier.client.open(f"/admin{path}", method=method, json=body)
    status, _, (message,) = refusal(answer)
    assert status == 422
    assert message.endswith("or for everybody ?all=true; not both")
