"""What a KCI cannot say of a problem as it stands."""

import pytest

from supplier_api.sandbox.moves import impossible_move, is_of_another

OURS = "SP_7K2M9QX4TD"


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
        # What took the place of an earlier update has told the end already.
        ("COMPLETED", OURS, "COMPLETED", True),
        ("PENDING", OURS, "RESOLVED", True),
        ("FAILED_TO_SEND", OURS, "COMPLETED", True),
    ],
)
def test_moves(status: str, reference: str | None, reason: str, *, possible: bool) -> None:
    assert (impossible_move(status, reference, {"reasonCode": reason}) is None) is possible


@pytest.mark.parametrize(
    ("known", "said", "another"),
    [(OURS, OURS, False), (OURS, "SP_ANOTHER", True), (None, OURS, False), (OURS, None, False)],
)
def test_references(known: str | None, said: str | None, *, another: bool) -> None:
    problem = {"supplierReference": said} if said else {}
    assert is_of_another(known, {"serviceProblem": problem}) is another
