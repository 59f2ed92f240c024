"""Queries of the status and the doctor must not cost more as tables grow: all use an index."""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from sqlalchemy import Connection, event, func, select, text

from supplier_api.auth.account_repository import (
    ConsoleSessionRepository,
    ConsoleUserRepository,
    SignInFailureRepository,
)
from supplier_api.clock import ManualMachineClock
from supplier_api.db import Store, UnitOfWork, tables
from supplier_api.db.compiled_statements import CompiledStatement
from supplier_api.db.operator_actions import OperatorActionRepository
from supplier_api.operations import status, status_messages
from supplier_api.operations.consistency_queries import ConsistencyQueries
from supplier_api.operations.metric_samples import MetricSampleRepository
from supplier_api.operations.processes import ProcessRepository
from supplier_api.operations.status_line import StatusLine, StatusReading
from supplier_api.outbox import statements
from supplier_api.outbox.messages import MessageFilter, MessageRepository
from supplier_api.problems.changes_feed import FeedCursor, WantedChanges, changed
from supplier_api.problems.decision_history import next_batch, of_span
from supplier_api.problems.decision_repository import DecisionRepository
from supplier_api.problems.inbox_repository import InboxRepository
from supplier_api.problems.incident_coverage import IncidentScope, ScopeKind
from supplier_api.problems.incident_repository import IncidentRepository
from supplier_api.problems.problem_search import WantedProblems, page_of
from supplier_api.problems.repository import ProblemRepository
from supplier_api.problems.services import DecisionDeadline, LifecyclePolicy
from supplier_api.problems.ticket_repository import TicketRepository
from supplier_api.problems.undecided import UndecidedQueries
from supplier_api.problems.work_item_repository import Held
from supplier_api.problems.work_queue import QueuePlace, WorkQueue
from supplier_api.rules.model import Operation
from supplier_api.sandbox.journal.repository import JournalFilter, JournalRepository
from supplier_api.settings import load_settings
from tests.outbox import Outbox

NOW = ManualMachineClock().now()
LONG_AGO = NOW - timedelta(days=1)
POLICY = LifecyclePolicy(
    reference_prefix="SP_",
    closure=timedelta(days=5),
    notice=timedelta(hours=24),
    answer_budget=3.0,
    settling=timedelta(),
    deadlines=dict.fromkeys(Operation, DecisionDeadline(timedelta(hours=8))),
)
SEEN = FeedCursor(LONG_AGO, 7)
PLACE = QueuePlace(0, LONG_AGO, "SP_1")
# Few rows at any time, and no index needed.
SMALL = {"pause", "process", "stamp", "switch"}


def lines(make: Callable[[StatusReading], Iterator[StatusLine]], uow: UnitOfWork) -> object:
    """Make a line of the status, or those for each destination."""
    return list(make(StatusReading(uow, load_settings({}), NOW, NOW, [], POLICY)))


def messages(state: str | None, uow: UnitOfWork) -> object:
    """List the messages to the gateway in that state."""
    return MessageRepository(uow).listed(MessageFilter("gateway", state))


def problems(wanted: dict[str, Any], uow: UnitOfWork) -> object:
    """Return a page of problems."""
    return page_of(uow, WantedProblems(**wanted), 50)


def next_page(state: str | None, uow: UnitOfWork) -> object:
    """List further messages of a tenant in that state."""
    wanted = MessageFilter(state=state, tenant="T", kind="DELAY", since=LONG_AGO, after=7)
    return MessageRepository(uow).listed(wanted)


