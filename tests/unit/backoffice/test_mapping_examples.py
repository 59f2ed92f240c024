"""The worked examples: each takes a ticket from raised to its end, and has no mistakes."""

import re
from itertools import pairwise
from pathlib import Path

import pytest

from supplier_api.backoffice.mapping import TicketMapping
from supplier_api.backoffice.mapping_check import check_mapping
from supplier_api.backoffice.mapping_file import (
    CHANGE_KEYS,
    OPTIONAL_KEYS,
    REQUIRED_KEYS,
    STATE_KEYS,
    load_mapping,
)
from supplier_api.problems.snapshot import Snapshot, TicketState

EXAMPLES = Path(__file__).parents[3] / "config" / "examples"
SYSTEMS = ("jira", "servicenow", "zendesk")
COURSE = [
    "ACKNOWLEDGED",
    "IN_PROGRESS",
    "PENDING",
    "IN_PROGRESS",
    "HELD",
    "IN_PROGRESS",
    "RESOLVED",
]


@pytest.fixture(scope="module", params=SYSTEMS)
def mapping(request: pytest.FixtureRequest) -> TicketMapping:
    return load_mapping(EXAMPLES / request.param / "mapping.yaml")


def course(mapping: TicketMapping) -> list[Snapshot]:
    """Return the snapshots of the samples that are numbered."""
    numbered = [each for name, each in mapping.samples.items() if name[len("samples/")].isdigit()]
    return [found for each in numbered if (found := mapping.snapshot(each))]


def test_every_folder_is_an_example() -> None:
    assert sorted(each.name for each in EXAMPLES.iterdir()) == sorted(SYSTEMS)


def test_an_example_has_no_errors(mapping: TicketMapping) -> None:
    assert check_mapping(mapping).errors == ()


def test_one_ticket_goes_from_raised_to_its_end(mapping: TicketMapping) -> None:
    snapshots = course(mapping)
    assert len({each.ticket for each in snapshots}) == 1
    assert {each.reference for each in snapshots} == {"SP_0000000000000042"}
    assert all(earlier.version < later.version for earlier, later in pairwise(snapshots))
    *states, last = [each.wanted.state if each.wanted else None for each in snapshots]
    assert states == COURSE
    assert last in {"RESOLVED", "COMPLETED"}


def test_a_change_is_accepted_and_rejected(mapping: TicketMapping) -> None:
    changes = [
        found.decision.accept
        for name, each in mapping.samples.items()
        if name.startswith("samples/change-") and (found := mapping.snapshot(each))
        if found.decision
    ]
    assert sorted(changes) == [False, True]


def test_what_concerns_others_is_left_out(mapping: TicketMapping) -> None:
    others = [each for name, each in mapping.samples.items() if name.startswith("samples/of-anot")]
    assert [mapping.snapshot(each) for each in others] == [None]


def test_the_page_tells_every_key_and_state() -> None:
    page = (EXAMPLES.parents[1] / "docs" / "mapping.md").read_text(encoding="utf-8")
    told = set(re.findall(r"`(\w+)`", page))
    assert {*REQUIRED_KEYS, *OPTIONAL_KEYS, *STATE_KEYS, *CHANGE_KEYS, *TicketState} <= told


def test_an_issue_of_jira_means_the_same_in_a_webhook_and_looked_at() -> None:
    jira = load_mapping(EXAMPLES / "jira" / "mapping.yaml")
    samples = jira.samples
    told, looked_at = samples["samples/02-work-in-progress.json"], samples["samples/looked-at.json"]

    assert jira.snapshot(told) == jira.snapshot(looked_at)
