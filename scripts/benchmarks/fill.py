"""Fills an installation's database with problems: many rows, fast, made by the database itself.

    python -m scripts.benchmarks.fill URL PROBLEMS

The database must be upgraded. Of each problem there is what a usual one leaves: its row, its
decision, two lanes, a delivered work order and two delivered KCIs. They lie on the services of
installation.py, of tenants that no measurement uses.
"""

import json
import sys
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, cast
from uuid import uuid4

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    FromClause,
    String,
    Table,
    create_engine,
    func,
    insert,
    literal,
    select,
)
from sqlalchemy import cast as in_sql

from scripts.benchmarks.installation import BODY, SERVICES
from supplier_api.clock import SystemMachineClock
from supplier_api.db.tables import decision, lane, message, service_problem
from supplier_api.problems.services import BACK_OFFICE, GATEWAY

AT_ONCE = 10_000  # problems in one transaction
# How many messages a usual problem has, by destination.
USUAL = {GATEWAY: 2, BACK_OFFICE: 1}
DOCUMENT = {**BODY, "id": 1, "serviceId": "SI0000000000001"}
TRACE = [
    {"rule": f"rule-{number}", "verdict": "not matched", "values": {"service.known": True}}
    for number in range(10)
]
# As large as a KCI usually is.
KCI = json.dumps({"id": "57a1a5b0-6ed1-4be5-8bd8-000000000000", "entity": {"text": "x" * 900}})
# Odd and no multiple of 5: no two of ten thousand million numbers lead to the same reference.
SCATTER = 7_654_321_987


def fill(url: str, problems: int) -> None:
    """Put so many problems into the database at `url`, all told and over."""
    engine = create_engine(url)
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            # Nothing here has to outlive a power cut.
            connection.exec_driver_sql("PRAGMA synchronous=OFF")
        for done in range(0, problems, AT_ONCE):
            add_problems(connection, min(AT_ONCE, problems - done), USUAL)
            connection.commit()
        connection.exec_driver_sql("ANALYZE")
        connection.commit()
    engine.dispose()


def add_problems(
    connection: Connection, count: int, messages: Mapping[str, int], due: datetime | None = None
) -> None:
    """Add problems with so many messages for each destination.

    With `due` the messages are queued, due then; without it they were delivered, and the problems
    are over. Commits nothing.
    """
    if connection.dialect.name == "sqlite":
        raw = cast(Any, connection.connection.driver_connection)
        raw.create_function("gen_random_uuid", 0, lambda: str(uuid4()))
    now = SystemMachineClock().now()
    first = _next_id(connection, service_problem)
    numbers = select(literal(first, BigInteger).label("n")).cte("numbers", recursive=True)
    n = numbers.c.n
    numbers = numbers.union_all(select(n + 1).where(n < first + count - 1))
    n = numbers.c.n
    _insert(connection, service_problem, numbers, _problem(n, now, over=due is None))
    if due is None:
        _insert(connection, decision, numbers, _decision(n, now))
    next_lane, next_message = _next_id(connection, lane), _next_id(connection, message)
    for destination, each in messages.items():
        lane_id = n + (next_lane - first)
        _insert(connection, lane, numbers, _lane(n, lane_id, destination, due))
        next_lane += count
        for number in range(1, each + 1):
            values = _message(n + (next_message - first), lane_id, number, now, due)
            _insert(connection, message, numbers, values)
            next_message += count
    _count_on(connection)


def _problem(n: ColumnElement[int], now: datetime, *, over: bool) -> dict[str, Any]:
    return {
        "id": n,
        "tenant": _tenant(n),
        "gateway_id": n,
        "reference": _reference(n),
        "service_id": "SI" + _digits(n % SERVICES, 13),
        "conversation_id": _uuid(),
        "base": "COMPLETED" if over else "ACKNOWLEDGED",
        "document": DOCUMENT,
        "next_kci": 3,
        "next_order": 2,
        "last_issued": now,
        "reference_known": True,
        "doubtful": False,
        "version": 4,
        "created": now - timedelta(days=30),
        "updated": now,
    }


def _decision(n: ColumnElement[int], now: datetime) -> dict[str, Any]:
    return {
        "tenant": _tenant(n),
        "operation": "problem",
        "key": in_sql(n, String),
        "fingerprint": "1:" + "0" * 64,
        "problem_id": n,
        "reference": _reference(n),
        "status": 201,
        "body": DOCUMENT,
        "outcome": "acknowledge",
        "rule": "default",
        "reasons": [],
        "trace": TRACE,
        "book_version": "0" * 12,
        "contract": "1.15",
        "conversation_id": _uuid(),
        "request_id": _uuid(),
        "created": now,
        "committed": now,
        "process": "host/1",
    }


def _lane(
    n: ColumnElement[int], lane_id: ColumnElement[int], destination: str, due: datetime | None
) -> dict[str, Any]:
    return {
        "id": lane_id,
        "problem_id": n,
        "tenant": _tenant(n),
        "destination": destination,
        "due_at": due,
        "attempts": 0,
        "claim_no": 0 if due else 3,
        "parked": False,
    }


def _message(
    message_id: ColumnElement[int],
    lane_id: ColumnElement[int],
    number: int,
    now: datetime,
    due: datetime | None,
) -> dict[str, Any]:
    attempt = {"at": now.isoformat(), "outcome": "delivered", "status": 204, "ms": 9, "detail": ""}
    state: dict[str, Any] = {"state": "queued", "attempts": 0, "log": []}
    delivered = {
        "state": "delivered",
        "attempts": 1,
        "log": [attempt],
        "first_attempt": now,
        "settled": now,
        "digest": "sha256:" + "0" * 64,
    }
    return {
        "id": message_id,
        "lane_id": lane_id,
        "number": number,
        "uuid": _uuid(),
        "kind": "UPDATE",
        "conversation_id": in_sql(lane_id, String),
        "body": KCI,
        "body_version": 1,
        "contract": "1.8",
        "unknown": False,
        "created": now,
        **(state if due else delivered),
    }


def _tenant(n: ColumnElement[int]) -> ColumnElement[str]:
    return "OLD" + in_sql(n // SERVICES, String)


def _reference(n: ColumnElement[int]) -> ColumnElement[str]:
    """Return references that follow each other nowhere in the index, as random ones do."""
    return "SP_" + _digits(n * SCATTER % 10**10, 10)


def _digits(number: ColumnElement[int], width: int) -> ColumnElement[str]:
    return func.substr(in_sql(number + 10**width, String), 2)


def _uuid() -> ColumnElement[str]:
    return in_sql(func.gen_random_uuid(), String(36))


def _insert(
    connection: Connection, table: Table, numbers: FromClause, values: Mapping[str, Any]
) -> None:
    """Insert a row for each number; a value that is no expression is the same in all."""
    told = [
        value if isinstance(value, ColumnElement) else literal(value, table.c[name].type)
        for name, value in values.items()
    ]
    rows = select(*told).select_from(numbers)
    connection.execute(insert(table).from_select(list(values), rows))


def _next_id(connection: Connection, table: Table) -> int:
    return (connection.execute(select(func.max(table.c.id))).scalar() or 0) + 1


def _count_on(connection: Connection) -> None:
    """Let the database count on behind the rows."""
    if connection.dialect.name == "postgresql":
        for table in (service_problem, lane, message):
            sequence = func.pg_get_serial_sequence(table.name, "id")
            connection.execute(select(func.setval(sequence, _next_id(connection, table))))


if __name__ == "__main__":
    fill(sys.argv[1], int(sys.argv[2]))
