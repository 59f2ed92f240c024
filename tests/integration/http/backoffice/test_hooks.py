"""Webhooks are stored as they come, if they prove who sent them, and each only once."""

import json
from base64 import b64encode
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks import Webhook as Signer
from structlog.testing import capture_logs
from werkzeug.test import TestResponse

from supplier_api.db import StoreUnavailable
from supplier_api.problems.inbox_repository import InboxRepository, InboxState, StoredWebhook
from tests.supplier import Supplier, on_sqlite

SECRET = "whsec_c2VjcmV0LXNlY3JldC1zZWNyZXQ="
TOKEN = "a-token-of-the-desk"
PATH = "/back-office/v1/hooks/simulated"
SETTINGS = {
    "SUPPLIER_API__BACKOFFICE__HOOK_SECRET": SECRET,
    "SUPPLIER_API__BACKOFFICE__HOOK_TOKEN": TOKEN,
}
BODY = b'{"ticket": "T-1",  "note": "\xc3\xa9"}'
pytestmark = pytest.mark.parametrize("more_settings", [SETTINGS])


def signed(body: bytes = BODY, name: str = "msg_1", age: float = 0) -> dict[str, str]:
    at = datetime.now(UTC) - timedelta(seconds=age)
    return {
        "webhook-id": name,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Signer(SECRET).sign(name, at, body.decode()),
    }


def sent(
    supplier: Supplier, headers: Mapping[str, str], body: bytes = BODY, path: str = PATH
) -> TestResponse:
    return supplier.client.post(path, data=body, headers=dict(headers))


def stored(supplier: Supplier) -> list[StoredWebhook]:
    return supplier.services.store.read(
        lambda uow: InboxRepository(uow).listed(InboxState.QUEUED, 100)
    )


@pytest.mark.parametrize(
    ("proof", "why"),
    [
        (lambda: signed(age=600), "Message timestamp too old"),
        (lambda: signed(age=-600), "Message timestamp too new"),
        (lambda: signed(b"another"), "No matching signature found"),
        (lambda: signed() | {"webhook-signature": "nonsense"}, "No signature can be read"),
        (lambda: {"webhook-signature": "v1,abc"}, "Missing required headers"),
        (lambda: {"Authorization": "Bearer of-somebody"}, "not the token"),
        (dict, "not the token"),
    ],
)
def test_why_a_webhook_is_not_admitted_is_logged_and_not_told(
    supplier: Supplier, proof: Callable[[], dict[str, str]], why: str
) -> None:
    with capture_logs() as logs:
        answer = sent(supplier, proof())

    assert answer.status_code == 401
    assert answer.get_json()["messages"] == ["expected a valid signature or token"]
    assert [each["why"] for each in logs if each["event"] == "hook.refused"] == [why]


def test_a_signed_webhook_is_stored_as_it_came(supplier: Supplier) -> None:
    proof = {"Authorization": "Bearer of-somebody", "X-Api-Key": "k", "X-Event": "changed"}
    answer = sent(supplier, signed() | proof)
    again = sent(supplier, signed())

    assert (answer.status_code, answer.data) == (204, b"")
    assert again.status_code == 204
    (webhook,) = stored(supplier)
    assert webhook.body == BODY
    assert (webhook.hook, webhook.key, webhook.attempts) == ("simulated", "msg_1", 0)
    assert webhook.headers["x-event"] == "changed"
    assert set(webhook.headers) == {"webhook-id", "webhook-timestamp", "x-event"}


@pytest.mark.parametrize(
    "authorization",
    [f"Bearer {TOKEN}", f"Basic {b64encode(f'desk:{TOKEN}'.encode()).decode()}"],
)
def test_a_token_opens_the_hook_and_equal_bodies_are_one(
    supplier: Supplier, authorization: str
) -> None:
    for body in (BODY, BODY, b"{}"):
        assert sent(supplier, {"Authorization": authorization}, body).status_code == 204
    assert [each.body for each in stored(supplier)] == [BODY, b"{}"]
    assert all(each.key.startswith("sha256:") for each in stored(supplier))


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({}, BODY),
        ({"Authorization": "Bearer another"}, BODY),
        ({"Authorization": "Basic ::"}, BODY),
        ({"Authorization": "Digest a"}, BODY),
        (signed(), b"{}"),
        (signed(), b"\xff"),
        (signed(age=600), BODY),
        (signed() | {"webhook-signature": "v1"}, BODY),
        (signed() | {"webhook-signature": "v1,#"}, BODY),
        (signed() | {"webhook-signature": "v1,#", "Authorization": f"Bearer {TOKEN}"}, BODY),
        (signed() | {"webhook-timestamp": "soon"}, BODY),
        (signed() | {"webhook-id": "msg_2"}, BODY),
    ],
)
def test_whoever_proves_nothing_leaves_nothing(
    supplier: Supplier, headers: dict[str, str], body: bytes
) -> None:
    answer = sent(supplier, headers, body)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert stored(supplier) == []


def test_there_is_one_hook(supplier: Supplier) -> None:
    answer = sent(supplier, signed(), path="/back-office/v1/hooks/jira")
    assert answer.status_code == 404
    assert answer.get_json()["messages"] == ["name: no such hook"]


def test_a_webhook_that_is_too_large_is_refused(supplier: Supplier) -> None:
    body = json.dumps({"text": "x" * 2_000_000}).encode()
    answer = sent(supplier, signed(body), body)
    assert answer.status_code == 413
    assert stored(supplier) == []


@on_sqlite
def test_what_could_not_be_stored_is_asked_for_again(
    supplier: Supplier, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> None:
        raise StoreUnavailable("away")

    with monkeypatch.context() as patched:
        patched.setattr(supplier.services.store, "write", away)
        answer = sent(supplier, signed())
    assert answer.status_code == 503
    assert "Retry-After" in answer.headers
    assert sent(supplier, signed()).status_code == 204
    assert len(stored(supplier)) == 1
