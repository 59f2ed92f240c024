"""The way of the sample, line by line, from what the two ends say."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from supplier_api.cli.local import Endpoints
from supplier_api.cli.sample import CREATE, Journey, SampleLine, SampleTenant, next_steps
from supplier_api.sandbox.tenant_client import Account

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


class Ends(SampleTenant):
    """The gateway and the supplier's records, both said by the test."""

    def __init__(self) -> None:
        self.seen: dict[str, Any] = {"id": 1, "status": "RECEIVED_BY_GATEWAY", "updates": []}
        self.known: dict[str, Any] | None = None

    def raise_problem(self) -> tuple[int, dict[str, Any]]:
        return 201, self.seen

    def problem(self, gateway_id: int) -> dict[str, Any]:
        assert gateway_id == 1
        return self.seen

    def view(self, gateway_id: int) -> dict[str, Any] | None:
        assert gateway_id == 1
        return self.known

    def decide(self, outcome: str, answer: int = 201) -> None:
        at = "2026-01-05T12:00:00.084Z"
        made = {
            "what": "request",
            "at": at,
            "answer": answer,
            "outcome": outcome,
            "rule": "default",
        }
        self.known = {"reference": "SP_1", "timeline": [made]}

    def send(self, number: int, kind: str, status: str, state: str = "delivered") -> None:
        """Let the supplier send a KCI, and the gateway take it."""
        assert self.known is not None
        attempts = [{"status": 204}] if state == "delivered" else []
        self.known["timeline"].append(
            {
                "what": "kci",
                "number": number,
                "kind": kind,
                "status": status,
                "state": state,
                "attempts": attempts,
            }
        )
        at = f"2026-01-05T12:00:0{number}.000Z"
        self.seen["updates"].append({"sequenceNumber": number, "receivedOn": at})
        self.seen["status"] = status


@pytest.fixture
def ends() -> Ends:
    return Ends()


@pytest.fixture
def journey(ends: Ends) -> Journey:
    begun = Journey(ends, ends.view)
    begun.begin(NOON)
    return begun


def test_the_columns() -> None:
    line = SampleLine(NOON, "tenant", "gateway", CREATE, 201, "id 1", "RECEIVED_BY_GATEWAY")

    assert str(line)[14:] == (
        "tenant   -> gateway    POST /service-problems     201  id 1           RECEIVED_BY_GATEWAY"
    )


def test_nothing_is_known_yet(journey: Journey) -> None:
    assert list(journey.news()) == []
    assert not journey.ended


@pytest.mark.parametrize(
    ("outcome", "answer", "ident", "status"),
    [
        ("acknowledge", 201, "SP_1", "ACKNOWLEDGED (rule: default)"),
        ("commit", 201, "SP_1", "IN_PROGRESS (rule: default)"),
        ("defer", 202, "", "undecided (rule: default)"),
    ],
)
def test_the_decision_is_told_once(
    ends: Ends, journey: Journey, outcome: str, answer: int, ident: str, status: str
) -> None:
    ends.decide(outcome, answer)

    (line,) = journey.news()

    assert (line.answer, line.ident, line.status) == (answer, ident, status)
    assert list(journey.news()) == []


def test_updates_are_told_in_the_gateways_order(ends: Ends, journey: Journey) -> None:
    ends.decide("acknowledge")
    ends.seen["updates"].append({"receivedOn": "2026-01-05T12:00:00.100Z"})  # the gateway's own
    ends.send(1, "COMMITTED", "IN_PROGRESS")
    ends.send(2, "RESOLVED", "RESOLVED")

    told = [(line.what, line.answer, line.status) for line in journey.news()]

    assert told[1:] == [
        ("KCI 1  COMMITTED", 204, "IN_PROGRESS"),
        ("KCI 2  RESOLVED", 204, "RESOLVED"),
    ]
    assert journey.ended
    assert journey.summary() == (
        "2 KCIs, in order, none missing. The tenant may now accept or reject the resolution."
    )


def test_a_kci_is_told_when_its_answer_is_known(ends: Ends, journey: Journey) -> None:
    ends.decide("acknowledge")
    ends.send(1, "RESOLVED", "RESOLVED", state="queued")

    assert len(list(journey.news())) == 1
    assert not journey.ended


def test_a_gap_is_told(ends: Ends, journey: Journey) -> None:
    ends.decide("acknowledge")
    ends.send(2, "RESOLVED", "RESOLVED")
    list(journey.news())

    assert journey.summary() == "the gateway shows the KCIs [2]: expected [1]"


def test_a_refusal_is_an_end_too(ends: Ends, journey: Journey) -> None:
    ends.seen["status"] = "REJECTED"

    assert list(journey.news()) == []
    assert journey.ended
    assert journey.summary() == "0 KCIs, in order, none missing. The problem is REJECTED."


def test_one_that_does_not_end_is_told_with_its_reason(ends: Ends, journey: Journey) -> None:
    list(journey.news())
    assert journey.stuck() == (
        "the supplier has not decided on it; at the gateway it is RECEIVED_BY_GATEWAY"
    )

    ends.decide("acknowledge")
    ends.seen["status"] = "ACKNOWLEDGED"
    list(journey.news())
    assert journey.stuck() == (
        "it is ACKNOWLEDGED, and nothing is on its way: the back office has yet to act"
    )

    ends.send(1, "COMMITTED", "IN_PROGRESS", "queued")
    list(journey.news())
    assert journey.stuck() == "the KCI COMMITTED is queued, not tried yet"

    assert ends.known is not None
    ends.known["timeline"][-1]["attempts"] = [{"detail": "422 NOT_FOUND"}]
    list(journey.news())
    assert journey.stuck() == "the KCI COMMITTED is queued, 422 NOT_FOUND"


def test_one_that_the_supplier_did_not_take_ends_with_the_reason(
    ends: Ends, journey: Journey
) -> None:
    ends.seen["status"] = "REJECTED"
    ends.seen["updates"].append(
        {"error": {"code": "INVALID_REQUEST", "messages": ["It is ceased."]}}
    )
    list(journey.news())
    assert journey.ended
    assert journey.summary().endswith("The problem is REJECTED. It is ceased.")


def test_without_a_sample_no_problem_is_named(tmp_path: Path) -> None:
    here = Endpoints("http://s", "http://g", "sandbox", "sandbox", {}, "", 1)
    steps = next_steps(here, Account("http://g", "tenant", "tenant-secret"), tmp_path, None)
    assert len(steps) == 5
    assert not any("/service-problems/" in step for step in steps)
