"""A work order survives being stored."""

from dataclasses import replace

import pytest

from supplier_api.problems.work import WorkOrder
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
