"""Snapshots survive being stored, and their versions compare."""

from datetime import UTC, datetime
from typing import Any

import pytest

from supplier_api.contract.codes import ProblemCode
from supplier_api.problems.model import Awaits
from supplier_api.problems.snapshot import (
    ChangeDecision,
    Snapshot,
    TicketState,
    Wanted,
    version_from,
)


@pytest.mark.parametrize(
    "snapshot",
    [
        Snapshot("T-1", 1, "New"),
        Snapshot(
            "T-1", 1, "New", trouble="no state for New", reference="SP_00001", url="https://t/1"
        ),
        Snapshot(
            "T-1",
            2,
            "Done",
            wanted=Wanted(
                TicketState.PENDING,
                problem_code=ProblemCode.OTHER,
                text="Call us.",
                supplier_codes=("A1",),
                note={"note": "n", "type": "t"},
                awaits=Awaits.APPOINTMENT,
                resolution={"resolutionCode": "x"},
            ),
            decision=ChangeDecision(accept=False, problem_code=ProblemCode.OTHER, text="Too late."),
        ),
    ],
)
def test_a_snapshot_is_the_same_when_it_is_read_back(snapshot: Snapshot) -> None:
    assert Snapshot.from_body(snapshot.to_body()) == snapshot


@pytest.mark.parametrize(
    ("value", "version"),
    [
        (5, 5),
        ("1767614400123", 1767614400123),
        ("1970-01-01T00:00:01.5+0000", 1_500_000),
        ("1970-01-01T01:00:01Z", 3_601_000_000),
        ("1970-01-01 00:00:01", 1_000_000),
        (datetime(1970, 1, 1, 0, 0, 2, tzinfo=UTC), 2_000_000),
        (1.25, 1_250_000),
        ("1.25", 1_250_000),
    ],
)
def test_a_version_is_a_number_or_a_time(value: float | str | datetime, version: int) -> None:
    assert version_from(value) == version


@pytest.mark.parametrize("value", ["", "soon", float("nan"), "inf"])
def test_what_does_not_rise_is_no_version(value: float | str) -> None:
    with pytest.raises(ValueError, match=r"version|isoformat"):
        version_from(value)


@pytest.mark.parametrize("version", [-1, 2**63])
def test_a_version_can_be_stored(version: int) -> None:
    with pytest.raises(ValueError, match="out of range"):
        Snapshot("T-1", version, "New")


@pytest.mark.parametrize(
    ("ticket", "more"),
    [
        ("", {}),
        ("T\0", {}),
        ("T-1", {"reference": "SP\0"}),
        ("T-1", {"wanted": Wanted(TicketState.HELD, text="\ud800")}),
    ],
)
def test_a_snapshot_can_be_stored(ticket: str, more: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="a snapshot with"):
        Snapshot(ticket, 1, "New", **more)
