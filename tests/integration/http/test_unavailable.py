"""What cannot be done now leaves nothing behind and may be tried again; failures are logged."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import create_engine

from supplier_api.problems.decision_repository import DecisionRepository
from tests.logs import Lines
from tests.supplier import Supplier, refusal

from .calls import Call, every_call

MARKER = "Marmaduke-Featherstonehaugh"


@contextmanager
def locked(url: str) -> Iterator[None]:
    """Hold the lock that every request needs, as another process might."""
    engine = create_engine(url)
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        else:
            connection.exec_driver_sql("LOCK TABLE decision IN ACCESS EXCLUSIVE MODE")
        yield
        connection.rollback()
    engine.dispose()


@every_call
@pytest.mark.parametrize("more_settings", [{"SUPPLIER_API__SERVER__ANSWER_BUDGET": "0.25"}])
def test_a_locked_database_is_waited_for_no_longer_than_the_budget(
    call: Call, supplier: Supplier, upgraded_url: str
) -> None:
    path, body = call.prepare(supplier, "TENANT1")
    with locked(upgraded_url):
        answer = supplier.call(call.method, path, body)
    assert answer.status_code == 503
    assert answer.data == b""
    assert int(answer.headers["Retry-After"]) >= 1
    assert supplier.call(call.method, path, body).status_code in (200, 201)


@every_call
def test_nothing_is_kept_of_a_request_that_took_too_long(
    call: Call, supplier: Supplier, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, body = call.prepare(supplier, "TENANT1")
    claim = DecisionRepository.claim

    def slowly(*args: Any) -> int | None:
        supplier.machine.advance(3.5)
        return claim(*args)

    with monkeypatch.context() as patch:
        patch.setattr(DecisionRepository, "claim", slowly)
        answer = supplier.call(call.method, path, body)
        assert (answer.status_code, answer.data) == (503, b"")
        assert int(answer.headers["Retry-After"]) >= 1
    assert supplier.call(call.method, path, body).status_code in (200, 201)


@every_call
def test_an_unforeseen_error_is_found_in_the_log_by_its_uuid(
    call: Call, supplier: Supplier, monkeypatch: pytest.MonkeyPatch, logged: Lines
) -> None:
    path, body = call.prepare(supplier, "TENANT1")
    body |= {"notes": MARKER} if "notes" in body else {"text": MARKER, "tenantNotes": MARKER}

    def fail(*_: Any, **__: Any) -> None:
        raise ValueError(f"cannot do {body}")

    with monkeypatch.context() as patch:
        patch.setattr(DecisionRepository, "answer", fail)
        logged()
        answer = supplier.call(call.method, path, body)
    status, code, messages = refusal(answer)
    assert (status, code) == (500, "SUPPLIER_FAULT")
    assert messages == ["an error of the supplier; please quote the uuid"]
    lines = logged()
    [line] = [line for line in lines if line.get("uuid") == answer.get_json()["uuid"]]
    assert line["error"] == "builtins.ValueError"
    assert "idempotency.py" in line["trace"]
    assert line["conversation_id"] == "conversation-1"
    assert line["tenant"] == "TENANT1"
    assert MARKER not in json.dumps(lines)
    # It was not kept: the same request is done now.
    assert supplier.call(call.method, path, body).status_code in (200, 201)


def test_ready_says_whether_the_database_can_be_worked_with(supplier: Supplier) -> None:
    assert supplier.client.get("/health/live").status_code == 200
    ready = supplier.client.get("/health/ready")
    assert ready.status_code == 200
    assert ready.get_json() == {
        "status": "ready",
        "contract": {"supplierApi": "1.15", "supplierUpdatesApi": "1.8"},
        "delivery": [],
    }
