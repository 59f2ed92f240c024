"""Replaces the body of a KCI: sent late, withdrawn, edited, or with a note.

Its id and its number stay. A body that is made today carries today's entity. Its `issuedOn` is now,
within the order of the problem's KCIs: before the next KCI that the gateway has not accepted, since
that one keeps its date; if there is none, after all others.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson

from supplier_api import contract
from supplier_api.clock import from_wire, to_wire
from supplier_api.contract.codes import ReasonCode, ResolutionStatus
from supplier_api.contract.limits import TEXT_MAX
from supplier_api.contract.transition_checks import impossible_course
from supplier_api.db import UnitOfWork
from supplier_api.outbox.model import NO_BODY, Revision, Rewritten, StoredMessage
from supplier_api.problems.kci import (
    add_gap_notes,
    change_entity,
    gap_notes,
    problem_entity,
    resolution_entity,
    withdrawal,
)
from supplier_api.problems.model import ServiceProblem
from supplier_api.problems.parts_repository import ChangeRequestRepository, ResolutionRepository

# Makes a new body of a KCI's body.
KciChange = Callable[[dict[str, Any]], Mapping[str, Any]]
ONE_MS = timedelta(milliseconds=1)
# The fields of a KCI besides its entities and its reason, which it keeps when it is sent late.
KEPT_LATE = ("problemCode", "supplierCodes", "supplierCode", "supplierNotes")
# The identity of a KCI and of what it is about: no edit may change these fields.
KEPT = (
    ("id",),
    ("sequenceNumber",),
    ("issuedOn",),
    ("serviceProblem", "id"),
    ("serviceProblem", "supplierReference"),
    ("serviceProblemAmendment", "id"),
    ("serviceProblemAmendment", "supplierReference"),
    ("serviceProblemCancellation", "id"),
    ("serviceProblemCancellation", "supplierReference"),
    ("serviceProblemResolution", "supplierReference"),
)


@dataclass(frozen=True, slots=True)
class KciRewrite:
    """A KCI whose body is being replaced; its problem and its lane are locked.

    `now` is business time. `behind` are the messages of the lane that the gateway has not accepted.
    The caller saves the problem, whose `last_issued` may change.
    """

    uow: UnitOfWork
    problem: ServiceProblem
    stored: StoredMessage
    behind: Sequence[StoredMessage]
    now: datetime

    def late(self) -> Rewritten:
        """Return an ADDITIONAL with today's entity and the text and notes of the original."""
        body = _body(self.stored)
        mended = Revision.WITHDRAWN if self.stored.mended == Revision.WITHDRAWN else Revision.LATE
        text = body.get("text", "")
        if self.stored.mended not in (Revision.LATE, Revision.WITHDRAWN):
            text = _late_text(self.stored, body)
        carried = {name: body[name] for name in KEPT_LATE if name in body}
        return self._additional(text, carried, mended)

    def withdrawn(self, reason: str) -> Rewritten:
        """Return an ADDITIONAL that says the update was withdrawn, and why, with today's entity."""
        notes = gap_notes(_body(self.stored))
        carried = {"supplierNotes": notes} if notes else {}
        return self._additional(withdrawn_text(self.stored, reason), carried, Revision.WITHDRAWN)

    def _additional(self, text: str, carried: Mapping[str, Any], mended: Revision) -> Rewritten:
        body = {
            "id": self.stored.uuid,
            "sequenceNumber": self.stored.number,
            "issuedOn": to_wire(self._issued()),
            "reasonCode": ReasonCode.ADDITIONAL,
            "text": text,
            **carried,
            **self._entities(),
        }
        return _checked(body, mended)

    def _entities(self) -> dict[str, Any]:
        """Return the problem, and the other entity the KCI is about, as they are today."""
        first = orjson.loads(self.stored.original or self.stored.body)
        entity = problem_entity(self.problem)
        was = first["serviceProblem"]
        if was["status"] == entity["status"] and "supplierReference" not in was:
            # Our reference was not sent with this status, and still is not.
            entity.pop("supplierReference", None)
        entities = {"serviceProblem": entity}
        if self.stored.subject is None:
            return entities
        if resolution := ResolutionRepository(self.uow).find(self.stored.subject):
            # One that was withdrawn is told of no more: the text says what came instead.
            if resolution.status is not ResolutionStatus.WITHDRAWN:
                entities["serviceProblemResolution"] = resolution_entity(resolution)
        elif change := ChangeRequestRepository(self.uow).find(self.problem.id, self.stored.subject):
            entities[f"serviceProblem{change.kind.capitalize()}"] = change_entity(change)
        return entities

    def _issued(self) -> datetime:
        problem, own = self.problem, from_wire(_body(self.stored)["issuedOn"])
        following = [each for each in self.behind if each.number > self.stored.number]
        if following:
            before = from_wire(_body(following[0])["issuedOn"]) - ONE_MS
            return max(own, min(self.now, before))
        # At least one KCI was made, so there is a last date.
        issued = max(self.now, (problem.last_issued or own) + ONE_MS)
        problem.last_issued = issued.replace(microsecond=issued.microsecond // 1000 * 1000)
        return problem.last_issued


@dataclass(frozen=True, slots=True)
class KciSequence:
    """What the gateway receives about a problem: our answer to its request, then KCIs in order.

    `status` and `reference` are those of the answer; the reference is None if it had none.
    """

    status: str
    reference: str | None
    messages: Sequence[StoredMessage]

    def violations(self, document: Mapping[str, Any]) -> Iterator[str]:
        """Yield what would be impossible if the KCI of that number had the body `document`."""
        own = document["sequenceNumber"]
        kcis = [document if each.number == own else _body(each) for each in self._kept()]
        for number, why in impossible_course(self.status, self.reference, kcis):
            if number == own:
                yield why
            elif number > own:
                yield f"{why}: update {number} would be refused"

    def _kept(self) -> list[StoredMessage]:
        return [each for each in self.messages if each.body != NO_BODY]


def edited(
    stored: StoredMessage, document: Mapping[str, Any], sequence: KciSequence, today: str | None
) -> Rewritten:
    """Return a KCI as an operator edited it.

    `today` is the problem's status, if the KCI is sent after later ones; else it is checked at its
    place in the sequence. Raises contract.MessageError for a body that breaks the contract, would
    be another KCI, or cannot come at its place.
    """
    loaded = contract.load_kci(document)
    wrong = list(_unpublished(document, loaded, "")) + list(_changed(_body(stored), loaded))
    if not today and not wrong:
        wrong += sequence.violations(loaded)
    if today and loaded["reasonCode"] != ReasonCode.ADDITIONAL:
        wrong.append("reasonCode: expected ADDITIONAL, later updates were taken before it")
    if today and loaded["serviceProblem"]["status"] != today:
        wrong.append(f"serviceProblem.status: expected {today}, as the problem stands today")
    if wrong:
        raise contract.Invalid(wrong)
    return _rewritten(loaded, Revision.EDITED)


def whole_body(text: bytes) -> KciChange:
    """Return the edit that puts this JSON document in place of the body.

    Raises contract.MessageError if it is no JSON.
    """
    document: Any = contract.read_json(text)

    def change(_body: dict[str, Any]) -> Mapping[str, Any]:
        return document  # type: ignore[no-any-return]  # `edited` refuses what is no object

    return change


def noted(stored: StoredMessage, sentences: Sequence[str], now: datetime) -> Rewritten:
    """Add to a KCI that was never sent which numbers are left out."""
    body = _body(stored)
    add_gap_notes(body, sentences, now)
    return _checked(body, Revision(stored.mended) if stored.mended else Revision.NOTED)


def left_out(number: int, body: str) -> list[str]:
    """Return the notes for the next KCI when this one is left out: its own notes, and its number.

    Its own notes may mention earlier numbers that were left out.
    """
    notes = [note["note"] for note in gap_notes(orjson.loads(body))]
    return [*notes, withdrawal(number)]


def tells_reference(body: str) -> bool:
    """Return whether a KCI carries our reference."""
    return "supplierReference" in orjson.loads(body)["serviceProblem"]


def withdrawn_text(stored: StoredMessage, reason: str) -> str:
    """Return the text that is sent to the tenant instead of the update."""
    return f"{withdrawal(stored.number)}: {reason}"


def _late_text(stored: StoredMessage, body: Mapping[str, Any]) -> str:
    text = f"update {stored.number} ({body['reasonCode']}) comes late"
    if "text" in body:
        text = f"{text}: {body['text']}"
    return text if len(text) <= TEXT_MAX else f"{text[: TEXT_MAX - 3]}..."


def _changed(was: Mapping[str, Any], body: Mapping[str, Any]) -> Iterator[str]:
    """Yield the fields that an edit must not change and did."""
    for path in KEPT:
        before = _at(was, path)
        if _at(body, path) != before:
            expected = f"expected {before}" if before is not None else "expected none"
            yield f"{'.'.join(path)}: {expected}, as it was"
    for note in gap_notes(was):
        if note not in gap_notes(body):
            yield f"supplierNotes: expected to keep the note that says: {note['note']}"


def _at(body: Mapping[str, Any], path: Sequence[str]) -> Any:
    value: Any = body
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _unpublished(given: Any, loaded: Any, path: str) -> Iterator[str]:
    """Yield fields that are not published: they would silently not be sent."""
    if isinstance(given, Mapping) and isinstance(loaded, Mapping):
        for name, value in given.items():
            inner = f"{path}.{name}" if path else str(name)
            if name not in loaded:
                yield f"{inner}: not a published field"
            else:
                yield from _unpublished(value, loaded[name], inner)
    elif isinstance(given, list) and isinstance(loaded, list):
        for index, (value, read) in enumerate(zip(given, loaded, strict=True)):
            yield from _unpublished(value, read, f"{path}[{index}]")


def _body(stored: StoredMessage) -> dict[str, Any]:
    body: dict[str, Any] = orjson.loads(stored.body)
    return body


def _checked(body: Mapping[str, Any], mended: Revision) -> Rewritten:
    """Return a body that we made, validated against the contract."""
    return _rewritten(contract.load_kci(orjson.loads(orjson.dumps(body))), mended)


def _rewritten(body: Mapping[str, Any], mended: Revision) -> Rewritten:
    return Rewritten(orjson.dumps(body).decode(), body["reasonCode"], mended)
