"""What the back office is told, and that it is told only what its adapter wants.

The orders are the examples of docs/back-office.md.
"""

import json
import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from supplier_api.contract.codes import ProblemCode
from supplier_api.db.operator_actions import Operator
from supplier_api.problems.lifecycle import Event
from supplier_api.problems.services import BACK_OFFICE, DecisionDeadline
from supplier_api.problems.work import (
    DEFAULT_KINDS,
    ORDER_KINDS,
    BackOfficeEvent,
    Notice,
    WorkOrder,
)
from supplier_api.rules.model import Operation
from tests.integration.problems.conftest import MakeRig
from tests.integration.problems.rig import POLICY, Rig

PAGE = Path(__file__).parents[3] / "docs" / "back-office.md"
REMINDING = replace(
    POLICY,
    deadlines={Operation.PROBLEM: DecisionDeadline(timedelta(hours=48), timedelta(hours=24))},
)
HELD = BackOfficeEvent("E1", Event.HOLD, ProblemCode.ACCESS_ISSUE, "The gate is locked.")


@pytest.fixture
def told(upgraded_url: str, make_rig: MakeRig) -> Rig:
    """Return a rig whose back office wants to know everything."""
    return make_rig(upgraded_url, order_kinds=frozenset(ORDER_KINDS), policy=REMINDING)


def orders(rig: Rig, gateway_id: int = 1) -> list[WorkOrder]:
    rows = rig.messages(BACK_OFFICE, gateway_id)
    return [WorkOrder.from_body(row["uuid"], row["body"]) for row in rows]


def whole_course(rig: Rig) -> list[WorkOrder]:
    """Take a problem through everything that the back office can be told of."""
    rig.create("defer")
    rig.say("accept")
    rig.amend(101)
    rig.amend(102, notes="defer")
    rig.progress.event(rig.problem().reference, HELD, by=Operator("jo", "asked"))
    rig.resolve()
    rig.settle("REJECTED", tenantNotes="It dropped again.")
    rig.incidents.declare("INC1", [rig.problem().service_id])
    rig.run_timers()
    rig.incidents.end("INC1")
    rig.run_timers()
    rig.resolve()
    rig.take()
    rig.pass_days(6)
    rig.create(id=2)
    rig.cancel(
        serviceProblemId=2,
        supplierServiceProblemReference=rig.problem(2).reference,
        text="It works again.",
    )
    rig.create("defer", id=3)
    rig.pass_days(1)
    return [*orders(rig), *orders(rig, 2)[1:], *orders(rig, 3)[1:]]


def test_the_office_is_told_everything_that_it_wants_to_know(told: Rig) -> None:
    lines = [f"{each.kind} {each.decide} {each.cause}" for each in whole_course(told)]

    assert lines == [
        "problem True tenant",
        "amendment False tenant",
        "amendment True tenant",
        "event False operator",
        "change-closed False back-office",
        "resolution-answer False tenant",
        "incident-joined False incident",
        "incident-left False incident",
        "closed False silence",
        "cancellation False tenant",
        "decision-due True deadline",
    ]
    assert {each.partition(" ")[0] for each in lines} == set(ORDER_KINDS)


def test_each_order_is_an_example_on_the_page(on_sqlite: Rig, make_rig: MakeRig) -> None:
    url = on_sqlite.store.engine.url.render_as_string(hide_password=False)
    made = whole_course(make_rig(url, order_kinds=frozenset(ORDER_KINDS), policy=REMINDING))
    page = PAGE.read_text(encoding="utf-8")
    blocks = re.findall(r"```json order\n(.*?)```", page, re.DOTALL)

    examples = [json.loads(block) for block in blocks]
    assert sorted(examples, key=by_id) == sorted(map(shown, made), key=by_id)


def shown(order: WorkOrder) -> dict[str, Any]:
    """Return an order as the page has it: the problem stands in the first one only."""
    document: dict[str, Any] = json.loads(json.dumps(order.document()))
    if order.kind is not Operation.PROBLEM:
        del document["problem"]
    return document


def by_id(order: dict[str, Any]) -> str:
    """Sort orders by their ids: the page has them in an order of its own."""
    return str(order["id"])


def test_an_office_that_wants_no_more_is_told_what_it_always_was(rig: Rig) -> None:
    made = whole_course(rig)

    assert {each.kind for each in made} == DEFAULT_KINDS
    assert [row["number"] for row in rig.messages(BACK_OFFICE)] == [1, 2, 3, 4]
    # Only the order with a reason that the release before does not know is left to this one.
    versions = [row["body_version"] for row in rig.messages(BACK_OFFICE)]
    assert versions == [2, 1, 2, 1]


def test_nothing_is_reported_of_a_problem_that_the_office_has_not_heard_of(told: Rig) -> None:
    told.create("defer")
    told.incidents.declare("INC1", [told.problem().service_id])
    told.run_timers()
    assert [each.kind for each in orders(told)] == ["problem"]
    told.incidents.declare("INC2", ["SI0000000001002"])
    told.create(id=2)

    assert [each.kind for each in orders(told, 2)] == ["problem"]
    told.say("accept")
    assert [each.kind for each in orders(told)] == ["problem", "incident-joined"]


def test_the_office_is_not_told_what_it_did_itself(told: Rig) -> None:
    told.create()
    told.say("start")
    told.resolve()
    told.say("complete")

    assert [each.kind for each in orders(told)] == ["problem"]
    assert orders(told)[0].deferred is None


@pytest.mark.parametrize("end", ["resolve", "cancel"])
def test_a_change_that_its_problem_outran_is_reported_whole(told: Rig, end: str) -> None:
    told.create()
    told.cancel(text="defer")
    if end == "resolve":
        told.resolve()
    else:
        told.say("cancel", problem_code="OTHER")

    closed = orders(told)[-1]
    assert closed.kind is Notice.CHANGE_CLOSED
    assert closed.subject is not None
    assert closed.subject["status"] == ("REJECTED" if end == "resolve" else "COMPLETED")
