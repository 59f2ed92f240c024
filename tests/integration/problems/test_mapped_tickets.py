"""Tickets of three well-known systems take a problem from raised to completed, by their mappings.

The samples are webhooks of each system; our reference is put into them.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from supplier_api.backoffice.mapping import TicketMapping
from supplier_api.backoffice.mapping_file import load_mapping
from supplier_api.problems.snapshots import SnapshotResult
from tests.integration.problems.rig import Rig
from tests.integration.problems.test_snapshots import Desk

EXAMPLES = Path(__file__).parents[3] / "config" / "examples"
APPLIED, NOTHING, OLD = SnapshotResult.APPLIED, SnapshotResult.NOTHING, SnapshotResult.OLD
SYSTEMS = ("jira", "servicenow", "zendesk")
# What the tenant is told until the problem is resolved; ACKNOWLEDGED was the answer.
TOLD = [
    "1 COMMITTED/IN_PROGRESS",
    "2 INFORMATION_REQUIRED/PENDING + INFORMATION_REQUIRED",
    "3 RESUMED/IN_PROGRESS",
    "4 DELAY/HELD + ADDITIONAL_WORK",
    "5 RESUMED/IN_PROGRESS",
    "6 RESOLVED/RESOLVED + R PENDING",
]


class MappedDesk(Desk):
    """A desk that hears a ticket system's webhooks."""

    def __init__(self, rig: Rig, mapping: TicketMapping) -> None:
        super().__init__(rig)
        self._mapping = mapping

    def hears(self, sample: str, reference: str | None = None) -> list[SnapshotResult]:
        """Hear the webhook whose file begins like this, about the rig's problem."""
        (document,) = (
            document
            for name, document in self._mapping.samples.items()
            if name.startswith(f"samples/{sample}")
        )
        body = _with_reference(document, reference or self.rig.problem().reference)
        return [
            self.snapshots.take(found) for found in self._mapping.parse(json.dumps(body).encode())
        ]


def _with_reference(document: Any, reference: str) -> Any:
    """Return a document with our reference in the place of the sample's."""
    if isinstance(document, dict):
        return {key: _with_reference(value, reference) for key, value in document.items()}
    if isinstance(document, list):
        return [_with_reference(value, reference) for value in document]
    of_sample = isinstance(document, str) and document.startswith(("SP_0000", "SA_0000"))
    return reference if of_sample else document


@pytest.fixture(params=SYSTEMS)
def system(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def mapping(system: str) -> TicketMapping:
    return load_mapping(EXAMPLES / system / "mapping.yaml")


@pytest.fixture
def desk(rig: Rig, mapping: TicketMapping) -> MappedDesk:
    rig.create()
    desk = MappedDesk(rig, mapping)
    # The answer to the order was lost: the ticket is known by our reference alone.
    desk.take_orders(ticket=None)
    return desk


def test_a_ticket_takes_its_problem_from_raised_to_completed(rig: Rig, desk: MappedDesk) -> None:
    assert desk.hears("01") == [NOTHING]
    for number in ("02", "03", "04", "05", "06", "07"):
        assert desk.hears(number) == [APPLIED], number
        assert desk.hears(number) == [OLD]  # every webhook comes twice
    # Zendesk's event has no text for people who wait.
    assert [line.removesuffix(" + text") for line in rig.kci_lines()] == TOLD
    assert rig.problem().back_office_id is not None

    rig.take()
    assert rig.settle("ACCEPTED").status == 200
    desk.take_orders(ticket=None)

    assert rig.problem().state.base == "COMPLETED"
    assert desk.hears("08") == [NOTHING]
    assert desk.causes() == []


def test_a_problem_is_completed_without_an_answer_only_where_the_mapping_says_so(
    rig: Rig, system: str, desk: MappedDesk
) -> None:
    for number in ("01", "02", "07"):
        desk.hears(number)
    expected = (APPLIED, "COMPLETED") if system == "servicenow" else (NOTHING, "RESOLVED")
    assert (*desk.hears("08"), rig.problem().state.base) == expected
    assert desk.causes() == []


def test_webhooks_that_come_late_change_nothing(rig: Rig, desk: MappedDesk) -> None:
    assert desk.hears("07") == [APPLIED]
    assert [desk.hears(number) for number in ("06", "05", "03", "02")] == [[OLD]] * 4
    assert rig.problem().state.base == "RESOLVED"


def test_a_webhook_about_something_else_is_left_out(desk: MappedDesk) -> None:
    assert desk.hears("of-another") == []


@pytest.mark.parametrize(
    ("sample", "kci"),
    [("accepted", "1 AMENDED/ACKNOWLEDGED + A COMPLETED"), ("rejected", "1 AMENDMENT_REJECTED")],
)
def test_a_change_is_decided_by_a_ticket_of_its_own(
    rig: Rig, desk: MappedDesk, sample: str, kci: str
) -> None:
    assert rig.amend(notes="defer").status == 202
    desk.take_orders(ticket=None)
    assert desk.hears(f"change-{sample}", rig.change_reference()) == [APPLIED]
    assert rig.kci_lines()[-1].startswith(kci)
