"""A mapping's dead ends, and its missing and ambiguous codes, are named."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from supplier_api.backoffice.mapping_check import MappingReport, check_mapping
from supplier_api.backoffice.mapping_ways import STATES
from tests.unit.backoffice.mappings import GOOD, SAMPLES, load, ticket

# Every status is shown by a sample.
SHOWN = {
    "other": {"kind": "lunch"},
    **{status: ticket(status=status) for status in ("Open", "Working", "Waiting", "Asked")},
    **{status: ticket(status=status) for status in ("Visit", "Done", "Gone", "Yes", "No")},
}
DONE = next(line for line in GOOD.splitlines(keepends=True) if line.startswith("  Done:"))


def check(folder: Path, text: str = GOOD, samples: Mapping[str, object] = SHOWN) -> MappingReport:
    return check_mapping(load(folder, text, samples))


def test_a_mapping_without_errors(tmp_path: Path) -> None:
    report = check(tmp_path)
    assert report.errors == ()
    assert report.warnings == (
        "states: no status means COMPLETED, REJECTED",
        "causes: no default, so that any other value puts the ticket apart",
        "outbound.states: PENDING may be any of Asked, Visit",
    )
    ways = {
        (status, str(state)): None if way is None else [step.event for step in way]
        for status, row in report.ways.items()
        for state, way in zip(STATES, row, strict=True)
    }
    assert ways["Done", "UNDECIDED"] == ["accept", "resolve"]
    assert ways["Done", "RESOLVED"] == []
    assert ways["Done", "COMPLETED"] == []
    assert ways["Open", "IN_PROGRESS"] is None
    assert ways["Working", "HELD"] == ["resume"]
    assert ways["Working", "NETWORK_INCIDENT"] == []
    assert ways["Asked", "HELD"] == ["ask-information"]
    assert ways["Working", "RESOLVED"] is None


@pytest.mark.parametrize(
    ("right", "wrong", "error"),
    [
        (
            "problemCode: {from: cause, map: obstacles}",
            "text: note",
            "states.Waiting: HELD needs problemCode",
        ),
        (
            "problemCode: {from: cause, map: obstacles}",
            "text: note",
            "states.Waiting: a dead end, no problem gets there by this mapping",
        ),
        (
            ", problemCode: INFORMATION_REQUIRED, text: note",
            "",
            "states.Asked: PENDING needs problemCode and text",
        ),
        (
            DONE,
            DONE.replace("resolutionCode: {from: cause, map: causes}, ", ""),
            "states.Done: RESOLVED needs resolutionCode",
        ),
        (
            "  Gone: {state: CANCELLED",
            "  Closed: COMPLETED\n  Gone: {state: CANCELLED",
            f"states.Closed: COMPLETED needs resolutionCode from {', '.join(map(str, STATES[:6]))}",
        ),
        (
            ", problemCode: OTHER, text: note",
            "",
            "changes.No: a refusal needs problemCode and text",
        ),
        (
            "Modem: CUSTOMER_FAULT_MODEM",
            '"cable ": CUSTOMER_FAULT_MODEM',
            "causes: Cable and cable  are told apart by case or white space only",
        ),
        (
            "Open: ACKNOWLEDGED",
            "Open: ACKNOWLEDGED\n  working: ACKNOWLEDGED",
            "states: working and Working are told apart by case or white space only",
        ),
        (
            "Cable: NETWORK_CABLING, ",
            "",
            "samples/Done.json: causes: the field cause has a value that is not in the map",
        ),
        (
            "  Yes: accept\n",
            "",
            "samples/Yes.json: states: the ticket's status is not in the mapping",
        ),
    ],
)
def test_an_error_is_named(tmp_path: Path, right: str, wrong: str, error: str) -> None:
    assert GOOD.count(right) == 1
    assert error in check(tmp_path, GOOD.replace(right, wrong)).errors


def test_a_state_that_nothing_leads_out_of_is_a_dead_end(tmp_path: Path) -> None:
    text = GOOD.replace(DONE, "").replace(", COMPLETED: Done", "")
    text = text.replace("  Gone: {state: CANCELLED, problemCode: OTHER}\n", "")
    samples = {name: each for name, each in SHOWN.items() if name not in ("Done", "Gone")}
    assert check(tmp_path, text, samples).errors == tuple(
        f"{state}: a dead end, no status leads from there to RESOLVED"
        for state in (
            "ACKNOWLEDGED",
            "HELD",
            "HELD over ACKNOWLEDGED",
            "IN_PROGRESS",
            "PENDING",
            "PENDING",
            "PENDING over ACKNOWLEDGED",
            "PENDING over ACKNOWLEDGED",
            "UNDECIDED",
        )
    )


def test_a_sample_without_a_text_that_is_needed_is_named(tmp_path: Path) -> None:
    samples = {**SHOWN, "Asked": ticket(status="Asked", note="")}
    assert check(tmp_path, samples=samples).errors == (
        "samples/Asked.json: the ticket gives no text for Asked",
    )
    samples = {**SHOWN, "No": ticket(status="No", note="")}
    assert check(tmp_path, samples=samples).errors == (
        "samples/No.json: the ticket gives no text for No",
    )


def test_what_no_sample_shows_is_told(tmp_path: Path) -> None:
    warnings = check(tmp_path, samples=SAMPLES).warnings
    assert "samples: none shows Open, Working, Waiting, Asked, Visit, Gone, Yes, No" in warnings


def test_changes_that_cannot_be_decided_are_told(tmp_path: Path) -> None:
    samples = {name: each for name, each in SHOWN.items() if name != "Yes"}
    warnings = check(tmp_path, GOOD.replace("  Yes: accept\n", ""), samples).warnings
    assert "changes: no status accepts an amendment or a cancellation" in warnings


def test_new_tickets_that_would_count_as_work_are_told(tmp_path: Path) -> None:
    text = GOOD.replace("Open: ACKNOWLEDGED", "Open: IN_PROGRESS")
    told = "new: missing, so that a new ticket counts as work if its order comes again"

    assert told in check(tmp_path, text).warnings
    named = text.replace("changes:\n", "new: [Open]\nchanges:\n")
    assert told not in check(tmp_path, named).warnings
