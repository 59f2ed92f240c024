"""An inventory that is slow or down never delays the answer: the fallback decides."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select

from supplier_api.db import tables
from supplier_api.problems.services import RequestAnswer
from supplier_api.rules.facts import InventoryUnavailable, Service
from supplier_api.rules.inventory import TimedInventory
from supplier_api.rules.loading import load_book
from tests.integration.problems.conftest import BOOK, MakeRig
from tests.integration.problems.rig import Rig, problem
from tests.waiting import PATIENCE


class Slow:
    """An inventory that answers when it is released."""

    def __init__(self) -> None:
        self.go = threading.Event()

    def find(self, tenant: str, service_id: str) -> Service | None:  # noqa: ARG002 - the port's
        self.go.wait(PATIENCE)
        return Service(service_id)


class Away:
    """An inventory that cannot be reached."""

    def find(self, tenant: str, service_id: str) -> Service | None:  # noqa: ARG002
        raise InventoryUnavailable


class Broken:
    """An inventory with a bug."""

    def find(self, tenant: str, service_id: str) -> Service | None:  # noqa: ARG002
        raise ZeroDivisionError


@pytest.fixture
def slow() -> Iterator[Slow]:
    slow = Slow()
    yield slow
    slow.go.set()


def rule_that_decided(rig: Rig) -> str:
    """Return the rule that decided the only request."""
    query = select(tables.decision.c.rule)
    rule: str = rig.store.read(lambda uow: uow.connection.execute(query).scalar_one())
    return rule


def test_an_inventory_that_does_not_answer_in_time_leaves_the_problem_undecided(
    sqlite_file: str, make_rig: MakeRig, slow: Slow
) -> None:
    rig = make_rig(sqlite_file, inventory=TimedInventory(slow))

    # Half of the budget of three seconds is used up, but for a moment.
    answer = rig.intake.raise_problem(rig.caller(age=1.45), problem())

    assert answer == RequestAnswer(202, None)
    assert rule_that_decided(rig) == "fallback"
    assert rig.problem().state.base == "UNDECIDED"


@pytest.mark.parametrize("inventory", [Away(), Broken()])
def test_an_inventory_that_fails_leaves_the_problem_undecided(
    sqlite_file: str, make_rig: MakeRig, inventory: Away | Broken
) -> None:
    rig = make_rig(sqlite_file, inventory=TimedInventory(inventory))

    assert rig.create() == RequestAnswer(202, None)
    assert rule_that_decided(rig) == "fallback"


def test_a_refusal_that_needs_no_inventory_stands(sqlite_file: str, make_rig: MakeRig) -> None:
    rig = make_rig(sqlite_file, inventory=TimedInventory(Away()))

    assert rig.create("reject").status == 422


def test_a_decision_is_made_with_one_version_from_beginning_to_end(
    sqlite_file: str, make_rig: MakeRig, tmp_path: Path, slow: Slow
) -> None:
    rig = make_rig(sqlite_file, inventory=TimedInventory(slow))
    other = tmp_path / "rules.yaml"
    other.write_text(BOOK.read_text("utf-8").replace("acknowledge", "commit"), "utf-8")
    before, after = rig.loaded, replace(rig.loaded, book=load_book(other, "sandbox"))

    def replaced(tenant: str, service_id: str) -> Service:  # noqa: ARG001 - the port's
        rig.loaded = after
        return Service(service_id)

    slow.find = replaced  # type: ignore[method-assign]
    rig.create()

    query = select(tables.decision.c.book_version)
    version = rig.store.read(lambda uow: uow.connection.execute(query).scalar_one())
    assert version == before.book.version != after.book.version
    assert rig.problem().state.base == "ACKNOWLEDGED"


def test_the_name_of_the_specification_comes_from_the_inventory_or_is_left_out(
    on_sqlite: Rig,
) -> None:
    known = on_sqlite.create().body
    unnamed = on_sqlite.create(id=2, serviceId="SCENARIO_ANYTHING").body

    assert known is not None
    assert unnamed is not None
    assert known["serviceSpecification"] == {"id": "ftthl2r", "name": "FTTH"}
    assert unnamed["serviceSpecification"] == {"id": "ftthl2r"}
