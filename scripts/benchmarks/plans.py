"""How a database finds what the hot path asks for: its own EXPLAIN of each query."""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, event

from supplier_api.clock import SystemMachineClock
from supplier_api.db import Store, UnitOfWork
from supplier_api.db.compiled_statements import CompiledStatement
from supplier_api.outbox.pauses import NOTHING_HELD
from supplier_api.outbox.statements import HEADS, due_lanes, next_due
from supplier_api.problems.decision_repository import DecisionRepository
from supplier_api.problems.repository import KNOWN_OF_SERVICE, ProblemRepository
from supplier_api.problems.services import GATEWAY
from supplier_api.problems.timer_repository import TimerRepository

TENANT, SERVICE = "OLD0", "SI0000000000001"
_DUE = {"destination": GATEWAY, "now": SystemMachineClock().now(), "limit": 1}

# What is asked for with each problem, and by each worker each time it looks.
PREPARED: Mapping[str, tuple[CompiledStatement, Mapping[str, Any]]] = {
    "what is known of a service": (KNOWN_OF_SERVICE, {"tenant": TENANT, "service_id": SERVICE}),
    "the next due lane": (next_due(NOTHING_HELD), _DUE),
    "lanes that are due": (due_lanes(NOTHING_HELD), _DUE),
    "lanes that are due after a failure": (due_lanes(NOTHING_HELD, failed=True), _DUE),
    "their first messages": (HEADS, {"lanes": [1]}),
}
QUESTIONS: Mapping[str, Callable[[UnitOfWork], object]] = {
    "a repeat's answer": lambda uow: DecisionRepository(uow).recorded(TENANT, "problem", "1"),
    "a problem by its id": lambda uow: ProblemRepository(uow).find(TENANT, 1),
    "the next due timer": lambda uow: TimerRepository(uow).next_due({}, ["closure"]),
}


def plans_of(url: str) -> list[str]:
    """Return, question by question, the steps of the database's plan."""
    store = Store(url, SystemMachineClock())
    try:
        return list(store.write(_plans))
    finally:
        store.close()


def _plans(uow: UnitOfWork) -> list[str]:
    lines = []
    for name, (question, values) in PREPARED.items():
        if question is not KNOWN_OF_SERVICE:
            # As the workers ask.
            uow.by_index()
        lines += _told(uow.connection, name, *question.as_text(uow.connection, values))
    for name, ask in QUESTIONS.items():
        with _caught(uow.connection) as caught:
            ask(uow)
        for text, parameters in dict(reversed(caught)).items():
            lines += _told(uow.connection, name, text, parameters)
    return lines


@contextmanager
def _caught(connection: Connection) -> Iterator[list[tuple[str, Any]]]:
    """Yield the statements that are run meanwhile, with their values."""
    caught: list[tuple[str, Any]] = []

    def catch(_c: object, _cursor: object, text: str, values: Any, *_more: object) -> None:
        caught.append((text, tuple(values) if isinstance(values, list) else values))

    event.listen(connection, "before_cursor_execute", catch)
    try:
        yield caught
    finally:
        event.remove(connection, "before_cursor_execute", catch)


def _told(connection: Connection, name: str, text: str, values: Any) -> list[str]:
    raw: Any = connection.connection.dbapi_connection
    if connection.dialect.name == "sqlite":
        steps = [row[3] for row in raw.execute(f"EXPLAIN QUERY PLAN {text}", values)]
    else:
        rows = raw.execute(f"EXPLAIN (COSTS OFF) {text}", values).fetchall()
        steps = [line for (line,) in rows if re.search(r"Scan|Cond|Limit|Sort", line)]
    return [name, *(f"    {' '.join(step.split())[:110]}" for step in steps)]
