"""Real processes, a ticket system behind the adapter `http`, and webhooks across a kill."""

import json
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import requests
from standardwebhooks import Webhook

from tests.integration.delivery.sink import Handler, Sink, answer, serving
from tests.system.callers import GatewayCaller, problem_on_own_service
from tests.system.conftest import Install
from tests.system.gateway import Gateway
from tests.system.installation import Installation, new_session
from tests.unit.backoffice.mappings import load, ticket
from tests.waiting import PATIENCE, eventually

pytestmark = pytest.mark.slow

SECRET = "whsec_c2VjcmV0LXNlY3JldC1zZWNyZXQ="


@pytest.fixture
def desk() -> Iterator[Sink]:
    """Yield a ticket system that makes the ticket T-1 of each order about a new problem."""
    with serving() as sink:
        yield sink


def makes_ticket(handler: Handler) -> None:
    body = json.dumps({"ticket": "T-1", "version": 1}).encode()
    answer(201, body, Content_Type="application/json")(handler)


@pytest.fixture
def installation(install: Install, gateway: Gateway, desk: Sink, tmp_path: Path) -> Installation:
    folder = tmp_path / "mapping"
    folder.mkdir()
    load(folder)
    desk.kci_reactions.append(makes_ticket)
    return install(
        **gateway.settings,
        BACKOFFICE__ADAPTER="http",
        BACKOFFICE__HOOK_SECRET=SECRET,
        BACKOFFICE__OPTIONS__URL=f"{desk.url}/orders",
        BACKOFFICE__OPTIONS__SECRET=SECRET,
        BACKOFFICE__OPTIONS__MAPPING_FILE=str(folder / "mapping.yaml"),
    )


def tells(installation: Installation, status: str, version: int, name: str = "") -> int:
    """Send a webhook of the ticket system; return how it was answered."""
    body = json.dumps(ticket(status=status, changed=version, ours="")).encode()
    now, name = datetime.now(UTC), name or f"msg_{uuid4()}"
    headers = {
        "webhook-id": name,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(SECRET).sign(name, now, body.decode()),
    }
    url = f"{installation.supplier}/back-office/v1/hooks/http"
    with new_session() as session:
        return session.post(url, data=body, headers=headers, timeout=PATIENCE).status_code


def listed(installation: Installation, state: str) -> list[dict[str, Any]]:
    told = installation.told("inbox", "list", "--state", state, "--json")
    found: list[dict[str, Any]] = json.loads(told)
    return found


def reasons(gateway: Gateway) -> list[str]:
    return [each.reason for each in gateway.arrivals()]


def wait_for(gateway: Gateway, *wanted: str) -> None:
    def came() -> bool:
        return reasons(gateway) == list(wanted)

    eventually(came, f"the gateway to be told {wanted}, not {reasons(gateway)}")


def test_a_webhook_that_was_answered_outlives_a_kill_and_is_applied_once(
    installation: Installation, gateway: Gateway, desk: Sink
) -> None:
    installation.start("serve", "worker")
    body = problem_on_own_service(1)
    created = GatewayCaller(installation).call("POST", "/service-problems", body)
    assert created.status_code == 201
    assert desk.arrived.acquire(timeout=PATIENCE)
    Webhook(SECRET).verify(desk.kcis[0].body, dict(desk.kcis[0].headers))

    def has_ticket() -> bool:
        reference = created.json()["supplierReference"]
        return '"T-1"' in installation.told("problem", "show", reference, "--json")

    eventually(has_ticket, "the ticket to be stored")
    installation.kill("worker")
    # Nobody applies it: it is answered, and both processes are killed.
    assert tells(installation, "Working", 2, "msg_1") == 204
    installation.kill("serve")
    assert [each["key"] for each in listed(installation, "queued")] == ["msg_1"]

    installation.start("serve", "worker")
    assert tells(installation, "Working", 2, "msg_1") == 204
    wait_for(gateway, "COMMITTED")

    def settled() -> bool:
        return [each["key"] for each in listed(installation, "applied")] == ["msg_1"]

    eventually(settled, "the webhook to be settled")
    assert tells(installation, "Done", 3) == 204
    wait_for(gateway, "COMMITTED", "RESOLVED")
    assert listed(installation, "queued") == listed(installation, "failed") == []
    assert "inbox" in installation.run("status").stdout


def test_every_webhook_that_was_answered_is_there_whenever_the_server_is_killed(
    installation: Installation,
) -> None:
    answered: list[str] = []
    for start in range(3):
        installation.start("serve")
        for number in range(20):
            name = f"msg_{start}_{number}"
            if number == 15:
                installation.strike("serve")
            with suppress(requests.RequestException):
                if tells(installation, "Working", number, name) == 204:
                    answered.append(name)
        installation.kill("serve")
    assert len(answered) >= 45
    stored = [
        each["key"]
        for each in json.loads(installation.told("inbox", "list", "--json", "--limit", "99"))
    ]
    assert set(answered) <= set(stored)
    assert len(set(stored)) == len(stored)
