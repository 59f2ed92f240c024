"""The yardstick "floor": what a create's libraries cost, with ready values and nothing else.

    python -m scripts.benchmarks.floor FOLDER PORT

A Flask route that reads the body, has CEL judge the ten conditions, gives SQLite the statements of
a create under commits that requests share, and writes a line to the log; served by granian. No
token is looked at, nothing is checked, decided, traced or made.
"""

import json
import os
import sqlite3
import sys
import threading
from collections import deque
from itertools import count
from pathlib import Path
from typing import Any

import orjson
from flask import Flask, Response, request

from scripts.benchmarks.yardstick import FOLDER, PRAGMAS, Rules, facts_of, serve, services

GROUP = 32  # requests in one commit, at most
TENANT = "TENANT0"
AT = "2026-12-01T00:00:00.000000+00:00"
CONVERSATION = "57a1a5b0-6ed1-4be5-8bd8-000000000000"
CLAIM = (
    "INSERT INTO decision (tenant, operation, key, fingerprint, contract, conversation_id,"
    " request_id, created) VALUES (?, 'problem', ?, ?, '1.8', ?, ?, ?)"
    " ON CONFLICT DO NOTHING RETURNING id"
)
KNOWN = (
    "SELECT gateway_id, base FROM service_problem WHERE tenant = ? AND service_id = ? UNION ALL"
    " SELECT code, NULL FROM incident JOIN incident_service ON incident_id = incident.id"
    " WHERE service_id = ?"
)
PROBLEM = (
    "INSERT INTO service_problem (tenant, gateway_id, reference, service_id, conversation_id, base,"
    " document, next_kci, next_order, reference_known, doubtful, back_office_untold, version,"
    " created, updated) VALUES (?, ?, ?, ?, ?, 'ACKNOWLEDGED', ?, 1, 2, 1, 0, 0, 1, ?, ?)"
)
LANE = (
    "INSERT INTO lane (problem_id, tenant, destination, due_at, not_before, attempts, claim_no,"
    " parked) VALUES (?, ?, ?, ?, ?, 0, 0, 0)"
)
MESSAGE = (
    "INSERT INTO message (lane_id, number, uuid, kind, conversation_id, body, body_version,"
    " contract, state, attempts, unknown, log, created)"
    " VALUES (?, 1, ?, 'problem', ?, ?, 1, '1.8', 'queued', 0, 0, '[]', ?)"
)
RECORD = (
    "UPDATE decision SET problem_id = ?, reference = ?, status = 201, body = ?,"
    " outcome = 'acknowledge', rule = 'default', reasons = '[]', trace = ?, book_version = '1',"
    " committed = ?, process = 'floor' WHERE id = ?"
)


class Database:
    """One connection, whose commits all requests share that wait at the same time."""

    def __init__(self, file: Path, trace: str) -> None:
        """Open the database; `trace` is what each decision is stored with."""
        self._raw = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
        for pragma in PRAGMAS:
            self._raw.execute(f"PRAGMA {pragma}")
        self._trace = trace
        self._waiting: deque[tuple[dict[str, Any], threading.Lock]] = deque()
        self._leading = threading.Lock()

    def create(self, document: dict[str, Any]) -> None:
        """Store a problem durably: the first of those that wait does it for all."""
        done = threading.Lock()
        done.acquire()
        self._waiting.append((document, done))
        with self._leading:
            if done.acquire(blocking=False):
                return
            group = [self._waiting.popleft() for _ in range(min(GROUP, len(self._waiting)))]
            self._raw.execute("BEGIN IMMEDIATE")
            for each, _ in group:
                self._store(each)
            self._raw.execute("COMMIT")
            for _, waiter in group:
                waiter.release()

    def _store(self, document: dict[str, Any]) -> None:
        run, number, service = self._raw.execute, document["id"], document["serviceId"]
        body, key, reference = orjson.dumps(document).decode(), str(number), f"SP_{number}"
        claim = (TENANT, key, "0" * 66, CONVERSATION, CONVERSATION, AT)
        (decision,) = run(CLAIM, claim).fetchone()
        run(KNOWN, (TENANT, service, service)).fetchall()
        values = (TENANT, number, reference, service, CONVERSATION, body, AT, AT)
        problem = run(PROBLEM, values).lastrowid
        run(LANE, (problem, TENANT, "gateway", None, AT))
        lane = run(LANE, (problem, TENANT, "back-office", AT, None)).lastrowid
        run(MESSAGE, (lane, f"{number:036d}", CONVERSATION, body, AT))
        run(RECORD, (problem, reference, body, self._trace, AT, decision))


def application() -> Flask:
    """Return an application with the one route; the folder comes in the environment."""
    folder = Path(os.environ[FOLDER])
    rules, known = Rules(folder), services(folder)
    trace = [{"rule": each.name, "verdict": "not matched", "values": {}} for each in rules.rules]
    database = Database(folder / "supplier.db", json.dumps(trace))
    numbers = count(1)
    app = Flask("floor", static_folder=None)

    @app.post("/service-problems")
    def post() -> Response:
        document = orjson.loads(request.get_data(cache=False))
        bound = rules.bind(facts_of(document, known.get(document["serviceId"])))
        for rule in rules.rules:
            rule.program.eval(bound).value()
        database.create(document)
        line = f'{{"event": "answered", "status": 201, "number": {next(numbers)}}}\n'
        sys.stderr.write(line)
        return Response(orjson.dumps(document), 201, content_type="application/json")

    @app.get("/token")
    def token() -> str:
        return ""

    return app


if __name__ == "__main__":
    serve("scripts.benchmarks.floor:application", *sys.argv[1:])
