"""`supplier-api delivery`: pauses by hand, and what holds delivery up."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from supplier_api.db import UnitOfWork, tables
from supplier_api.delivery import pause_admin
from supplier_api.outbox.pauses import PauseCause, PauseRepository, Scope
from tests.commands import Command
from tests.outbox import Outbox
from tests.supplier import Supplier

BREAKER = "18 of 20 problems failed last"


@pytest.fixture
def command(environ: dict[str, str]) -> Command:
    return Command(environ, "delivery")


def pauses(command: Command) -> list[dict[str, Any]]:
    """Return what holds delivery up."""
    found: list[dict[str, Any]] = json.loads(command.ok("list", "--json"))
    assert len(command.ok("list").splitlines()) == len(found)
    return found


@pytest.fixture
def outbox(supplier: Supplier) -> Outbox:
    return Outbox(supplier.services.store, supplier.machine)


def actions(supplier: Supplier) -> list[tuple[Any, ...]]:
    """Return what was written down, oldest first."""
    t = tables.operator_action.c
    columns = (t.who, t.action, t.reason, t.destination, t.tenant, t.problem_id)
    query = select(*columns).order_by(t.id)
    return supplier.services.store.read(
        lambda uow: [tuple(row) for row in uow.connection.execute(query)]
    )


def open_breaker(supplier: Supplier) -> None:
    def work(uow: UnitOfWork) -> None:
        now = supplier.machine.now()
        later = now + timedelta(hours=1)
        PauseRepository(uow).open_breaker(
            "gateway", reason=BREAKER, who="w", now=now, probe_at=later
        )

    supplier.services.store.write(work)


def test_a_pause_is_listed_written_down_and_ended(supplier: Supplier, command: Command) -> None:
    none = command("list")
    assert (none.stdout, none.stderr) == ("", "nothing holds delivery up\n")
    told = command.ok("pause", "--destination", "gateway", "--reason", "their release")
    assert told.startswith("gateway ")
    assert "by jo: their release" in told
    (listed,) = pauses(command)
    assert listed.pop("since")
    assert listed == {
        "cause": "operator",
        "state": "paused",
        "destination": "gateway",
        "tenant": None,
        "problem": None,
        "reason": "their release",
        "who": "jo",
        "until": None,
        "triedNextAt": None,
        "triedInVain": None,
    }
    command.ok("resume", "--destination", "gateway", "--reason", "done")
    assert pauses(command) == []
    assert actions(supplier) == [
        ("jo", "delivery pause", "their release", "gateway", None, None),
        ("jo", "delivery resume", "done", "gateway", None, None),
    ]


def test_each_scope_is_a_pause_of_its_own(supplier: Supplier, command: Command) -> None:
    problem = supplier.opened()
    command.ok("pause", "--reason", "all")
    command.ok("pause", "--destination", "back-office", "--reason", "orders")
    command.ok("pause", "--tenant", "TENANT1", "--reason", "a tenant")
    command.ok("pause", "--problem", problem.id, "--reason", "a problem")
    # Once more is once.
    command.ok("pause", "--problem", problem.reference, "--reason", "again")
    scopes = [(row["destination"], row["tenant"], row["problem"]) for row in pauses(command)]
    assert scopes == [
        (None, None, None),
        ("back-office", None, None),
        (None, "TENANT1", None),
        (None, "TENANT1", problem.reference),
    ]
    assert len(actions(supplier)) == 4
    causes = {line.index("  operator  ") for line in command.ok("list").splitlines()}
    assert len(causes) == 1, "a column begins where it begins in every line"

    refused = command.refused("resume", "--destination", "gateway", "--reason", "r")
    assert "gateway is not paused; these are" in refused
    assert "everything" in refused
    assert f"TENANT1 {problem.reference}" in refused
    command.ok("resume", "--tenant", "TENANT1", "--reason", "r")
    assert len(pauses(command)) == 3


def test_what_does_not_exist_is_refused_with_what_does(
    supplier: Supplier, command: Command
) -> None:
    supplier.opened()
    first = supplier.opened(tenant="TENANT2")
    supplier.opened(tenant="TENANT3")
    told = command.refused("pause", "--destination", "gatway", "--reason", "r")
    assert told.split("\n  ")[1:] == ["gateway", "back-office\n"]
    told = command.refused("pause", "--tenant", "TENANT9", "--reason", "r")
    assert told.split("\n  ")[1:] == ["TENANT1", "TENANT2", "TENANT3\n"]
    assert "no problem SP_NONE" in command.refused("pause", "--problem", "SP_NONE", "--reason", "r")
    other = command.refused(
        "pause", "--problem", first.reference, "--tenant", "TENANT1", "--reason", "r"
    )
    assert f"no problem {first.reference}" in other
    assert command("pause").exit_code == 2
    assert pauses(command) == []


def test_a_breaker_is_listed_and_tried_at_once_by_resume(
    supplier: Supplier, command: Command
) -> None:
    open_breaker(supplier)
    (listed,) = pauses(command)
    assert (listed["cause"], listed["state"], listed["reason"]) == ("breaker", "open", BREAKER)
    command.ok("resume", "--destination", "gateway", "--reason", "they are back")
    (listed,) = pauses(command)
    assert listed["triedNextAt"] <= datetime.now(UTC).isoformat()


def test_a_wait_that_was_asked_for_is_listed_and_ends(supplier: Supplier, command: Command) -> None:
    now = supplier.machine.now()

    def ask(hours: int) -> None:
        until = now + timedelta(hours=hours)
        supplier.services.store.write(
            lambda uow: PauseRepository(uow).begin_or_prolong(
                PauseCause.ASKED, Scope("gateway"), reason="429", who="w", now=now, until=until
            )
        )

    ask(2)
    ask(1)  # no shorter for that
    (listed,) = pauses(command)
    assert (listed["cause"], listed["state"]) == ("asked", "asked to wait")
    assert listed["until"] > (now + timedelta(minutes=90)).isoformat()
    command.ok("resume", "--destination", "gateway", "--reason", "they said so")
    assert pauses(command) == []


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Call three problems a large backlog, in batches of two."""
    monkeypatch.setattr(pause_admin, "AT_ONCE", 3)
    monkeypatch.setattr(pause_admin, "BATCH", 2)
    return iter(())