SEARCHES: dict[str, Callable[[UnitOfWork], object]] = {
    "last decided": partial(lines, status_messages.last_request),
    "last taken": partial(lines, status_messages.last_kci_taken),
    "undelivered": partial(lines, status_messages.undelivered),
    "parked": partial(lines, status_messages.parked),
    "dead letters": partial(lines, status_messages.dead_letters),
    "undecided": partial(lines, status_messages.undecided),
    "work for people": partial(lines, status_messages.work_for_people),
    "silent": partial(lines, status_messages.silent),
    "late answers": partial(lines, status_messages.late_answers),
    "pauses": partial(lines, status_messages.pauses),
    "inbox": partial(lines, status.inbox),
    "due webhooks": lambda uow: InboxRepository(uow).due(NOW, 20),
    "delayed webhooks": lambda uow: InboxRepository(uow).delayed(NOW, 20),
    "next webhook": lambda uow: InboxRepository(uow).next_due(),
    "waiting and failed webhooks": lambda uow: InboxRepository(uow).listed(None, 20),
    "newest webhooks": lambda uow: InboxRepository(uow).newest(None, 50),
    "older webhooks": lambda uow: InboxRepository(uow).newest(10, 50),
    "problems of an incident": lambda uow: IncidentRepository(uow).members("INC1", 1, 50),
    "what was told last": lambda uow: MessageRepository(uow).last_of([1, 2, 3], "gateway"),
    "doubtful": lambda uow: ConsistencyQueries(uow).doubtful(20),
    "late changes": lambda uow: ConsistencyQueries(uow).late_changes("gateway", 20),
    "undecided for long": lambda uow: ConsistencyQueries(uow).undecided(LONG_AGO, 20),
    "undecided changes": lambda uow: ConsistencyQueries(uow).undecided_changes(LONG_AGO, 20),
    "parked for long": lambda uow: ConsistencyQueries(uow).parked(LONG_AGO, 20),
    "forgotten": lambda uow: ConsistencyQueries(uow).forgotten(20),
    "ledger of the undecided": lambda uow: UndecidedQueries(uow, POLICY).listed(20),
    "the queue of work": lambda uow: WorkQueue(uow, POLICY).page(20),
    "a later page of it": lambda uow: WorkQueue(uow, POLICY).page(20, Held(free=True), PLACE),
    "whose work it is": lambda uow: WorkQueue(uow, POLICY).page(20, Held(by="jo"), PLACE),
    "one piece of work": lambda uow: WorkQueue(uow, POLICY).find("SP_1"),
    "untold": lambda uow: ConsistencyQueries(uow).untold(20),
    "a piece of the search for gaps": lambda uow: ConsistencyQueries(uow).gaps(
        "gateway", 10**6, 100
    ),
    "any name": lambda uow: ProblemRepository(uow).find_any("INC0012345"),
    "any number": lambda uow: ProblemRepository(uow).find_any("12345"),
    "changed": lambda uow: changed(uow, WantedChanges(50), NOW),
    "changed since": lambda uow: changed(uow, WantedChanges(50, since=LONG_AGO, after=SEEN), NOW),
    "changed in a state": lambda uow: changed(uow, WantedChanges(50, "HELD"), NOW),
    "changed to its end": lambda uow: changed(uow, WantedChanges(50, "COMPLETED"), NOW),
    "changed of a ticket": lambda uow: changed(uow, WantedChanges(50, ticket="INC1"), NOW),
    "changed of a service": lambda uow: changed(uow, WantedChanges(50, service="S1"), NOW),
    "open problems": lambda uow: TicketRepository(uow, "desk").open_ids(),
    "some open problems": lambda uow: TicketRepository(uow, "desk").open_tickets([1, 2]),
    "the oldest open problem": lambda uow: TicketRepository(uow, "desk").oldest_open(),
    "could join an incident": lambda uow: IncidentRepository(uow).joinable("INC1", 7, 100),
    "tenants": lambda uow: ProblemRepository(uow).tenants(20),
    "problems by their state": lambda uow: ProblemRepository(uow).count_current(),
    "decisions to replay": lambda uow: uow.connection.execute(
        next_batch(of_span(select(tables.decision.c.facts), LONG_AGO, NOW), (LONG_AGO, 1))
    ),
    "the newest decisions": lambda uow: uow.connection.execute(
        next_batch(of_span(select(tables.decision.c.facts), None, NOW), newest_first=True)
    ),
    "the newest decisions behind one": lambda uow: uow.connection.execute(
        next_batch(
            of_span(select(tables.decision.c.facts), LONG_AGO, NOW), (NOW, 1), newest_first=True
        )
    ),
    "whose a session is": lambda uow: ConsoleSessionRepository(uow).get("x", NOW, POLICY.notice),
    "an account": lambda uow: ConsoleUserRepository(uow).get("jo"),
    "who must wait": lambda uow: SignInFailureRepository(uow).blocked_until(["x", "y"]),
    "what an operator did": lambda uow: OperatorActionRepository(uow).recent(who="jo", limit=50),
    "who did that": lambda uow: OperatorActionRepository(uow).recent(action="replay", limit=50),
    "what was done before": lambda uow: OperatorActionRepository(uow).recent(before_id=9, limit=50),
    "what was done last": lambda uow: OperatorActionRepository(uow).recent(limit=50),
    "samples of a time": lambda uow: MetricSampleRepository(uow).between(LONG_AGO, NOW),
    "samples to merge": lambda uow: MetricSampleRepository(uow).oldest_apart(NOW),
    "outdated samples": lambda uow: MetricSampleRepository(uow).any_before(LONG_AGO),
    "a tenant's refused request": lambda uow: DecisionRepository(uow).refused(
        "12345", "TENANT1", Operation.PROBLEM
    ),
    "a page of the journal": lambda uow: JournalRepository(uow).latest(
        JournalFilter(), 0, 20, 10**6
    ),
    "a problem's calls": lambda uow: JournalRepository(uow).latest(
        JournalFilter(tenant="TENANT1", id="an-id"), 0, 20
    ),
    "answers of a dead process": lambda uow: ProcessRepository(uow).answered(
        "web", LONG_AGO, 0, 100
    ),
}


