"""A simulated gateway whose clock is kept in step with ours."""

from datetime import UTC, datetime

import orjson
import pytest

from supplier_api.http_client.sessions import Sessions
from supplier_api.sandbox.clock_sync import ClockEndpoint, GatewayClockSync
from tests.integration.delivery.conftest import Clock
from tests.integration.delivery.sink import Reaction, Sink, answer, break_off

AT = datetime(2028, 2, 29, 23, 59, 30, 250_000, tzinfo=UTC)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def clock_sync(sink: Sink, clock: Clock) -> GatewayClockSync:
    token_url = f"{sink.url}/auth/admin/access-token"
    door = ClockEndpoint(f"{sink.url}/admin/clock", token_url, "admin", "admin-secret")
    return GatewayClockSync(door, Sessions(), clock)


def test_it_is_sent_the_clock_of_each_tenant(sink: Sink, clock_sync: GatewayClockSync) -> None:
    clock_sync.put("TENANT1", AT, stands=True)
    clock_sync.put("", AT, stands=False)
    clock_sync.forget("TENANT1")
    assert {each.path for each in sink.kcis} == {"/admin/clock"}
    assert [orjson.loads(each.body) for each in sink.kcis] == [
        {"tenant": "TENANT1", "to": "2028-02-29T23:59:30.250000+00:00", "freeze": True},
        {"to": "2028-02-29T23:59:30.250000+00:00", "freeze": False},
        {"tenant": "TENANT1", "forget": True},
    ]
    assert not sink.tokens


def test_it_is_told_of_a_fresh_start_whatever_it_made_of_the_last(
    sink: Sink, clock_sync: GatewayClockSync
) -> None:
    sink.kci_reactions.append(answer(503))
    clock_sync.start_afresh("TENANT1", 42)
    clock_sync.start_afresh("TENANT1", None)
    clock_sync.start_afresh("", 42)
    assert {each.path for each in sink.kcis} == {"/admin/reset"}
    assert [orjson.loads(each.body) for each in sink.kcis] == [
        {"tenant": "TENANT1", "seed": 42},
        {"tenant": "TENANT1"},
        {"all": True, "seed": 42},
    ]


def test_it_is_shown_a_token_if_it_asks_for_one(sink: Sink, clock_sync: GatewayClockSync) -> None:
    sink.kci_reactions.append(answer(401))
    clock_sync.forget("TENANT1")
    assert [each.headers.get("authorization") for each in sink.kcis] == [None, "Bearer token-1"]
    assert b"client_id=admin" in sink.tokens[0].body


@pytest.mark.parametrize("reaction", [answer(404), answer(503), break_off])
def test_a_gateway_that_does_not_follow_is_left_alone_for_a_while(
    reaction: Reaction, sink: Sink, clock: Clock, clock_sync: GatewayClockSync
) -> None:
    sink.kci_reactions.append(reaction)
    clock_sync.forget("TENANT1")
    clock_sync.forget("TENANT1")
    assert len(sink.kcis) == 1
    clock.passed += 61
    clock_sync.forget("TENANT1")
    assert len(sink.kcis) == 2
