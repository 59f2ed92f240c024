"""What a supplier promises, checked over the record of a run: a pure function."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.system.gateway import Arrival

# The course of a problem that chooses none: accepted, work started, a note, resolved.
COURSE = ["COMMITTED", "UPDATE", "RESOLVED"]
AMENDED = "AMENDED"
CANCELLED = "CANCELLED"
# Where a KCI that closes a change names it.
CHANGES = {AMENDED: "serviceProblemAmendment", CANCELLED: "serviceProblemCancellation"}


@dataclass(frozen=True)
class Answered:
    """A 2xx to the creation of a problem, or to a `change` of it: AMENDED or CANCELLED.

    `reference` is the supplier's own for what was asked.
    """

    status: int
    problem: int
    reference: str
    change: str | None = None


@dataclass(frozen=True)
class Stored:
    """A problem in the supplier's database, with the ids of its KCIs by their numbers.

    `course` are the reasons of the KCIs that it has to have, those that close changes left out.
    """

    reference: str
    kcis: Sequence[str]
    course: Sequence[str]


def broken_promises(
    answers: Iterable[Answered], stored: Mapping[int, Stored], arrivals: Sequence[Arrival]
) -> list[str]:
    """Return a line for each promise that was broken; none if all were kept.

    `stored` is by the gateway's id. `arrivals` are in the order in which the gateway answered them.
    """
    of_problem: dict[int, list[Arrival]] = defaultdict(list)
    for each in arrivals:
        of_problem[each.problem].append(each)
    changes: dict[int, set[Answered]] = defaultdict(set)
    broken = [f"{problem}: KCIs of an unknown problem" for problem in of_problem.keys() - stored]
    for answer in answers:
        if answer.change is not None:
            changes[answer.problem].add(answer)
        elif answer.problem not in stored or stored[answer.problem].reference != answer.reference:
            broken.append(f"{answer.problem}: {answer.status} {answer.reference} is not stored")
    for problem, known in stored.items():
        first = list(_first_arrivals(of_problem[problem]))
        broken += _out_of_order(problem, first)
        broken += _changed_repeats(problem, of_problem[problem])
        broken += _not_taken(problem, of_problem[problem])
        broken += _lost_or_strange(problem, known, first)
        broken += _off_course(problem, known.course, changes[problem], first)
        broken += _changes(problem, changes[problem], first)
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


def _not_taken(problem: int, arrivals: Iterable[Arrival]) -> Iterator[str]:
    """Find KCIs that the gateway never took, and those that came before the last one was taken."""
    came: list[int] = []
    taken: set[int] = set()
    for each in arrivals:
        if each.number not in came:
            if came and came[-1] not in taken:
                yield f"{problem}: KCI {each.number} came before {came[-1]} was taken"
            came.append(each.number)
        if each.taken:
            taken.add(each.number)
    for number in came:
        if number not in taken:
            yield f"{problem}: KCI {number} was never taken"


def _lost_or_strange(problem: int, known: Stored, first: Iterable[Arrival]) -> Iterator[str]:
    """Find KCIs that were made and never came, and those that came and were never made."""
    came = {(each.number, each.id) for each in first}
    for number, kci in sorted({*enumerate(known.kcis, start=1)} ^ came):
        what = "came and is not stored" if (number, kci) in came else "is stored and never came"
        yield f"{problem}: KCI {number} {kci} {what}"


def _off_course(
    problem: int, course: Sequence[str], changes: Iterable[Answered], first: Iterable[Arrival]
) -> Iterator[str]:
    """Find a problem that went another way; one that was cancelled goes only a part of its way."""
    reasons = [each.reason for each in first]
    went = [reason for reason in reasons if reason not in CHANGES]
    cancelled = CANCELLED in reasons or any(answer.change == CANCELLED for answer in changes)
    if CANCELLED in reasons[:-1]:
        yield f"{problem}: KCIs go on after {CANCELLED}: {reasons}"
    if went != list(course[: len(went)] if cancelled else course):
        yield f"{problem}: KCIs are {reasons}, expected {list(course)}"


def _changes(problem: int, answers: Iterable[Answered], first: Iterable[Arrival]) -> Iterator[str]:
    """Find changes answered 202 that not one KCI closes, or answered 201 that one does."""
    closed = [_reference(each.document, each.reason) for each in first if each.reason in CHANGES]
    for answer in answers:
        expected = 1 if answer.status == 202 else 0
        if closed.count(answer.reference) != expected:
            yield f"{problem}: {answer.status} to {answer.reference}, closed by {closed}"


def _reference(kci: Mapping[str, Any], reason: str) -> object:
    return kci[CHANGES[reason]]["supplierReference"]
