"""A work order survives being stored."""

from dataclasses import replace

import orjson
import pytest

from supplier_api.problems.work import Cause, Notice, WorkOrder
from supplier_api.rules.model import Operation

ORDER = WorkOrder(
    id="3456cf7d-4471-42e4-a5be-c24ed58a7aa6",
    kind=Operation.PROBLEM,
    tenant="TENANT1",
    reference="SP_0123456789",
    issued="2026-01-05T12:00:00.000Z",
    standing="ACKNOWLEDGED",
    decide=False,
    problem={"id": 7},
)


@pytest.mark.parametrize(
    "order",
    [
        ORDER,
        replace(
            ORDER,
            kind=Operation.AMENDMENT,
            decide=True,
            subject={"supplierReference": "SP_CHANGE0001"},
        ),
    ],
)
def test_an_order_is_the_same_when_it_is_read_back(order: WorkOrder) -> None:
    assert WorkOrder.from_body(order.id, order.to_body()) == order


def test_an_order_says_who_caused_it_and_why_it_was_deferred() -> None:
    order = replace(
        ORDER,
        kind=Notice.EVENT,
        deferred={"rule": "check-by-hand", "reasons": ["the address is unknown"]},
        cause=Cause.OPERATOR,
    )

    assert WorkOrder.from_body(order.id, order.to_body()) == order


def test_an_order_of_another_version_is_read() -> None:
    stored = orjson.loads(ORDER.to_body())

    # The version before knows no causes, and refuses fields that it does not know.
    assert not {"cause", "deferred", "ticket"} & set(stored)
    assert WorkOrder.from_body(ORDER.id, orjson.dumps({**stored, "scenario": {}}).decode()) == ORDER
