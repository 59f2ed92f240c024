"""The judge of the runs is itself tried: it has to see each fault that is planted."""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from tests.system.gateway import Arrival, arrival
from tests.system.promises import AMENDED, CANCELLED, CHANGES, Answered, Stored, broken_promises

COURSE = ["COMMITTED", "UPDATE", "RESOLVED"]
CREATED = [Answered(201, 1, "SP_1"), Answered(201, 2, "SP_2")]
AMENDMENT = Answered(202, 1, "SP_C", AMENDED)
CANCELLATION = Answered(202, 1, "SP_C", CANCELLED)


def kci(problem: int, number: int, reason: str, **more: Any) -> Arrival:
    document = {
        "id": f"{problem}-{number}",
        "sequenceNumber": number,
        "reasonCode": reason,
        "serviceProblem": {"id": problem},
        **more,
    }
    return arrival(json.dumps(document).encode())


def closing(number: int, reason: str) -> Arrival:
    return kci(1, number, reason, **{CHANGES[reason]: {"supplierReference": "SP_C"}})


COMMITTED, UPDATE, RESOLVED = (
    kci(1, 1, "COMMITTED"),
    kci(1, 2, "UPDATE"),
    kci(1, 3, "RESOLVED"),
)
OTHER = [kci(2, 1, "COMMITTED"), kci(2, 2, "UPDATE"), kci(2, 3, "RESOLVED")]


def stored(kcis: int = 3) -> dict[int, Stored]:
    """Return two problems; the first one has so many KCIs."""
    return {
        1: Stored("SP_1", [f"1-{number}" for number in range(1, kcis + 1)], COURSE),
        2: Stored("SP_2", ["2-1", "2-2", "2-3"], COURSE),
    }


def broken(*arrivals: Arrival, answers: Sequence[Answered] = CREATED, kcis: int = 3) -> list[str]:
    return broken_promises(answers, stored(kcis), [*arrivals, *OTHER])


def test_a_run_without_fault_has_no_findings() -> None:
    assert broken(COMMITTED, UPDATE, RESOLVED) == []


def test_repeats_are_allowed_even_behind_later_ones() -> None:
    assert broken(COMMITTED, UPDATE, UPDATE, COMMITTED, RESOLVED) == []


def test_problems_may_overtake_each_other() -> None:
    mixed = [COMMITTED, OTHER[0], OTHER[1], UPDATE, OTHER[2], RESOLVED]
    assert broken_promises(CREATED, stored(), mixed) == []


# -- what was answered


def test_an_answered_problem_that_is_not_stored_is_seen() -> None:
    answers = [*CREATED, Answered(201, 3, "SP_3")]
    assert broken(COMMITTED, UPDATE, RESOLVED, answers=answers) == ["3: 201 SP_3 is not stored"]


def test_another_reference_than_the_answered_one_is_seen() -> None:
    answers = [Answered(201, 1, "SP_9"), CREATED[1]]
    assert broken(COMMITTED, UPDATE, RESOLVED, answers=answers) == ["1: 201 SP_9 is not stored"]


def test_two_answers_to_the_same_request_that_differ_are_seen() -> None:
    answers = [*CREATED, Answered(201, 1, "SP_9")]
    assert broken(COMMITTED, UPDATE, RESOLVED, answers=answers) == ["1: 201 SP_9 is not stored"]


# -- losses, swaps, gaps


def test_a_loss_at_the_end_is_seen() -> None:
    assert "1: KCI 3 1-3 is stored and never came" in broken(COMMITTED, UPDATE)


def test_the_loss_of_all_is_seen() -> None:
    assert "1: KCI 1 1-1 is stored and never came" in broken()


def test_the_loss_of_what_was_never_even_made_is_seen() -> None:
    assert broken(COMMITTED, UPDATE, kcis=2) == [
        "1: KCIs are ['COMMITTED', 'UPDATE'], expected ['COMMITTED', 'UPDATE', 'RESOLVED']"
    ]


def test_a_gap_is_seen() -> None:
    assert "1: KCIs first arrived as [1, 3]" in broken(COMMITTED, RESOLVED)


@pytest.mark.parametrize("left_out", range(4))
def test_a_gap_is_seen_wherever_it_is_in_a_longer_course(left_out: int) -> None:
    course = [COMMITTED, UPDATE, closing(3, AMENDED), kci(1, 4, "RESOLVED")]
    answers = [*CREATED, AMENDMENT]
    assert broken(*course, answers=answers, kcis=4) == []
    del course[left_out]
    assert broken(*course, answers=answers, kcis=4)


@pytest.mark.parametrize("place", range(3))
def test_a_swap_is_seen_wherever_it_is_in_a_longer_course(place: int) -> None:
    course = [COMMITTED, UPDATE, closing(3, AMENDED), kci(1, 4, "RESOLVED")]
    course[place], course[place + 1] = course[place + 1], course[place]
    assert any(
        line.startswith("1: KCIs first arrived as")
        for line in broken(*course, answers=[*CREATED, AMENDMENT], kcis=4)
    )


def test_a_swap_is_seen() -> None:
    assert "1: KCIs first arrived as [2, 1, 3]" in broken(UPDATE, COMMITTED, RESOLVED)


