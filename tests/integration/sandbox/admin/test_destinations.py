"""A tenant's updates go to a gateway of its own."""

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from tests.supplier import TENANT, on_sqlite
from tests.system.gateway import Gateway

from .target import Target


@pytest.fixture
def own() -> Iterator[Gateway]:
    """Yield another gateway than everybody's."""
    with closing(Gateway()) as gateway:
        gateway.start()
        yield gateway


def destination(gateway: Gateway, **changes: Any) -> dict[str, Any]:
    return {
        "kciUrl": f"{gateway.url}/kcis",
        "tokenUrl": f"{gateway.url}/token",
        "clientId": "c",
        "clientSecret": "s",
        **changes,
    }


def test_updates_of_one_tenant_go_to_its_own_gateway(worked: Target, own: Gateway) -> None:
    told = worked.done(200, "PUT", f"/destinations/{TENANT}", destination(own))
    assert told == {"stored": True, "token": "granted"}
    worked.resolved(1)
    worked.resolved(2, tenant="TENANT2")
    worked.settle()
    worked.settle("TENANT2")
    assert [each.problem for each in own.arrivals()] == [1]
    assert [each.problem for each in worked.gateway.arrivals()] == [2]
    # One token to try it, and one for all that the worker sends.
    assert own.tokens == 2


def test_it_holds_until_it_is_deleted_and_survives_a_reset(worked: Target, own: Gateway) -> None:
    worked.done(200, "PUT", f"/destinations/{TENANT}", destination(own))
    worked.done(200, "POST", "/reset", {"tenant": TENANT})
    worked.resolved(1)
    worked.settle()
    assert worked.admin("DELETE", f"/destinations/{TENANT}").status_code == 204
    worked.resolved(2)
    worked.settle()
    assert [each.problem for each in own.arrivals()] == [1]
    assert [each.problem for each in worked.gateway.arrivals()] == [2]


def test_the_secret_is_not_shown(target: Target, own: Gateway) -> None:
    path = f"/destinations/{TENANT}"
    assert target.admin("GET", path).status_code == 404
    target.done(200, "PUT", path, destination(own))
    assert target.done(200, "GET", path) == destination(own, clientSecret="********")
    assert target.admin("GET", "/destinations/TENANT2").status_code == 404


def test_a_gateway_that_gives_no_token_is_not_kept(target: Target, own: Gateway) -> None:
    path, wrong = f"/destinations/{TENANT}", destination(own, clientSecret="other")
    refused = target.done(422, "PUT", path, wrong)
    assert refused["messages"] == ["token endpoint: 401; ?force=true keeps it all the same"]
    assert target.admin("GET", path).status_code == 404
    forced = target.done(200, "PUT", f"{path}?force=true", wrong)
    assert forced == {"stored": True, "token": "token endpoint: 401"}
    assert target.admin("GET", path).status_code == 200


def test_a_gateway_that_is_not_there_is_not_kept(target: Target, own: Gateway) -> None:
    absent = destination(own, tokenUrl="http://127.0.0.1:9/token")
    refused = target.done(422, "PUT", f"/destinations/{TENANT}", absent)
    assert refused["messages"][0].startswith("token endpoint: connection refused")


@on_sqlite
@pytest.mark.parametrize(
    ("tenant", "changes", "field"),
    [
        ("two%20words", {}, "tenant"),
        ("T" * 256, {}, "tenant"),
        (TENANT, {"kciUrl": "ftp://127.0.0.1/kcis"}, "kciUrl"),
        (TENANT, {"tokenUrl": "/token"}, "tokenUrl"),
        (TENANT, {"clientId": ""}, "clientId"),
    ],
)
def test_what_cannot_be_a_destination_is_refused(
    tenant: str, changes: dict[str, Any], field: str, target: Target, own: Gateway
) -> None:
    refused = target.done(422, "PUT", f"/destinations/{tenant}", destination(own, **changes))
    assert refused["messages"][0].startswith(f"{field}:")
