"""The judge of the runs is itself tried: it has to see each fault that is planted."""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from tests.system.gateway import Arrival, arrival
from tests.system.promises import Answered, broken_promises

STORED = {1: "SP_1", 2: "SP_2"}
CREATED = [Answered(201, 1, "SP_1"), Answered(201, 2, "SP_2")]
AMENDMENT = Answered(202, 1, "SP_A", amendment=7)


def kci(problem: int, number: int, reason: str, **more: Any) -> Arrival:
    document = {
        "id": f"{problem}-{number}",
        "sequenceNumber": number,
        "reasonCode": reason,
        "serviceProblem": {"id": problem},
        **more,
    }
    return arrival(json.dumps(document).encode())


def amended(problem: int, number: int) -> Arrival:
    return kci(problem, number, "AMENDED", serviceProblemAmendment={"supplierReference": "SP_A"})


COMMITTED, UPDATE, RESOLVED = (
    kci(1, 1, "COMMITTED"),
    kci(1, 2, "UPDATE"),
    kci(1, 3, "RESOLVED"),
)
OTHER = [kci(2, 1, "COMMITTED"), kci(2, 2, "UPDATE"), kci(2, 3, "RESOLVED")]


def broken(*arrivals: Arrival, answers: Sequence[Answered] = CREATED) -> list[str]:
    return broken_promises(answers, STORED, [*arrivals, *OTHER])


def test_a_run_without_fault_has_no_findings() -> None:
    assert broken(COMMITTED, UPDATE, RESOLVED) == []


def test_repeats_are_allowed_even_behind_later_ones() -> None:
    assert broken(COMMITTED, UPDATE, UPDATE, COMMITTED, RESOLVED) == []


def test_problems_may_overtake_each_other() -> None:
    mixed = [COMMITTED, OTHER[0], OTHER[1], UPDATE, OTHER[2], RESOLVED]
    assert broken_promises(CREATED, STORED, mixed) == []


def test_an_answered_problem_that_is_not_stored_is_seen() -> None:
    answers = [*CREATED, Answered(201, 3, "SP_3")]
    assert broken(COMMITTED, UPDATE, RESOLVED, answers=answers) == ["3: 201 SP_3 is not stored"]


def test_another_reference_than_the_answered_one_is_seen() -> None:
    answers = [Answered(201, 1, "SP_9"), CREATED[1]]
    assert broken(COMMITTED, UPDATE, RESOLVED, answers=answers) == ["1: 201 SP_9 is not stored"]


def test_a_loss_at_the_end_is_seen() -> None:
    assert len(broken(COMMITTED, UPDATE)) == 1


def test_the_loss_of_all_is_seen() -> None:
    assert len(broken()) == 1


def test_a_gap_is_seen() -> None:
    assert "1: KCIs first arrived as [1, 3]" in broken(COMMITTED, RESOLVED)


def test_a_swap_is_seen() -> None:
    assert "1: KCIs first arrived as [2, 1, 3]" in broken(UPDATE, COMMITTED, RESOLVED)


def test_numbers_that_do_not_begin_with_one_are_seen() -> None:
    shifted = [kci(1, 2, "COMMITTED"), kci(1, 3, "UPDATE"), kci(1, 4, "RESOLVED")]
    assert broken(*shifted) == ["1: KCIs first arrived as [2, 3, 4]"]


def test_a_change_without_its_kci_is_seen_though_the_numbers_have_no_gap() -> None:
    assert len(broken(COMMITTED, kci(1, 2, "RESOLVED"))) == 1


def test_a_number_that_is_used_again_is_seen() -> None:
    again = kci(1, 2, "UPDATE", id="another")
    assert broken(COMMITTED, UPDATE, again, RESOLVED) == ["1: KCI 2 came again as another"]


def test_an_id_that_is_used_again_is_seen() -> None:
    again = kci(1, 3, "RESOLVED", id=UPDATE.id)
    assert broken(COMMITTED, UPDATE, again) == ["1: KCIs 2 and 3 have the same id"]


def test_a_repeat_with_another_body_is_seen() -> None:
    changed = replace(UPDATE, body=UPDATE.body + b" ")
    assert broken(COMMITTED, UPDATE, changed, RESOLVED) == ["1: KCI 2 came again as another"]


def test_kcis_of_a_problem_that_is_not_stored_are_seen() -> None:
    stray = kci(3, 1, "COMMITTED")
    assert broken(COMMITTED, UPDATE, RESOLVED, stray) == ["3: KCIs of an unknown problem"]


def test_an_amendment_answered_202_is_closed_by_one_kci() -> None:
    answers = [*CREATED, AMENDMENT]
    course = [COMMITTED, UPDATE, amended(1, 3), kci(1, 4, "RESOLVED")]
    assert broken(*course, answers=answers) == []
    assert len(broken(COMMITTED, UPDATE, RESOLVED, answers=answers)) == 1


def test_an_amendment_answered_201_is_closed_by_none() -> None:
    answers = [*CREATED, replace(AMENDMENT, status=201)]
    course = [COMMITTED, UPDATE, amended(1, 3), kci(1, 4, "RESOLVED")]
    assert broken(COMMITTED, UPDATE, RESOLVED, answers=answers) == []
    assert len(broken(*course, answers=answers)) == 1
