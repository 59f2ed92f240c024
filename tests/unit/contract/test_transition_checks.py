"""Whether a KCI is possible in its place among the others of its problem."""

from typing import Any

import pytest

from supplier_api.contract.transition_checks import (
    impossible_course,
    impossible_move,
    is_of_another,
)

OURS = "SP_7K2M9QX4TD"
NS = (1, 2, 3, 4)


@pytest.mark.parametrize(
    ("status", "reference", "reason", "possible"),
    [
        ("SENT_TO_SUPPLIER", None, "ACKNOWLEDGED", True),
        ("SENT_TO_SUPPLIER", None, "REJECTED", True),
        # A change was answered 202 before the acknowledgement came.
        ("PENDING_AMENDMENT", None, "ACKNOWLEDGED", True),
        ("ACKNOWLEDGED", OURS, "ACKNOWLEDGED", False),
        ("IN_PROGRESS", OURS, "REJECTED", False),
        ("RESOLVED", OURS, "COMPLETED", True),
        ("IN_PROGRESS", OURS, "COMPLETED", False),
        # The replacement of an earlier update has shown the final status already.
        ("COMPLETED", OURS, "COMPLETED", True),
        ("PENDING", OURS, "RESOLVED", True),
    ],
)
def test_moves(status: str, reference: str | None, reason: str, *, possible: bool) -> None:
    after = reason if reason == "COMPLETED" else "IN_PROGRESS"
    assert (impossible_move(status, reference, kci(1, reason, after)) is None) is possible


def kci(number: int, reason: str, status: str) -> dict[str, Any]:
    """Return what is looked at of a KCI."""
    problem = {"status": status, "supplierReference": OURS}
    return {"sequenceNumber": number, "reasonCode": reason, "serviceProblem": problem}


COURSE = [
    kci(1, "COMMITTED", "IN_PROGRESS"),
    kci(2, "UPDATE", "IN_PROGRESS"),
    kci(3, "RESOLVED", "RESOLVED"),
    kci(4, "COMPLETED", "COMPLETED"),
]


@pytest.mark.parametrize(
    ("changed", "wrong"),
    [
        (None, []),
        (kci(2, "UPDATE", "COMPLETED"), [2, 3, 4]),
        (kci(2, "UPDATE", "CANCELLED"), [3, 4]),
        (kci(2, "REJECTED", "REJECTED"), [2, 3, 4]),
        (kci(2, "ADDITIONAL", "COMPLETED"), []),
        (kci(3, "UPDATE", "IN_PROGRESS"), [4]),
        (kci(1, "ACKNOWLEDGED", "ACKNOWLEDGED"), [1]),
    ],
)
def test_courses(changed: dict[str, Any] | None, wrong: list[int]) -> None:
    course = [changed if changed and changed["sequenceNumber"] == n else COURSE[n - 1] for n in NS]
    assert [number for number, _ in impossible_course("ACKNOWLEDGED", OURS, course)] == wrong


@pytest.mark.parametrize(
    ("known", "sent", "another"),
    [(OURS, OURS, False), (OURS, "SP_ANOTHER", True), (None, OURS, False), (OURS, None, False)],
)
def test_references(known: str | None, sent: str | None, *, another: bool) -> None:
    problem = {"supplierReference": sent} if sent else {}
    assert is_of_another(known, {"serviceProblem": problem}) is another
