"""Refusals in the log: the first is logged at once, equal ones are counted, memory is bounded."""

from collections.abc import Iterator
from typing import Any

import pytest

from supplier_api.audit import BURST, MOST, Audit
from supplier_api.clock import ManualMachineClock
from tests.logs import Lines, logging_to


@pytest.fixture
def logged(capsys: pytest.CaptureFixture[str]) -> Iterator[Lines]:
    with logging_to(capsys) as lines:
        yield lines


@pytest.fixture
def clock() -> ManualMachineClock:
    return ManualMachineClock()


@pytest.fixture
def audit(clock: ManualMachineClock) -> Audit:
    return Audit(clock)


def counts(lines: list[dict[str, Any]]) -> list[tuple[str, int | None]]:
    return [(line["address"], line.get("count")) for line in lines]


def test_equal_refusals_in_a_burst_are_one_line_with_a_count(
    audit: Audit, clock: ManualMachineClock, logged: Lines
) -> None:
    for address in ("1.1.1.1", "2.2.2.2", *["1.1.1.1"] * 19):
        audit.refused("token.refused", client="gateway", address=address, status=401)
    assert counts(logged()) == [("1.1.1.1", None), ("2.2.2.2", None)]
    clock.advance(BURST)
    audit.done("token.granted", client="gateway", address="3.3.3.3")
    counted, granted = logged()
    assert (counted["event"], counted["address"], counted["count"]) == (
        "token.refused",
        "1.1.1.1",
        20,
    )
    assert counted["since"] == "2026-01-05T12:00:00.000Z"
    assert granted["event"] == "token.granted"
    audit.stop()
    assert logged() == []


def test_what_was_counted_is_told_at_a_stop(audit: Audit, logged: Lines) -> None:
    for _ in range(3):
        audit.refused("access.refused", address="1.1.1.1", status=403)
    audit.stop()
    assert counts(logged()) == [("1.1.1.1", None), ("1.1.1.1", 3)]


def test_no_more_are_counted_than_there_is_room_for(audit: Audit, logged: Lines) -> None:
    audit.refused("access.refused", address="0.0.0.0")
    audit.refused("access.refused", address="0.0.0.0")
    for number in range(3 * MOST):
        audit.refused("access.refused", address=f"host-{number}")
    lines = logged()
    assert len(lines) == 3 * MOST + 2
    assert next(line for line in lines if "count" in line)["count"] == 2
    # Those that are counted now are logged when it ends: none of them came twice.
    audit.stop()
    assert logged() == []
