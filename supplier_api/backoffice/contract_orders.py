"""The work orders with which the contract test tries an adapter."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from supplier_api.backoffice.port import DEFAULT_KINDS, Notice, OrderKind, WorkOrder
from supplier_api.rules.model import Operation

PROBLEM: Mapping[str, Any] = {
    "id": 1,
    "problemType": "STABILITY",
    "problemText": "The service keeps dropping between 6pm and 9pm every evening.",
    "serviceId": "SI0000000001001",
    "primaryContact": {"name": "John Smith", "phoneNumber": "01234 567890"},
}
CHANGE = {"id": 101, "supplierReference": "SP_TEFJ8YXNG5", "status": "COMPLETED"}
# The subject of an order that follows the first, and the problem's state then.
FOLLOWING: Mapping[OrderKind, tuple[str, Mapping[str, Any]]] = {
    Operation.AMENDMENT: ("ACKNOWLEDGED", CHANGE | {"notes": "The gate is open."}),
    Notice.RESOLUTION_ANSWER: ("IN_PROGRESS", {"status": "REJECTED", "tenantNotes": "No."}),
    Operation.CANCELLATION: ("CANCELLED", CHANGE | {"reasonCode": "ISSUE_RESOLVED"}),
}


def first_order(number: int = 1, *, decide: bool = False) -> WorkOrder:
    """Return the order that raises a problem; those of other numbers raise others."""
    return WorkOrder(
        id=f"6fe40415-9f68-4f1e-b9df-{number:012}",
        kind=Operation.PROBLEM,
        tenant="TENANT1",
        reference=f"SP_{number:010}",
        issued="2026-01-05T12:00:00.000Z",
        standing="UNDECIDED" if decide else "ACKNOWLEDGED",
        decide=decide,
        problem={**PROBLEM, "id": number},
    )


def following_orders(first: WorkOrder, ticket: str | None) -> list[WorkOrder]:
    """Return one order of each default kind that follows `first`, whose ticket is `ticket`."""
    return [
        replace(
            first,
            id=f"58a3825e-e6b4-4eef-9292-{number:012}",
            kind=kind,
            standing=FOLLOWING[kind][0],
            decide=False,
            subject=FOLLOWING[kind][1],
            ticket=ticket,
        )
        for number, kind in enumerate(FOLLOWING)
        if kind in DEFAULT_KINDS
    ]
