"""Fills an installation's database with problems that are over: many rows, fast.

    python -m scripts.benchmarks.fill URL PROBLEMS

The database must be upgraded. Of each problem there is what a usual one leaves: its row, its
decision, two lanes, a delivered work order and two delivered KCIs. They lie on the services that
installation.py makes, of tenants that no measurement uses.
"""

import json
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, Table, create_engine, func, insert, select

from scripts.benchmarks.installation import BODY, SERVICES
from supplier_api.clock import SystemMachineClock
from supplier_api.db import tables
from supplier_api.ids import SystemIdSource
from supplier_api.problems.services import DESTINATIONS, GATEWAY

AT_ONCE = 2_000  # problems in one transaction
MESSAGES = {GATEWAY: 2}  # others have one
TRACE = [
    {"rule": f"rule-{number}", "verdict": "not matched", "values": {"service.known": True}}
    for number in range(10)
]


def fill(url: str, problems: int) -> None:
    """Put so many problems into the database at `url`."""
    engine = create_engine(url)
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            # Nothing here has to outlive a power cut.
            connection.exec_driver_sql("PRAGMA synchronous=OFF")
        first = _next_id(connection, tables.service_problem)
        lanes, messages = _next_id(connection, tables.lane), _next_id(connection, tables.message)
        rows = _Rows(SystemMachineClock().now(), lanes, messages)
        for start in range(first, first + problems, AT_ONCE):
            numbers = range(start, min(start + AT_ONCE, first + problems))
            for table, of in rows.of(numbers):
                connection.execute(insert(table), of)
            connection.commit()
        _go_on(connection)
    engine.dispose()


class _Rows:
    """The rows of many problems, with row ids of our own so that no insert has to answer."""

    def __init__(self, now: datetime, next_lane: int, next_message: int) -> None:
        self._now = now
        self._next_lane = next_lane
        self._next_message = next_message
        self._id_source = SystemIdSource()

    def of(self, numbers: range) -> Iterator[tuple[Table, list[dict[str, Any]]]]:
        """Yield each table with its rows, in the order in which they refer to each other."""
        references = {n: self._id_source.reference("", "SP_") for n in numbers}
        yield tables.service_problem, [self._problem(n, references[n]) for n in numbers]
        yield tables.decision, [self._decision(n, references[n]) for n in numbers]
        lanes = [self._lane(n, destination) for n in numbers for destination in DESTINATIONS]
        yield tables.lane, lanes
        yield tables.message, [message for lane in lanes for message in self._messages(lane)]

    def _problem(self, number: int, reference: str) -> dict[str, Any]:
        return {
            "id": number,
            "tenant": f"OLD{number // SERVICES}",
            "gateway_id": number,
            "reference": reference,
            "service_id": f"SI{number % SERVICES:013d}",
            "conversation_id": str(uuid4()),
            "base": "COMPLETED",
            "document": _document(number),
            "next_kci": 3,
            "next_order": 2,
            "last_issued": self._now,
            "reference_known": True,
            "doubtful": False,
            "version": 4,
            "created": self._now - timedelta(days=30),
            "updated": self._now,
        }

    def _decision(self, number: int, reference: str) -> dict[str, Any]:
        return {
            "tenant": f"OLD{number // SERVICES}",
            "operation": "problem",
            "key": str(number),
            "fingerprint": "1:" + "0" * 64,
            "problem_id": number,
            "reference": reference,
            "status": 201,
            "body": _document(number),
            "outcome": "acknowledge",
            "rule": "default",
            "reasons": [],
            "trace": TRACE,
            "book_version": "0" * 12,
            "contract": "1.15",
            "conversation_id": str(uuid4()),
            "request_id": str(uuid4()),
            "created": self._now,
            "committed": self._now,
            "process": "host/1",
        }

    def _lane(self, number: int, destination: str) -> dict[str, Any]:
        self._next_lane += 1
        return {
            "id": self._next_lane - 1,
            "problem_id": number,
            "tenant": f"OLD{number // SERVICES}",
            "destination": destination,
            "attempts": 0,
            "claim_no": 3,
            "parked": False,
        }

    def _messages(self, lane: dict[str, Any]) -> Iterator[dict[str, Any]]:
        for number in range(1, MESSAGES.get(lane["destination"], 1) + 1):
            self._next_message += 1
            yield {
                "id": self._next_message - 1,
                "lane_id": lane["id"],
                "number": number,
                "uuid": str(uuid4()),
                "kind": "UPDATE",
                "conversation_id": str(lane["problem_id"]),
                "body": KCI,
                "body_version": 1,
                "contract": "1.8",
                "state": "delivered",
                "attempts": 1,
                "first_attempt": self._now,
                "unknown": False,
                "log": [{"at": self._now.isoformat(), "outcome": "delivered", "status": 204}],
                "digest": "sha256:" + "0" * 64,
                "created": self._now,
                "settled": self._now,
            }


def _document(number: int) -> dict[str, Any]:
    return {**BODY, "id": number, "serviceId": f"SI{number % SERVICES:013d}"}


KCI = json.dumps(_document(1))


def _next_id(connection: Connection, table: Table) -> int:
    return (connection.execute(select(func.max(table.c.id))).scalar() or 0) + 1


def _go_on(connection: Connection) -> None:
    """Let the database count on behind the rows, and look at them for its plans."""
    filled = (tables.service_problem, tables.lane, tables.message)
    if connection.dialect.name == "postgresql":
        for table in filled:
            sequence = func.pg_get_serial_sequence(table.name, "id")
            connection.execute(select(func.setval(sequence, _next_id(connection, table))))
    connection.exec_driver_sql("ANALYZE")
    connection.commit()


if __name__ == "__main__":
    fill(sys.argv[1], int(sys.argv[2]))
