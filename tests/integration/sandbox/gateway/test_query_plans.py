"""What the gateway does for one problem must not cost more the more problems it has stored."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Connection, Engine, event

from supplier_api.sandbox.gateway import SandboxGateway, Sender
from supplier_api.sandbox.gateway.model import GatewayRow, Setting
from tests.integration.sandbox.gateway.conftest import TENANT_PROBLEM, KciMaker, Party

# What testers set, and the last number of each series: a few rows.
GROWING = {table.name for table in GatewayRow.metadata.sorted_tables} - {Setting.__tablename__}


@pytest.fixture
def asked() -> Iterator[list[tuple[str, Any]]]:
    """Give the list of all that the gateway asks its database from now on."""
    heard: list[tuple[str, Any]] = []

    def note(_c: Connection, _cursor: Any, statement: str, values: Any, *_more: Any) -> None:
        heard.append((statement, values))

    event.listen(Engine, "before_cursor_execute", note)
    yield heard
    event.remove(Engine, "before_cursor_execute", note)


def read_whole(app: Flask, asked: list[tuple[str, Any]]) -> dict[str, str]:
    """Return the statements that read every row of a growing table, with their plans."""
    gateway: SandboxGateway = app.extensions["sandbox"]
    found = {}
    with gateway.services.database.engine.connect() as connection:
        for statement, values in tuple(asked):
            rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)
            plan = "; ".join(row[-1] for row in rows)
            if GROWING & set(re.findall(r"SCAN (\w+)", plan)):
                found[statement] = plan
    return found


def test_a_problem_and_its_kcis_are_found_by_an_index(
    app: Flask,
    tenant: Party,
    supplier: Party,
    sender: Sender,
    kci: KciMaker,
    asked: list[tuple[str, Any]],
) -> None:
    assert tenant.post("/service-problems", TENANT_PROBLEM).status_code == 201
    sender.run_due()
    for number in (1, 3):  # one has its effect, the other waits
        assert supplier.post("/kcis", kci(number)).status_code == 204
    sender.run_due()
    tenant.problem()

    assert len(asked) > 20
    assert read_whole(app, asked) == {}


def test_a_search_through_all_would_be_seen(app: Flask, asked: list[tuple[str, Any]]) -> None:
    gateway: SandboxGateway = app.extensions["sandbox"]
    with gateway.services.database.engine.connect() as connection:
        connection.exec_driver_sql("SELECT id FROM call WHERE path = ?", ("/",))
    assert len(read_whole(app, asked)) == 1
