"""Problems that were raised past the gateway, and ids that come the same again."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from supplier_api.contract.field_table import FROM_TENANT, PROBLEM
from supplier_api.sandbox.gateway import SandboxConfig, Sender
from tests.field_examples import examples_of
from tests.integration.sandbox.gateway.conftest import (
    TENANT_PROBLEM,
    KciMaker,
    MakeApp,
    Party,
    token_for,
)
from tests.integration.sandbox.gateway.tenant_schema import check

Document = dict[str, Any]
PAST = 1_764_534_000  # the id that somebody made up


@pytest.fixture
def config(config: SandboxConfig) -> SandboxConfig:
    """Give a gateway that adopts; the first of its suppliers is its own."""
    ours, *others = config.suppliers
    return replace(config, adopt=True, suppliers=(replace(ours, ours=True), *others))


@pytest.fixture
def tenant2(http: FlaskClient) -> Party:
    return Party(http, token_for(http, "tenant", "tenant2"))


def about(kci: Document, problem_id: int = PAST, **more: Any) -> Document:
    """Return the KCI about a problem of that id, with a reference of its own."""
    reference = {"supplierReference": f"SP_NO_{problem_id}"}
    return kci | {"serviceProblem": kci["serviceProblem"] | {"id": problem_id} | reference | more}


def told(problem: Document) -> list[tuple[str, int | None]]:
    return [
        ((update.get("information") or update["action"])["type"], update.get("sequenceNumber"))
        for update in problem["updates"]
    ]


def test_a_problem_of_our_own_supplier_begins_at_its_first_update(
    supplier: Party, tenant: Party, kci: KciMaker
) -> None:
    first = about(kci(3, "COMMITTED", "IN_PROGRESS"))
    assert supplier.post("/kcis", first).status_code == 204
    assert supplier.post("/kcis", first).status_code == 204
    assert supplier.post("/kcis", about(kci(4, status="IN_PROGRESS"))).status_code == 204

    problem = tenant.problem(PAST)

    check(problem)
    assert told(problem) == [("CREATED", None), ("COMMITTED", 3), ("UPDATE", 4)]
    assert problem["updates"][0]["information"]["text"].startswith("Raised past the gateway")
    assert (problem["status"], problem["supplierIdentifier"]) == ("IN_PROGRESS", f"SP_NO_{PAST}")


def test_it_is_shown_with_every_field_that_a_tenant_could_have_sent(
    supplier: Party, tenant: Party, kci: KciMaker
) -> None:
    whole = examples_of(PROBLEM) | {"id": PAST}
    assert supplier.post("/kcis", about(kci(1), **whole)).status_code == 204
    shown = tenant.problem(PAST)
    assert {name: shown[name] for name in FROM_TENANT} == {
        name: whole[name] for name in FROM_TENANT
    }


@pytest.mark.parametrize(
    ("reason", "more"),
    [
        ("ACKNOWLEDGED", {}),
        ("COMPLETED", {}),
        ("CANCELLED", {"problemCode": "OTHER"}),
    ],
)
def test_it_begins_wherever_it_stands(
    supplier: Party, tenant: Party, kci: KciMaker, reason: str, more: Document
) -> None:
    sent = about(kci(2, reason, reason, **more))
    assert supplier.post("/kcis", sent).status_code == 204
    problem = tenant.problem(PAST)
    assert (problem["status"], problem["supplierIdentifier"]) == (reason, f"SP_NO_{PAST}")


def test_it_is_the_tenants_that_the_supplier_names(
    supplier: Party, tenant: Party, tenant2: Party, kci: KciMaker
) -> None:
    assert supplier.post("/kcis", about(kci(1)), Tenant="TENANT2").status_code == 204
    assert told(tenant2.problem(PAST)) == [("CREATED", None), ("UPDATE", 1)]
    assert tenant.get(f"/service-problems/{PAST}").status_code == 404


def test_its_tenant_can_go_on_with_it(
    supplier: Party, tenant: Party, sender: Sender, kci: KciMaker
) -> None:
    assert supplier.post("/kcis", about(kci(1))).status_code == 204
    asked = {"serviceProblemId": PAST, "notes": "Only in the evening"}
    assert tenant.post("/service-problem-amendments", asked).status_code == 201
    sender.run_due()
    assert told(tenant.problem(PAST))[-1] == ("AMENDED", None)
    assert tenant.problem(PAST)["notes"] == "Only in the evening"


@pytest.mark.usefixtures("raised")
def test_what_is_known_is_not_adopted(
    supplier: Party, tenant: Party, tenant2: Party, kci: KciMaker
) -> None:
    reference = {"supplierReference": "SP_7K2M9QX4"}  # that of problem 1
    for sent, named in (
        (about(kci(1), 1), "TENANT2"),
        (about(kci(1), 1, **reference), "TENANT2"),
        (about(kci(1), PAST, **reference), "TENANT1"),
        (about(kci(1), 1), "TENANT1"),
    ):
        answer = supplier.post("/kcis", sent, Tenant=named)
        assert (answer.status_code, answer.get_json()["code"]) == (422, "NOT_FOUND")
    assert told(tenant.problem(1)) == [("ACKNOWLEDGED", None)]
    for party in (tenant, tenant2):
        assert party.get(f"/service-problems/{PAST}").status_code == 404


def test_another_supplier_raises_nothing_past_the_gateway(
    http: FlaskClient, tenant: Party, kci: KciMaker
) -> None:
    other = Party(http, token_for(http, "supplier", "other"))
    answer = other.post("/kcis", about(kci(1)), Tenant="TENANT1")
    assert (answer.status_code, answer.get_json()["code"]) == (422, "NOT_FOUND")
    assert tenant.get(f"/service-problems/{PAST}").status_code == 404


def test_a_tenants_name_that_is_none(supplier: Party, kci: KciMaker) -> None:
    answer = supplier.post("/kcis", about(kci(1)), Tenant="two words")
    assert answer.status_code == 422
    assert answer.get_json()["messages"] == ["Tenant: expected 1 to 255 visible ASCII characters"]


def test_new_ids_skip_those_that_were_adopted(
    supplier: Party, tenant: Party, make_app: MakeApp, kci: KciMaker
) -> None:
    for problem_id in (2, PAST, 2**63 - 1):
        assert supplier.post("/kcis", about(kci(1), problem_id)).status_code == 204
    ids = [tenant.post("/service-problems", TENANT_PROBLEM).get_json()["id"] for _ in range(2)]
    again = make_app().test_client()
    restarted = Party(again, token_for(again, "tenant", "tenant"))
    ids += [restarted.post("/service-problems", TENANT_PROBLEM).get_json()["id"]]
    assert ids == [1, 3, 4]


def test_a_file_of_the_version_before_goes_on(
    tenant: Party, app: Flask, make_app: MakeApp, tmp_path: Path
) -> None:
    tenant.post("/service-problems", TENANT_PROBLEM)
    app.extensions["sandbox"].close()
    with closing(sqlite3.connect(tmp_path / "sandbox.db")) as connection:
        # It let SQLite count.
        connection.execute("DELETE FROM meta WHERE name LIKE 'last/%'")
        connection.commit()
    http = make_app().test_client()
    again = Party(http, token_for(http, "tenant", "tenant"))
    assert again.post("/service-problems", TENANT_PROBLEM).get_json()["id"] == 2
    assert again.problem(1)["status"] == "RECEIVED_BY_GATEWAY"


def reset(http: FlaskClient, **document: Any) -> None:
    assert http.post("/admin/reset", json=document).status_code == 204


def test_with_a_seed_the_same_comes_again(
    http: FlaskClient, tenant: Party, tenant2: Party, sender: Sender
) -> None:
    def run() -> list[Document]:
        reset(http, tenant="TENANT1", seed=42)
        raised = [tenant.post("/service-problems", TENANT_PROBLEM).get_json() for _ in range(2)]
        sender.run_due()
        asked = {"serviceProblemId": raised[0]["id"], "notes": "Only in the evening"}
        change = tenant.post("/service-problem-amendments", asked).get_json()
        sender.run_due()
        return [*(tenant.problem(each["id"]) for each in raised), change]

    others = tenant2.post("/service-problems", TENANT_PROBLEM).get_json()["id"]
    first = run()
    assert run() == first
    assert first[1]["id"] == first[0]["id"] + 1 > 10**12
    assert told(first[0]) == [("ACKNOWLEDGED", None), ("AMENDED", None)]
    assert tenant2.problem(others)["id"] == others
    # Without a seed everything is counted on from where it was.
    reset(http, tenant="TENANT1")
    assert tenant.post("/service-problems", TENANT_PROBLEM).get_json()["id"] == others + 1


def test_a_seed_for_everybody_is_each_tenants_own(
    http: FlaskClient, tenant: Party, tenant2: Party, make_app: MakeApp
) -> None:
    def ids() -> list[int]:
        reset(http, all=True, seed=42)
        answers = [each.post("/service-problems", TENANT_PROBLEM) for each in (tenant, tenant2)]
        return [answer.get_json()["id"] for answer in answers]

    first = ids()
    assert ids() == first
    again = make_app().test_client()  # the seed is kept
    restarted = Party(again, token_for(again, "tenant", "tenant"))
    assert restarted.post("/service-problems", TENANT_PROBLEM).get_json()["id"] == first[0] + 1


def test_a_reset_says_whose(http: FlaskClient) -> None:
    for document in ({}, {"tenant": "TENANT1", "all": True}):
        answer = http.post("/admin/reset", json=document)
        assert answer.status_code == 422
        assert answer.get_json()["messages"] == ["tenant: expected one, or none and all as true"]


def test_a_misspelt_field_resets_nothing(http: FlaskClient, tenant: Party) -> None:
    kept = tenant.post("/service-problems", TENANT_PROBLEM).get_json()["id"]
    refused = http.post("/admin/reset", json={"tenant": "TENANT1", "sed": 42})
    said = ["sed: unknown; expected one of tenant, all, seed"]
    assert (refused.status_code, refused.get_json()["messages"]) == (422, said)
    assert tenant.problem(kept)["id"] == kept


def test_problems_at_other_suppliers_outlive_a_reset(
    http: FlaskClient, tenant: Party, supplier: Party, sender: Sender, kci: KciMaker
) -> None:
    at_other = TENANT_PROBLEM | {"supplier": "OTHER_SUPPLIER"}
    kept = tenant.post("/service-problems", at_other).get_json()["id"]
    gone = tenant.post("/service-problems", TENANT_PROBLEM).get_json()["id"]
    sender.run_due()
    resolved = kci(1, "RESOLVED", "RESOLVED", serviceProblemResolution=RESOLUTION)
    sent = about(resolved, gone, supplierReference="SP_7K2M9QX4")
    assert supplier.post("/kcis", sent).status_code == 204
    reset(http, all=True)
    assert tenant.problem(kept)["id"] == kept
    assert tenant.get(f"/service-problems/{gone}").status_code == 404


RESOLUTION = {
    "supplierReference": "SP_RESOLUTION",
    "status": "PENDING",
    "resolvedDate": "2026-01-05T12:00:00.000Z",
    "resolutionDetails": {"resolutionCode": "OTHER"},
}
