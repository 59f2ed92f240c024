"""The gateway's business time, which testers and the supplier under test move."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from supplier_api.clock import ManualMachineClock
from tests.integration.sandbox.gateway.conftest import TENANT_PROBLEM, Party, token_for

Document = dict[str, Any]
LEAP_DAY = "2028-02-29T12:00:00.000Z"


def put(http: FlaskClient, **document: Any) -> None:
    assert http.post("/admin/clock", json=document).status_code == 204


def created(tenant: Party) -> str:
    """Raise a problem and return when the gateway says that was."""
    answer = tenant.post("/service-problems", TENANT_PROBLEM)
    assert answer.status_code == 201
    dated: str = answer.get_json()["created"]
    return dated


def test_what_happens_is_dated_by_the_clock(
    http: FlaskClient, tenant: Party, clock: ManualMachineClock
) -> None:
    put(http, tenant="TENANT1", to=LEAP_DAY)
    clock.advance(60)
    assert created(tenant) == "2028-02-29T12:01:00.000Z"


def test_a_clock_stands_until_it_is_let_go(
    http: FlaskClient, tenant: Party, clock: ManualMachineClock
) -> None:
    put(http, tenant="TENANT1", to=LEAP_DAY, freeze=True)
    clock.advance(60)
    assert created(tenant) == LEAP_DAY
    put(http, tenant="TENANT1", forget=True)
    assert created(tenant) == "2026-01-05T12:01:00.000Z"


def test_others_are_not_touched_but_by_everybodys_clock(http: FlaskClient, tenant: Party) -> None:
    put(http, tenant="TENANT2", to=LEAP_DAY)
    assert created(tenant) == "2026-01-05T12:00:00.000Z"
    put(http, to=LEAP_DAY)
    assert created(tenant) == LEAP_DAY
    put(http, forget=True)
    assert created(tenant) == "2026-01-05T12:00:00.000Z"


def test_a_moved_clock_outlives_a_restart(
    http: FlaskClient, make_app: Callable[[], Flask], clock: ManualMachineClock
) -> None:
    put(http, tenant="TENANT1", to=LEAP_DAY, freeze=True)
    put(http, tenant="TENANT2", to=LEAP_DAY)
    again = make_app().test_client()
    clock.advance(1)
    first = Party(again, token_for(again, "tenant", "tenant"))
    assert created(first) == LEAP_DAY
    second = Party(again, token_for(again, "tenant", "tenant2"))
    assert created(second) == "2028-02-29T12:00:01.000Z"


@pytest.mark.parametrize(
    ("document", "status"),
    [
        ({}, 422),
        ({"to": LEAP_DAY, "forget": True}, 422),
        ({"to": "soon"}, 422),
        ({"to": 1}, 400),
        ({"forget": False}, 422),
    ],
)
def test_a_clock_is_either_put_or_forgotten(
    http: FlaskClient, document: Document, status: int
) -> None:
    assert http.post("/admin/clock", json=document).status_code == status


def test_a_misspelt_field_moves_no_clock(http: FlaskClient, tenant: Party) -> None:
    # Without its tenant it would be everybody's clock.
    refused = http.post("/admin/clock", json={"tenent": "TENANT2", "to": LEAP_DAY})
    said = ["tenent: unknown; expected one of tenant, to, freeze, forget"]
    assert (refused.status_code, refused.get_json()["messages"]) == (422, said)
    assert created(tenant) == "2026-01-05T12:00:00.000Z"


def test_from_elsewhere_a_token_is_needed(http: FlaskClient) -> None:
    elsewhere = {"REMOTE_ADDR": "192.0.2.7"}
    body = {"to": LEAP_DAY}
    assert http.post("/admin/clock", json=body, environ_overrides=elsewhere).status_code == 401
