"""What a supplier promises, checked over the record of a run: a pure function.

Each problem of the run takes the simulated course: accepted, work started, a note, resolved.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.system.gateway import Arrival

COURSE = ["COMMITTED", "UPDATE", "RESOLVED"]
AMENDED = "AMENDED"


@dataclass(frozen=True)
class Answered:
    """A 2xx that the gateway got: to the creation of a problem, or to an amendment of it.

    `reference` is the supplier's own for what was asked.
    """

    status: int
    problem: int
    reference: str
    amendment: int | None = None


def broken_promises(
    answers: Iterable[Answered], stored: Mapping[int, str], arrivals: Sequence[Arrival]
) -> list[str]:
    """Return a line for each promise that was broken; none if all were kept.

    `stored` are the references of the problems in the supplier's database, by the gateway's id.
    `arrivals` are in the order in which the KCIs came.
    """
    of_problem: dict[int, list[Arrival]] = defaultdict(list)
    for each in arrivals:
        of_problem[each.problem].append(each)
    amendments: dict[int, list[Answered]] = defaultdict(list)
    broken = [f"{problem}: KCIs of an unknown problem" for problem in of_problem.keys() - stored]
    for answer in answers:
        if answer.amendment is not None:
            amendments[answer.problem].append(answer)
        elif stored.get(answer.problem) != answer.reference:
            broken.append(f"{answer.problem}: {answer.status} {answer.reference} is not stored")
    for problem in stored:
        first = list(_first_arrivals(of_problem[problem]))
        broken += _out_of_order(problem, first)
        broken += _changed_repeats(problem, of_problem[problem])
        broken += _off_course(problem, first)
        broken += _amendments(problem, amendments[problem], first)
    return broken


def _first_arrivals(arrivals: Iterable[Arrival]) -> Iterator[Arrival]:
    seen = set()
    for each in arrivals:
        if each.number not in seen:
            seen.add(each.number)
            yield each


def _out_of_order(problem: int, first: Sequence[Arrival]) -> Iterator[str]:
    numbers = [each.number for each in first]
    if numbers != list(range(1, len(numbers) + 1)):
        yield f"{problem}: KCIs first arrived as {numbers}"


def _changed_repeats(problem: int, arrivals: Iterable[Arrival]) -> Iterator[str]:
    """Find repeats that are not what they repeat, and ids that stand for two numbers."""
    bodies: dict[int, bytes] = {}
    numbers: dict[str, int] = {}
    for each in arrivals:
        if bodies.setdefault(each.number, each.body) != each.body:
            yield f"{problem}: KCI {each.number} came again as another"
        if numbers.setdefault(each.id, each.number) != each.number:
            yield f"{problem}: KCIs {numbers[each.id]} and {each.number} have the same id"


def _off_course(problem: int, first: Iterable[Arrival]) -> Iterator[str]:
    reasons = [each.reason for each in first]
    if [reason for reason in reasons if reason != AMENDED] != COURSE:
        yield f"{problem}: KCIs are {reasons}, expected {COURSE}"


def _amendments(
    problem: int, answers: Iterable[Answered], first: Iterable[Arrival]
) -> Iterator[str]:
    """Find amendments answered 202 that not one KCI closes, or answered 201 that one does."""
    closed = [_reference(each.document) for each in first if each.reason == AMENDED]
    for answer in answers:
        expected = 1 if answer.status == 202 else 0
        if closed.count(answer.reference) != expected:
            yield f"{problem}: {answer.status} to {answer.reference}, closed by {closed}"


def _reference(kci: Mapping[str, Any]) -> object:
    return kci["serviceProblemAmendment"]["supplierReference"]