@pytest.mark.usefixtures("few")
def test_a_large_backlog_is_spread(outbox: Outbox, command: Command) -> None:
    problems = [outbox.problem(1) for _ in range(7)]
    other = outbox.problem(1, destination="back-office")
    before = datetime.now(UTC)
    command.ok("pause", "--destination", "gateway", "--reason", "r")
    told = command.ok("resume", "--destination", "gateway", "--reason", "r")
    assert told == "delivery goes on: 7 problems in turn, over 60 s\n"
    due = sorted(outbox.lane(problem).due_at for problem in problems)
    assert before < due[0] < due[-1] <= datetime.now(UTC) + timedelta(seconds=60)
    assert due[-1] - due[0] > timedelta(seconds=10)
    assert outbox.lane(other).due_at < before


@pytest.mark.usefixtures("few")
def test_a_small_backlog_leaves_at_once(outbox: Outbox, command: Command) -> None:
    problems = [outbox.problem(1) for _ in range(3)]
    before = datetime.now(UTC)
    command.ok("pause", "--reason", "r")
    assert command.ok("resume", "--reason", "r") == "delivery goes on\n"
    assert "everything is not paused, and nothing is" in command.refused("resume", "--reason", "r")
    assert all(outbox.lane(problem).due_at < before for problem in problems)


def test_readiness_shows_what_stands_still_and_stays_ready(
    supplier: Supplier, client: FlaskClient, command: Command
) -> None:
    def shown() -> list[tuple[str, str, str]]:
        answer = client.get("/health/ready")
        assert answer.status_code == 200
        assert answer.json is not None
        delivery = answer.json["delivery"]
        assert all(each["since"] for each in delivery)
        return [(each["destination"], each["state"], each["reason"]) for each in delivery]

    assert shown() == []
    problem = supplier.opened()
    open_breaker(supplier)
    command.ok("pause", "--destination", "back-office", "--reason", "Mrs Smith called")
    command.ok("pause", "--problem", problem.id, "--reason", "r")
    # Anybody may read this: neither tenants nor words of operators are in it.
    assert shown() == [
        ("gateway", "open", BREAKER),
        ("back-office", "paused", "by an operator"),
    ]

    def tried(uow: UnitOfWork) -> None:
        breaker = PauseRepository(uow).active(supplier.machine.now())[0]
        assert breaker.cause is PauseCause.BREAKER
        later = supplier.machine.now() + timedelta(hours=2)
        assert PauseRepository(uow).take_probe(
            breaker.id, 1, "w", later, later + timedelta(seconds=45)
        )

    supplier.services.store.write(tried)
    assert shown()[0][1] == "half-open"