def test_numbers_that_do_not_begin_with_one_are_seen() -> None:
    shifted = [kci(1, 2, "COMMITTED"), kci(1, 3, "UPDATE"), kci(1, 4, "RESOLVED")]
    assert "1: KCIs first arrived as [2, 3, 4]" in broken(*shifted, kcis=4)


def test_a_kci_that_came_only_where_it_was_refused_is_seen() -> None:
    refused = replace(RESOLVED, status=503)
    assert broken(COMMITTED, UPDATE, refused) == ["1: KCI 3 was never taken"]
    assert broken(COMMITTED, UPDATE, refused, RESOLVED) == []


def test_a_kci_that_did_not_wait_until_the_one_before_was_taken_is_seen() -> None:
    refused = replace(UPDATE, status=503)
    assert broken(COMMITTED, refused, RESOLVED, UPDATE) == ["1: KCI 3 came before 2 was taken"]
    assert broken(COMMITTED, refused, UPDATE, RESOLVED) == []


def test_a_repeat_that_the_gateway_knows_already_was_taken() -> None:
    known = replace(UPDATE, status=409)
    assert broken(COMMITTED, known, RESOLVED) == []


# -- numbers, ids and bodies


def test_a_change_without_its_kci_is_seen_though_the_numbers_have_no_gap() -> None:
    off = broken(COMMITTED, kci(1, 2, "RESOLVED"), kcis=2)
    assert off == ["1: KCIs are ['COMMITTED', 'RESOLVED'], expected " + str(COURSE)]


def test_a_number_that_is_used_again_is_seen() -> None:
    again = kci(1, 2, "UPDATE", id="another")
    assert broken(COMMITTED, UPDATE, again, RESOLVED) == ["1: KCI 2 came again as another"]


def test_an_id_that_is_used_again_is_seen() -> None:
    again = kci(1, 3, "RESOLVED", id=UPDATE.id)
    assert "1: KCIs 2 and 3 have the same id" in broken(COMMITTED, UPDATE, again)


def test_a_repeat_with_another_body_is_seen() -> None:
    changed = replace(UPDATE, body=UPDATE.body + b" ")
    assert broken(COMMITTED, UPDATE, changed, RESOLVED) == ["1: KCI 2 came again as another"]


def test_a_kci_that_is_not_the_stored_one_is_seen() -> None:
    forged = kci(1, 2, "UPDATE", id="forged")
    assert broken(COMMITTED, forged, RESOLVED) == [
        "1: KCI 2 1-2 is stored and never came",
        "1: KCI 2 forged came and is not stored",
    ]


def test_kcis_of_a_problem_that_is_not_stored_are_seen() -> None:
    stray = kci(3, 1, "COMMITTED")
    assert broken(COMMITTED, UPDATE, RESOLVED, stray) == ["3: KCIs of an unknown problem"]


# -- changes


def test_an_amendment_answered_202_is_closed_by_one_kci() -> None:
    answers = [*CREATED, AMENDMENT]
    course = [COMMITTED, UPDATE, closing(3, AMENDED), kci(1, 4, "RESOLVED")]
    assert broken(*course, answers=answers, kcis=4) == []
    assert broken(COMMITTED, UPDATE, RESOLVED, answers=answers) == ["1: 202 to SP_C, closed by []"]


def test_an_amendment_answered_201_is_closed_by_none() -> None:
    answers = [*CREATED, replace(AMENDMENT, status=201)]
    course = [COMMITTED, UPDATE, closing(3, AMENDED), kci(1, 4, "RESOLVED")]
    assert broken(COMMITTED, UPDATE, RESOLVED, answers=answers) == []
    assert len(broken(*course, answers=answers, kcis=4)) == 1


def test_a_repeated_answer_to_a_change_is_closed_by_one_kci() -> None:
    answers = [*CREATED, AMENDMENT, AMENDMENT]
    course = [COMMITTED, UPDATE, closing(3, AMENDED), kci(1, 4, "RESOLVED")]
    assert broken(*course, answers=answers, kcis=4) == []


def test_a_cancellation_answered_202_ends_the_course_where_it_is() -> None:
    answers = [*CREATED, CANCELLATION]
    assert broken(COMMITTED, closing(2, CANCELLED), answers=answers, kcis=2) == []
    assert broken(COMMITTED, answers=answers, kcis=1) == ["1: 202 to SP_C, closed by []"]


def test_a_cancellation_answered_201_ends_the_course_without_a_kci() -> None:
    answers = [*CREATED, replace(CANCELLATION, status=201)]
    assert broken(COMMITTED, answers=answers, kcis=1) == []
    assert broken(COMMITTED, closing(2, CANCELLED), answers=answers, kcis=2) != []


def test_a_cancelled_problem_that_went_another_way_is_seen() -> None:
    answers = [*CREATED, CANCELLATION]
    arrivals = [kci(1, 1, "UPDATE"), closing(2, CANCELLED)]
    assert len(broken(*arrivals, answers=answers, kcis=2)) == 1


def test_what_comes_after_a_cancellation_is_seen() -> None:
    answers = [*CREATED, CANCELLATION]
    arrivals = [COMMITTED, closing(2, CANCELLED), kci(1, 3, "UPDATE")]
    assert any("go on after" in line for line in broken(*arrivals, answers=answers, kcis=3))


def test_an_end_that_nobody_can_account_for_is_seen() -> None:
    assert len(broken(COMMITTED, UPDATE, answers=CREATED, kcis=2)) == 1
