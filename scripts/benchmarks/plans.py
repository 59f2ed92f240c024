"""How a database finds what the hot path asks for: its own EXPLAIN of each query."""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, event

from supplier_api.clock import SystemMachineClock
from supplier_api.desk.model import GATEWAY
from supplier_api.store import Store, UnitOfWork
from supplier_api.store.services import LOOK

TENANT, SERVICE = "OLD0", "SI0000000000001"


def _claim(uow: UnitOfWork) -> object:
    now = SystemMachineClock().now()
    return uow.lanes.claim(GATEWAY, "", now, now, limit=1, failed=1)


# What is asked for with each problem, and by each worker each time it looks.
QUESTIONS: Mapping[str, Callable[[UnitOfWork], object]] = {
    "a repeat's answer": lambda uow: uow.decisions.recorded(TENANT, "problem", "1"),
    "a problem by its id": lambda uow: uow.problems.find(TENANT, 1),
    "the next due lane": lambda uow: uow.lanes.next_due(GATEWAY),
    "the next due timer": lambda uow: uow.timers.next_due({}, ["closure"]),
    "lanes that are due": _claim,
}


def plans_of(url: str) -> list[str]:
    """Return, question by question, the steps of the database's plan."""
    store = Store(url, SystemMachineClock())
    try:
        return list(store.write(_plans))
    finally:
        store.close()


def _plans(uow: UnitOfWork) -> list[str]:
    look, values = LOOK.as_text(uow.connection, {"tenant": TENANT, "service_id": SERVICE})
    lines = _told(uow.connection, "what is known of a service", look, values)
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
        steps = [line for (line,) in rows if re.search(r"Scan|Cond|Limit", line)]
    return [name, *(f"    {' '.join(step.split())[:110]}" for step in steps)]
