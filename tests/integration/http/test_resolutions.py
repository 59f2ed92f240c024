"""The tenant's word on a resolution: once, in time, and on the newest one."""

import pytest

from tests.supplier import Supplier, refusal


def test_an_accepted_resolution_completes_the_problem(supplier: Supplier) -> None:
    problem = supplier.opened()
    reference = supplier.resolved(problem)
    answer = supplier.settle(reference, "ACCEPTED", tenantNotes="Thank you.")
    supplier.deliver()
    assert supplier.told(problem) == ["1 RESOLVED/RESOLVED", "2 COMPLETED/COMPLETED"]
    assert supplier.kcis(problem)[-1]["serviceProblemResolution"] == answer.get_json()
    # Nothing is left that closes it by silence.
    supplier.pass_days(10)
    assert len(supplier.told(problem)) == 2


def test_a_rejected_resolution_puts_it_back_in_progress(supplier: Supplier) -> None:
    problem = supplier.opened()
    reference = supplier.resolved(problem)
    answer = supplier.settle(reference, "REJECTED", tenantNotes="It still drops.")
    supplier.deliver()
    assert "closedDate" not in answer.get_json()
    assert supplier.told(problem) == ["1 RESOLVED/RESOLVED", "2 RESUMED/IN_PROGRESS"]
    assert supplier.kcis(problem)[-1]["serviceProblemResolution"] == answer.get_json()
    supplier.pass_days(10)
    assert len(supplier.told(problem)) == 2


@pytest.mark.parametrize(("word", "other"), [("ACCEPTED", "REJECTED"), ("REJECTED", "ACCEPTED")])
def test_the_first_word_counts(supplier: Supplier, word: str, other: str) -> None:
    reference = supplier.resolved(supplier.opened())
    first = supplier.settle(reference, word, tenantNotes="As we said.")
    supplier.business.advance(86400)
    assert supplier.settle(reference, word, tenantNotes="As we said.").data == first.data
    for answer in (
        supplier.settle(reference, other, tenantNotes="As we said."),
        supplier.settle(reference, word),
        supplier.settle(reference, word, tenantNotes="As we did not say."),
    ):
        status, code, messages = refusal(answer)
        assert (status, code) == (422, "INVALID_REQUEST")
        assert messages == [f"status: already {word} on 2026-01-05T12:00:01.000Z"]


def test_an_older_resolution_was_replaced(supplier: Supplier) -> None:
    problem = supplier.opened()
    first = supplier.resolved(problem)
    rejected = supplier.settle(first, "REJECTED")
    second = supplier.resolved(problem)
    assert second != first
    # What was answered is answered again; a new word on it comes too late.
    assert supplier.settle(first, "REJECTED").data == rejected.data
    assert refusal(supplier.settle(first, "ACCEPTED"))[:2] == (422, "INVALID_REQUEST")
    assert supplier.settle(second, "ACCEPTED").status_code == 200


def test_silence_closes_the_problem_after_a_notice(supplier: Supplier) -> None:
    problem = supplier.opened()
    reference = supplier.resolved(problem)
    supplier.pass_days(3.9)
    assert supplier.told(problem) == ["1 RESOLVED/RESOLVED"]
    supplier.pass_days(0.2)
    supplier.deliver()
    assert supplier.told(problem)[1:] == ["2 ADDITIONAL/RESOLVED"]
    notice = supplier.kcis(problem)[-1]
    assert "10 January 2026" in notice["text"]
    assert notice["serviceProblemResolution"]["status"] == "PENDING"
    supplier.pass_days(1)
    supplier.deliver()
    assert supplier.told(problem)[2:] == ["3 COMPLETED/COMPLETED"]
    closed = supplier.kcis(problem)[-1]["serviceProblemResolution"]
    assert closed["status"] == "ACCEPTED"

    # To accept it now changes nothing; to reject it is too late.
    day = closed["closedDate"]
    status, code, messages = refusal(supplier.settle(reference, "REJECTED"))
    assert (status, code) == (422, "INVALID_REQUEST")
    assert messages == [
        f"status: the service problem was closed on {day}; expected a new service problem"
    ]
    answer = supplier.settle(reference, "ACCEPTED")
    assert (answer.status_code, answer.get_json()) == (200, closed)
    assert supplier.settle(reference, "ACCEPTED").data == answer.data
    assert len(supplier.told(problem)) == 3


def test_silence_counts_from_when_the_gateway_took_the_resolution(supplier: Supplier) -> None:
    problem = supplier.opened()
    resolution = {"resolutionCode": "NO_FAULT_FOUND"}
    supplier.event(problem.reference, "resolve", resolution=resolution)
    supplier.pass_days(30)
    assert supplier.told(problem) == ["1 RESOLVED/RESOLVED"]
    supplier.deliver()
    supplier.pass_days(3.9)
    assert supplier.told(problem) == ["1 RESOLVED/RESOLVED"]
    supplier.pass_days(0.2)
    assert supplier.told(problem)[1:] == ["2 ADDITIONAL/RESOLVED"]


@pytest.mark.parametrize(
    "name", ["SP_UNKNOWN01", "x", "lower_case", "A" * 26, "%00AAAAA", "23467", "%F0%9F%94%8C"]
)
def test_what_names_no_resolution_is_not_found(supplier: Supplier, name: str) -> None:
    supplier.resolved(supplier.opened())
    expected = ["id: no such service problem resolution"]
    assert refusal(supplier.settle(name, "ACCEPTED")) == (422, "NOT_FOUND", expected)
    # What cannot be read is told first.
    assert refusal(supplier.settle(name, ""))[1] == "INVALID_REQUEST"


def test_a_problems_reference_is_no_resolutions(supplier: Supplier) -> None:
    problem = supplier.opened()
    supplier.resolved(problem)
    assert refusal(supplier.settle(problem.reference, "ACCEPTED"))[:2] == (422, "NOT_FOUND")


def test_pending_is_no_answer(supplier: Supplier) -> None:
    reference = supplier.resolved(supplier.opened())
    expected = ["status: expected one of REJECTED, ACCEPTED"]
    answer = supplier.settle(reference, "PENDING")
    assert refusal(answer) == (422, "INVALID_REQUEST", expected)
