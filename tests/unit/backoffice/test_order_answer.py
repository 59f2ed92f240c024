"""What an office's answer decides: of the change that its order is about, or of the problem."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from supplier_api.backoffice.order_answer import OfficeAnswer
from supplier_api.problems.lifecycle import Event
from supplier_api.problems.work import Notice, OrderKind, WorkOrder
from supplier_api.rules.model import Operation

ORDER = WorkOrder(
    id="o-1",
    kind=Operation.PROBLEM,
    tenant="TENANT1",
    reference="SP_0123456789",
    issued="2026-01-05T12:00:00.000Z",
    standing="UNDECIDED",
    decide=True,
    problem={"id": 7},
)
CHANGE = {"id": 102, "supplierReference": "SP_A"}


@pytest.mark.parametrize(
    ("kind", "subject", "accepted", "refused"),
    [
        (Operation.PROBLEM, None, Event.ACCEPT, Event.REJECT),
        (Operation.AMENDMENT, CHANGE, Event.ACCEPT_CHANGE, Event.REJECT_CHANGE),
        (Notice.DECISION_DUE, None, Event.ACCEPT, Event.REJECT),
        (Notice.DECISION_DUE, CHANGE, Event.ACCEPT_CHANGE, Event.REJECT_CHANGE),
    ],
)
def test_a_decision_is_about_what_the_order_asks(
    kind: OrderKind, subject: Mapping[str, Any] | None, accepted: Event, refused: Event
) -> None:
    order = replace(ORDER, kind=kind, subject=subject)
    reference = subject["supplierReference"] if subject else None
    for accept, event in ((True, accepted), (False, refused)):
        [made] = OfficeAnswer(decision={"accept": accept, "commit": True}).to(order).events
        assert (made.id, made.event, made.change_reference) == ("o-1:decision", event, reference)
        assert made.commit is (event is Event.ACCEPT)


def test_a_decision_that_nobody_asked_for_counts_for_nothing() -> None:
    answer = OfficeAnswer(ticket="T-1", decision={"accept": True}).to(replace(ORDER, decide=False))
    assert (answer.back_office_id, answer.events) == ("T-1", ())