WORDS = {"words": ("drops", "out")}
# Every combination of the console's filters, on the first page and on those beside it.
SEARCHES |= {
    f"problems by {filters or 'nothing'}, {at or 'first page'}": partial(
        problems, {**filters, **({at: 100_000} if at else {})}
    )
    for filters in (
        {**state, **tenant, **more}
        for state in ({}, {"state": "NOT_OVER"}, {"state": "UNDECIDED"}, {"state": "CANCELLED"})
        for tenant in ({}, {"tenant": "TENANT1"})
        for more in ({}, {"service": "S1"}, {"ticket": "INC1"}, {"before": LONG_AGO}, WORDS)
    )
    for at in (None, "older", "newer")
}
SEARCHES |= {
    f"messages, {state or 'dead and parked'}": partial(messages, state)
    for state in (None, "dead", "parked", "queued", "refused", "expired")
}
SEARCHES |= {
    f"next page of messages to all, {state or 'dead and parked'}": partial(next_page, state)
    for state in (None, "dead", "parked", "queued")
}
SEARCHES["problems of a window"] = lambda uow: MessageRepository(uow).problems_waiting(
    "gateway", LONG_AGO, NOW, after=7, limit=100
)

# Indexes that hold only what is not over.
PARTIAL = [
    "ix_message_queued",
    "ix_message_dead",
    "ix_lane_parked",
    "ix_service_problem_undecided",
    "ix_service_problem_doubtful",
    "ix_service_problem_untold",
    "ix_service_problem_open",
    # Read in its order, and no further than the page.
    "ix_service_problem_current",
    "ix_service_problem_over",
    "ix_change_request_pending",
    "ix_work_item_order",
    "ix_decision_answered_late",
    "ix_inbox_due",
    "ix_inbox_failed",
]
# Read as a whole, to count. PostgreSQL counts a table this small by any index that fits.
COUNTED = ["ix_service_problem_state"]
# What SQLite's ANALYZE says of 150,000 problems that are over; of an empty index it says nothing.
MANY = [
    ("lane", "sqlite_autoindex_lane_1", "300000 2 1"),
    ("message", "sqlite_autoindex_message_1", "450000 2 1"),
    ("message", "sqlite_autoindex_message_2", "450000 1"),
    ("service_problem", "sqlite_autoindex_service_problem_1", "150000 1"),
]
# Reads the newest rows and no more, which is what its limit says.
BY_ITS_LIMIT = {"last taken": {"message"}, "what was done last": {"operator_action"}} | {
    # From the newest on, and no further than the window: here it holds the whole table.
    f"problems by {filters or 'nothing'}, first page": {"service_problem"}
    for filters in (
        {**state, **tenant, **more}
        for state in ({}, {"state": "NOT_OVER"}, {"state": "UNDECIDED"}, {"state": "CANCELLED"})
        for tenant in ({}, {"tenant": "TENANT1"})
        for more in ({}, {"before": LONG_AGO}, WORDS)
        if more == WORDS or state.get("state", "CANCELLED") == "CANCELLED"
    )
    if filters != {"tenant": "TENANT1"}
}


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    with opened(database_url) as store:
        yield store


@contextmanager
def opened(url: str) -> Iterator[Store]:
    clock = ManualMachineClock()
    store = Store(url, clock)
    tables.metadata.create_all(store.engine)
    Outbox(store, clock).problem(1, 2)
    everywhere = [IncidentScope(kind, "X") for kind in ScopeKind]
    store.write(lambda uow: IncidentRepository(uow).declare("INC1", ["S1"], everywhere, None, NOW))
    yield store
    store.close()


