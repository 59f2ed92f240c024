"""Takes into the record what an operator mended in a KCI, so that the next is without the fault.

A KCI shows the problem, and a change or a resolution, as the record had them. Only such fields are
taken over; its text, codes and notes are of that KCI alone.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from supplier_api.contract.field_table import AMENDABLE, CANCELLATION_DETAILS, PROBLEM
from supplier_api.db import UnitOfWork
from supplier_api.problems.model import ServiceProblem
from supplier_api.problems.parts_repository import ChangeRequestRepository, ResolutionRepository
from supplier_api.problems.repository import ProblemRepository

# Stored where nothing changes it: searches and locks go by them.
FIXED = frozenset({"id", "serviceId"})
_CHANGES = ("serviceProblemAmendment", "serviceProblemCancellation")
_RESOLUTION = "serviceProblemResolution"
_DETAILS = "resolutionDetails"
# A value that is not there.
_ABSENT = None


@dataclass(frozen=True, slots=True)
class MendedField:
    """A field as the record had it, and as it has it now; None for none.

    `kept`: it stayed as it was, as the record no longer says what the KCI said.
    """

    path: str
    old: Any
    new: Any
    kept: bool = False

    def __str__(self) -> str:
        """Say what became of the field, old beside new."""
        old, new = (json.dumps(each, ensure_ascii=False) for each in (self.old, self.new))
        if self.kept:
            return f"{self.path}: stays {old}, it has changed since that update"
        return f"{self.path}: {old} -> {new}"


class NotOfTheRecord(Exception):
    """The edit changed nothing that the record holds, or what it never changes."""


def mend_record(
    uow: UnitOfWork,
    problem: ServiceProblem,
    subject: str | None,
    was: Mapping[str, Any],
    now: Mapping[str, Any],
) -> list[MendedField]:
    """Store in the record what differs between two bodies of a KCI; the problem must be locked.

    `subject` is the reference of the change or resolution that the KCI carries. Raises
    NotOfTheRecord.
    """
    fixed = [name for name, *_ in _differing(was, now, "serviceProblem") if name in FIXED]
    if fixed:
        raise NotOfTheRecord(f"serviceProblem.{fixed[0]}: the record never changes it")
    mended = [
        *_mend_problem(uow, problem, was, now),
        *_mend_change(uow, problem, subject, was, now),
        *_mend_resolution(uow, subject, was, now),
    ]
    if not mended:
        raise NotOfTheRecord(
            "nothing of this edit is kept in the record: a KCI's text, codes and notes are its own"
        )
    return mended


def _mend_problem(
    uow: UnitOfWork, problem: ServiceProblem, was: Mapping[str, Any], now: Mapping[str, Any]
) -> Iterator[MendedField]:
    document = dict(problem.document)
    mended = list(
        _mend(document, _differing(was, now, "serviceProblem"), "serviceProblem", PROBLEM)
    )
    if document != problem.document:
        problem.document = document
        ProblemRepository(uow).save(problem)
    yield from mended


def _mend_change(
    uow: UnitOfWork,
    problem: ServiceProblem,
    subject: str | None,
    was: Mapping[str, Any],
    now: Mapping[str, Any],
) -> Iterator[MendedField]:
    change = ChangeRequestRepository(uow).find(problem.id, subject) if subject else None
    if change is None:
        return
    body = dict(change.body)
    for name in _CHANGES:
        known = {**AMENDABLE, **CANCELLATION_DETAILS}
        yield from _mend(body, _differing(was, now, name), name, known)
    if body != change.body:
        change.body = body
        ChangeRequestRepository(uow).save_body(change)


def _mend_resolution(
    uow: UnitOfWork, subject: str | None, was: Mapping[str, Any], now: Mapping[str, Any]
) -> Iterator[MendedField]:
    resolution = ResolutionRepository(uow).find(subject) if subject else None
    if resolution is None:
        return
    details = dict(resolution.details)
    before, after = (body.get(_RESOLUTION, {}) for body in (was, now))
    path = f"{_RESOLUTION}.{_DETAILS}"
    yield from _mend(details, _differing(before, after, _DETAILS), path)
    rest: dict[str, Any] = {
        "slaViolation": resolution.sla_violation,
        "tenantNotes": resolution.tenant_notes,
    }
    yield from _mend(rest, _differing(was, now, _RESOLUTION), _RESOLUTION, rest)
    resolution.details = details
    resolution.sla_violation = rest.get("slaViolation") or []
    resolution.tenant_notes = rest.get("tenantNotes")
    ResolutionRepository(uow).save_content(resolution)


def _differing(
    was: Mapping[str, Any], now: Mapping[str, Any], entity: str
) -> list[tuple[str, Any, Any]]:
    """Return the fields of an entity that two bodies of a KCI do not have alike."""
    before, after = was.get(entity, {}), now.get(entity, {})
    names = [*before, *(name for name in after if name not in before)]
    return [
        (name, before.get(name, _ABSENT), after.get(name, _ABSENT))
        for name in names
        if before.get(name, _ABSENT) != after.get(name, _ABSENT)
    ]


def _mend(
    stored: dict[str, Any],
    differing: list[tuple[str, Any, Any]],
    path: str,
    known: Mapping[str, Any] | None = None,
) -> Iterator[MendedField]:
    """Change what is stored as the KCI was changed, where it still says what the KCI said."""
    for name, old, new in differing:
        if known is not None and name not in known:
            continue
        if (stored.get(name) or _ABSENT) != (old or _ABSENT):
            yield MendedField(f"{path}.{name}", stored.get(name), new, kept=True)
            continue
        if new is _ABSENT:
            stored.pop(name, None)
        else:
            stored[name] = new
        yield MendedField(f"{path}.{name}", old, new)
