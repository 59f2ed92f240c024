"""Old data is removed in small steps; what is needed or not yet delivered stays."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Select, Table, Update, event, func, insert, select, update

from supplier_api.db import Store, UnitOfWork, tables
from supplier_api.db.operator_actions import (
    ERASED,
    Action,
    Operator,
    OperatorActionRepository,
)
from supplier_api.operations.privacy import erase
from supplier_api.operations.retention import RetentionChore, RetentionPolicy
from supplier_api.operations.retention_repository import (
    WHOLE_DECISION,
    WHOLE_PROBLEM,
    RetentionRepository,
)
from supplier_api.problems.services import BACK_OFFICE
from supplier_api.problems.view import show
from supplier_api.problems.work_item_repository import Holder, WorkItemRepository
from tests.integration.problems.rig import Rig

KEEP = RetentionPolicy(
    bodies=timedelta(days=90),
    problems=timedelta(days=400),
    actions=timedelta(days=400),
    journal=timedelta(days=30),
    inbox=timedelta(days=14),
    batch=2,
    every=3600,
)


def retaining(rig: Rig) -> RetentionChore:
    return RetentionChore(rig.services, KEEP)


def rows(store: Store, table: Table) -> list[dict[str, Any]]:
    return store.read(lambda uow: [r._asdict() for r in uow.connection.execute(select(table))])


def over(rig: Rig, gateway_id: int = 1) -> None:
    """Raise a problem, complete it, and deliver all its messages."""
    rig.create(id=gateway_id)
    reference = rig.problem(gateway_id).reference
    rig.say("resolve", reference, id="event-r", resolution={"resolutionCode": "OTHER"})
    rig.take()
    rig.settle("ACCEPTED", rig.resolution_reference(gateway_id))
    rig.take()
    deliver_orders(rig)


def deliver_orders(rig: Rig) -> None:
    lane, message = tables.lane.c, tables.message.c
    theirs = select(lane.id).where(lane.destination == BACK_OFFICE)

    def work(uow: UnitOfWork) -> None:
        taken = update(tables.message).where(message.lane_id.in_(theirs))
        uow.connection.execute(taken.values(state="delivered"))
        idle = update(tables.lane).where(lane.destination == BACK_OFFICE)
        uow.connection.execute(idle.values(due_at=None))

    rig.store.write(work)


def pass_days(rig: Rig, days: float) -> None:
    """Advance both clocks by days, and run nothing."""
    rig.machine.advance(days * 86400)


def test_first_bodies_and_traces_go_and_the_key_stays(rig: Rig) -> None:
    over(rig)
    before = {row["operation"]: row for row in rows(rig.store, tables.decision)}
    pass_days(rig, 91)

    assert retaining(rig).run()["thinned"] == 1

    after = {row["operation"]: row for row in rows(rig.store, tables.decision)}
    for operation in ("problem", "resolution"):
        now, was = after[operation], before[operation]
        kept = ("tenant", "operation", "key", "fingerprint", "status", "reference", "outcome")
        assert [now[name] for name in kept] == [was[name] for name in kept]
        assert (now["body"], now["trace"]) == (None, None)
        assert now["thinned"] == rig.machine.now()
    assert {row["body"] for row in rows(rig.store, tables.message)} == {"{}"}
    assert rows(rig.store, tables.back_office_event)[0]["body"] == {}
    # Once is enough.
    assert retaining(rig).run()["thinned"] == 0
    # The view still shows what happened.
    shown = rig.store.read(lambda uow: show(uow, rig.problem()))
    assert [each["kind"] for each in shown["timeline"] if each["what"] == "kci"] == [
        "RESOLVED",
        "COMPLETED",
    ]


def _messages(rig: Rig) -> list[dict[str, Any]]:
    return rows(rig.store, tables.message)


def test_a_repeat_is_known_when_its_answer_is_gone(rig: Rig) -> None:
    over(rig)
    reference = rig.problem().reference
    pass_days(rig, 91)
    retaining(rig).run()

    again = rig.create()
    assert again.status == 422
    assert again.body is not None
    assert again.body["messages"] == [
        f"id: already answered on 2026-01-05T12:00:00.000Z with 201, reference {reference}"
    ]
    other = rig.create("something else")
    assert other.body is not None
    assert "was used for another" in other.body["messages"][0]
    word = rig.settle("ACCEPTED")
    assert word.body is not None
    assert word.body["messages"][0].startswith("status: already answered on 2026-01-05T12:00:01")


def test_an_answer_that_never_had_a_body_is_repeated(on_sqlite: Rig) -> None:
    rig = on_sqlite
    rig.create("defer")
    deliver_orders(rig)
    rig.cancel()
    deliver_orders(rig)
    pass_days(rig, 91)
    assert retaining(rig).run()["thinned"] == 1

    assert (rig.create("defer").status, rig.create("defer").body) == (202, None)


def test_a_repeated_event_gets_its_answer_as_far_as_it_is_kept(on_sqlite: Rig) -> None:
    rig = on_sqlite
    over(rig)
    pass_days(rig, 91)
    retaining(rig).run()

    again = rig.say("resolve", id="event-r", resolution={"resolutionCode": "OTHER"})
    assert (again.status, again.body["status"]) == (200, "COMPLETED")


def test_then_all_of_it_goes(rig: Rig) -> None:
    over(rig)
    rig.amend(gateway_id=900)  # refused, and part of its history
    problem_id = rig.problem().id
    action = Action(rig.machine.now(), "jo", "replay", "why", tenant="T", problem_id=problem_id)
    rig.store.write(lambda uow: OperatorActionRepository(uow).add(action))
    now, jo = rig.machine.now(), Holder("jo", rig.machine.now())
    rig.store.write(lambda uow: WorkItemRepository(uow).take("SP_1", problem_id, "x", now, jo))
    rig.create(id=2)  # not over
    pass_days(rig, 399)
    retaining(rig).run()
    # Of yesterday: it is removed with its problem all the same.
    late = update(tables.operator_action).values(at=rig.machine.now())
    rig.store.write(lambda uow: uow.connection.execute(late))
    assert rig.problem().id == problem_id
    pass_days(rig, 2)

    assert retaining(rig).run()["pruned"] == 1

    assert [row["gateway_id"] for row in rows(rig.store, tables.service_problem)] == [2]
    assert {row["problem_id"] for row in rows(rig.store, tables.decision)} == {rig.problem(2).id}
    assert len(rows(rig.store, tables.lane)) == 2
    assert rows(rig.store, tables.resolution) == []
    assert rows(rig.store, tables.work_item) == []
    assert rows(rig.store, tables.operator_action) == []
    # Its id may come again, for a new problem.
    assert rig.create().status == 201


Undelivered = Callable[[Rig], None]


def _queued(rig: Rig) -> None:
    rig.create()
    rig.say("cancel", problem_code="OTHER")
    deliver_orders(rig)


def _parked(rig: Rig) -> None:
    _queued(rig)
    lane, message = tables.lane, tables.message

    def work(uow: UnitOfWork) -> None:
        uow.connection.execute(update(message).values(state="refused"))
        uow.connection.execute(update(lane).values(parked=True, due_at=None))

    rig.store.write(work)


def _order_queued(rig: Rig) -> None:
    rig.create()
    rig.cancel()


@pytest.mark.parametrize("left", [_queued, _parked, _order_queued])
def test_what_is_not_delivered_stays_whole_for_ever(rig: Rig, left: Undelivered) -> None:
    left(rig)
    messages = _messages(rig)
    pass_days(rig, 5000)

    counts = retaining(rig).run()

    assert (counts["thinned"], counts["pruned"]) == (0, 0)
    assert _messages(rig) == messages


def test_a_problem_that_is_not_over_stays_whole(on_sqlite: Rig) -> None:
    on_sqlite.create()
    on_sqlite.resolve()
    on_sqlite.take()
    deliver_orders(on_sqlite)
    pass_days(on_sqlite, 5000)

    assert not any(retaining(on_sqlite).run().values())


def test_requests_of_which_no_problem_came_go_by_their_age(rig: Rig) -> None:
    for gateway_id in (1, 2, 3):
        assert rig.create("reject", id=gateway_id).status == 422
    pass_days(rig, 91)
    assert retaining(rig).run()["refused_thinned"] == 3
    again = rig.create("reject")
    assert again.body is not None
    assert "already answered on 2026-01-05T12:00:00.000Z with 422" in again.body["messages"][0]
    pass_days(rig, 310)
    assert retaining(rig).due()["refused_pruned"] == 3
    assert retaining(rig).run()["refused_pruned"] == 3
    assert rows(rig.store, tables.decision) == []


def test_a_little_at_a_time_and_then_not_for_an_hour(on_sqlite: Rig) -> None:
    for gateway_id in (1, 2, 3):
        over(on_sqlite, gateway_id)
    pass_days(on_sqlite, 91)
    chore = retaining(on_sqlite)

    def thinned() -> int:
        of = tables.service_problem.c.thinned
        query = select(func.count()).where(of.is_not(None))
        return on_sqlite.store.read(lambda uow: uow.connection.execute(query).scalar_one())

    assert chore.turn() == 300  # it has just begun
    on_sqlite.machine.advance(300)
    # Two problems in a transaction, as the batch is here; others write in between.
    assert (round(chore.turn(), 3), thinned()) == (0.2, 2)
    on_sqlite.machine.advance(0.3)
    assert (chore.turn(), thinned()) == (0.0, 3)
    waits = [chore.turn() for _ in list(chore.due())[1:]]
    assert waits[-1] == pytest.approx(3600)


def test_pages_as_they_were_go_once_nobody_reads_them(on_sqlite: Rig) -> None:
    over(on_sqlite)
    pass_days(on_sqlite, 91)
    chore = retaining(on_sqlite)
    wal = Path(f"{on_sqlite.store.url.database}-wal")

    def round_of() -> float:
        on_sqlite.machine.advance(300)
        return [chore.turn() for _ in chore.due()][-1]

    with closing(sqlite3.connect(on_sqlite.store.url.database or "")) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM message").fetchone()
        assert round_of() == pytest.approx(10)
        assert wal.stat().st_size > 0
    assert round_of() == pytest.approx(3600)
    assert wal.stat().st_size == 0
    # What was removed by hand meanwhile goes with the next round, though that finds nothing.
    over(on_sqlite, 2)
    assert wal.stat().st_size > 0
    on_sqlite.machine.advance(3300)
    round_of()
    assert wal.stat().st_size == 0


def test_what_comes_after_an_erasure_goes_at_its_time_and_why_it_was_done_stays(rig: Rig) -> None:
    over(rig)
    problem_id = rig.problem().id
    assert erase(rig.services, problem_id, Operator("dpo", "request 17")).removed
    row = {"adapter": "desk", "cause": "x", "reason": "x", "version": 1, "snapshot": {}}
    row |= {"ticket": "T-1", "problem_id": problem_id}
    row |= {"since": rig.machine.now(), "updated": rig.machine.now()}
    rig.store.write(lambda uow: uow.connection.execute(insert(tables.ticket_apart).values(row)))
    pass_days(rig, 91)

    assert retaining(rig).run()["thinned"] == 1

    assert rows(rig.store, tables.ticket_apart) == []
    (done,) = rows(rig.store, tables.operator_action)
    assert (done["action"], done["who"], done["reason"]) == (ERASED, "dpo", "request 17")
    pass_days(rig, 310)
    retaining(rig).run()
    assert rows(rig.store, tables.operator_action) == []


def test_what_is_stored_after_a_problem_was_thinned_goes_by_its_own_age(rig: Rig) -> None:
    over(rig)
    over(rig, 2)
    problem_id = rig.problem().id
    rig.store.write(lambda uow: uow.connection.execute(in_work(rig.problem(2).id)))
    pass_days(rig, 91)
    assert retaining(rig).run()["thinned"] == 1
    now = rig.machine.now()
    apart = {"adapter": "desk", "ticket": "T-1", "cause": "x", "reason": "x", "version": 1}
    apart |= {"snapshot": {"text": "Smith"}, "since": now, "updated": now}
    common = {"cause": "operator", "reason": "Smith", "who": "jo", "since": now}

    def come_late(uow: UnitOfWork) -> None:
        actions = OperatorActionRepository(uow)
        for action, of in (
            ("unmask", problem_id),
            (ERASED, problem_id),
            ("unmask", rig.problem(2).id),
        ):
            actions.add(Action(now, "jo", action, "Smith", tenant="T", problem_id=of))
        add = uow.connection.execute
        add(insert(tables.ticket_apart).values(problem_id=problem_id, **apart))
        for until in (now, None):
            add(insert(tables.pause).values(problem_id=problem_id, until=until, **common))

    rig.store.write(come_late)
    pass_days(rig, 89)
    assert late(retaining(rig).run()) == [0, 0, 0]
    pass_days(rig, 2)

    assert late(retaining(rig).due()) == [1, 1, 1]
    assert late(retaining(rig).run()) == [1, 1, 1]

    # Of the problem in work, why it was erased, and of a pause that lasts it stays.
    reasons = {row["id"]: row["reason"] for row in rows(rig.store, tables.operator_action)}
    assert [reasons[key] for key in sorted(reasons)] == ["[removed]", "Smith", "Smith"]
    assert {row["reason"] for row in rows(rig.store, tables.pause)} == {"[removed]", "Smith"}
    assert rows(rig.store, tables.ticket_apart) == []
    # Once is enough.
    assert late(retaining(rig).run()) == [0, 0, 0]


def late(counts: dict[str, int]) -> list[int]:
    return [counts[f"late_{name}"] for name in ("actions", "pauses", "tickets_apart")]


def in_work(problem_id: int) -> Update:
    """Return the statement that makes a problem one that is not over."""
    of = tables.service_problem
    return update(of).where(of.c.id == problem_id).values(base="IN_PROGRESS")


def test_a_dry_run_counts_and_takes_nothing(rig: Rig) -> None:
    over(rig)
    over(rig, 2)
    pass_days(rig, 91)

    assert retaining(rig).due()["thinned"] == 2
    assert retaining(rig).due() == retaining(rig).due()
    assert retaining(rig).run()["thinned"] == 2


def test_what_operators_did_pauses_processes_and_the_journal_go_by_age(rig: Rig) -> None:
    now = rig.machine.now()
    old, new = now - timedelta(days=401), now - timedelta(days=1)
    common = {"reason": "why", "who": "jo"}
    call = {
        "tenant": "T",
        "direction": "in",
        "operation": "x",
        "ids": "",
        "size": 1,
        "entry": {},
    }
    running = {"kind": "worker", "version": "1", "detail": {}}

    def work(uow: UnitOfWork) -> None:
        add = uow.connection.execute
        for at in (old, new):
            OperatorActionRepository(uow).add(Action(at, "jo", "replay", "why"))
            add(insert(tables.pause).values(cause="operator", since=old, until=at, **common))
            add(insert(tables.process).values(name=at.isoformat(), started=old, seen=at, **running))
            # However far a tester has moved the day that stands in the entry.
            add(insert(tables.journal).values(at=now + timedelta(days=900), written=at, **call))
        add(insert(tables.pause).values(cause="operator", since=old, until=None, **common))
        # As an earlier version wrote it.
        add(insert(tables.journal).values(at=old, written=None, **call))

    rig.store.write(work)

    counts = retaining(rig).run()

    left = {name: counts[name] for name in ("actions", "pauses", "processes", "journal")}
    assert left == {"actions": 1, "pauses": 1, "processes": 1, "journal": 2}
    assert len(rows(rig.store, tables.pause)) == 2


def test_tickets_of_no_problem_that_are_apart_go_by_age(rig: Rig) -> None:
    over(rig)
    problem_id, now = rig.problem().id, rig.machine.now()
    old = now - timedelta(days=15)
    common = {"adapter": "desk", "cause": "x", "reason": "x", "version": 1, "snapshot": {}}

    def work(uow: UnitOfWork) -> None:
        for name, of, updated in (
            ("T-1", None, old),
            ("T-2", None, now),
            ("T-3", problem_id, old),
        ):
            row = {"ticket": name, "problem_id": of, "since": old, "updated": updated, **common}
            uow.connection.execute(insert(tables.ticket_apart).values(row))

    rig.store.write(work)

    assert retaining(rig).run()["tickets_apart"] == 1

    assert {row["ticket"] for row in rows(rig.store, tables.ticket_apart)} == {"T-2", "T-3"}


def test_sessions_links_and_failures_go_at_their_end(rig: Rig) -> None:
    now = rig.machine.now()
    ended, lasting = now - timedelta(seconds=1), now + timedelta(seconds=1)
    common = {"address": "192.0.2.1", "since": ended, "seen": ended}

    def work(uow: UnitOfWork) -> None:
        add = uow.connection.execute
        for key, ends in (("ended", ended), ("lasting", lasting)):
            add(insert(tables.console_session).values(token_hash=key, ends=ends, **common))
            add(insert(tables.sign_in_link).values(token_hash=key, ends=ends))
            failed = insert(tables.sign_in_failure)
            add(failed.values(key=key, failures=1, until=ended, ends=ends))

    rig.store.write(work)

    counts = retaining(rig).run()

    of_signing_in = ("sessions", "sign_in_links", "sign_in_failures")
    assert [counts[name] for name in of_signing_in] == [1, 1, 1]
    for table in (tables.console_session, tables.sign_in_link, tables.sign_in_failure):
        (left,) = rows(rig.store, table)
        assert left["ends"] == lasting


def test_each_search_goes_by_an_index(on_sqlite: Rig) -> None:
    searches: dict[str, Callable[[RetentionRepository], Select[Any]]] = {
        "ix_service_problem_whole": lambda old: old.problems(timedelta(1), WHOLE_PROBLEM),
        "ix_service_problem_over": lambda old: old.problems(timedelta(1)),
        "ix_decision_refused_whole": lambda old: old.refused(timedelta(1), WHOLE_DECISION),
        "ix_decision_refused": lambda old: old.refused(timedelta(1)),
        "ix_operator_action_at": lambda old: old.late(tables.operator_action, timedelta(1)),
        "ix_pause_until": lambda old: old.late(tables.pause, timedelta(1)),
        "ix_sign_in_failure_ends": lambda old: old.rows(tables.sign_in_failure, timedelta()),
    }
    ran: list[tuple[str, Any]] = []
    event.listen(
        on_sqlite.store.engine,
        "before_cursor_execute",
        lambda _c, _cursor, statement, values, _x, _m: ran.append((statement, values)),
    )
    for index, search in searches.items():

        def plan(
            uow: UnitOfWork, search: Callable[[RetentionRepository], Select[Any]] = search
        ) -> str:
            old = RetentionRepository(uow.connection, on_sqlite.machine.now(), {})
            old.count(search(old))
            statement, values = ran[-1]
            lines = uow.connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)
            return "\n".join(line[3] for line in lines)

        assert f"INDEX {index} " in on_sqlite.store.write(plan)