def plans(uow: UnitOfWork, search: Callable[[UnitOfWork], object]) -> str:
    """Return the database's plan for a query."""
    asked: list[tuple[str, Any]] = []

    def note(_c: Connection, _cursor: Any, statement: str, values: Any, *_more: Any) -> None:
        asked.append((statement, values))

    run = CompiledStatement.run

    def noted(
        statement: CompiledStatement, connection: Connection, given: Mapping[str, Any]
    ) -> list[tuple[Any, ...]]:
        compiled, values = statement.as_text(connection, given)
        asked.append((compiled, tuple(values)))
        return run(statement, connection, given)

    event.listen(uow.connection, "before_cursor_execute", note)
    with patch.object(CompiledStatement, "run", noted):
        search(uow)
    event.remove(uow.connection, "before_cursor_execute", note)
    explain = "EXPLAIN" if uow.dialect == "postgresql" else "EXPLAIN QUERY PLAN"
    if uow.dialect == "postgresql":
        # Tables as small as these are read as a whole, unless that is said to cost much.
        uow.connection.execute(text("SET LOCAL enable_seqscan = off"))
    lines = [
        str(row[-1])
        for statement, values in asked
        for row in uow.connection.exec_driver_sql(f"{explain} {statement}", values)
    ]
    return "\n".join(lines)


def read_whole(plan: str) -> set[str]:
    """Return the tables of which every row is read, in whatever order."""
    found = set(re.findall(r"Seq Scan on (\w+)|SCAN (\w+)\b(?! USING)", plan))
    whole = {name for pair in found for name in pair}
    for table, index in re.findall(r"SCAN (\w+) USING (?:COVERING )?INDEX (\w+)", plan):
        whole |= set() if index in [*PARTIAL, *COUNTED] else {table}
    return whole & {each.name for each in tables.metadata.sorted_tables}


def test_no_search_reads_a_whole_table(store: Store) -> None:
    for name, search in SEARCHES.items():
        plan = store.read(partial(plans, search=search))
        assert read_whole(plan) <= SMALL | BY_ITS_LIMIT.get(name, set()), f"{name}: {plan}"


def test_none_does_on_sqlite_once_it_knows_how_many_rows_there_are(tmp_path: Path) -> None:
    with opened(f"sqlite:///{tmp_path / 'supplier.db'}") as store:
        with store.engine.begin() as connection:
            connection.exec_driver_sql("ANALYZE")
            connection.exec_driver_sql("DELETE FROM sqlite_stat1")
            known = "INSERT INTO sqlite_stat1 VALUES (?, ?, ?)"
            connection.exec_driver_sql(known, MANY)
        for name, search in SEARCHES.items():
            plan = store.read(partial(plans, search=search))
            assert read_whole(plan) <= SMALL | BY_ITS_LIMIT.get(name, set()), f"{name}: {plan}"


def test_the_outcomes_of_a_batch_are_read_once_and_not_for_each_of_its_rows(tmp_path: Path) -> None:
    with opened(f"sqlite:///{tmp_path / 'supplier.db'}") as store:
        for statement in (statements.RECORD, statements.PROCEED):
            with store.engine.connect() as connection:
                asked, _ = statement.as_text(connection, {"records": [], "steps": []})
                given = [None] * asked.count("?")
                rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {asked}", tuple(given))
                outer, inner = (row[-1] for row in rows)
            assert outer.startswith(("SCAN records", "SCAN steps"))
            assert "INTEGER PRIMARY KEY (rowid=?)" in inner


def test_one_that_does_would_be_seen(store: Store) -> None:
    query = select(func.count()).where(tables.message.c.kind == "UPDATE")
    plan = store.read(lambda uow: plans(uow, lambda each: each.connection.execute(query)))
    assert read_whole(plan) == {"message"}, plan


def test_a_partial_index_is_used_where_there_is_one(store: Store) -> None:
    plan = store.read(lambda uow: "".join(plans(uow, search) for search in SEARCHES.values()))
    assert [index for index in [*PARTIAL, "ix_decision_committed"] if index not in plan] == []


@pytest.mark.parametrize(
    ("state", "indexes"),
    [(None, {"current", "over"}), ("HELD", {"current"}), ("COMPLETED", {"over"})],
)
def test_what_changed_is_read_in_the_order_of_an_index(
    store: Store, state: str | None, indexes: set[str]
) -> None:
    wanted = WantedChanges(50, state, since=LONG_AGO, after=SEEN)

    plan = store.read(partial(plans, search=lambda uow: changed(uow, wanted, NOW)))

    assert set(re.findall(r"ix_service_problem_(\w+)", plan)) == indexes, plan
    # SQLite sorts no more than the rows of one instant; PostgreSQL may, in a table this small.
    assert not re.search("B-TREE FOR ORDER BY", plan), plan
