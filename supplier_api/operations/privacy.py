"""What a data protection officer does with a problem: export and erase what is personal in it.

Erasing takes what retention takes at its time (contract.personal lists it), and the webhooks and
journal entries that name the problem. Retention looks at an erased problem again at its time: what
came later goes then.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson

from supplier_api.clock import to_wire
from supplier_api.contract.personal import FIELDS, STORED
from supplier_api.db import UnitOfWork
from supplier_api.db.operator_actions import (
    ERASED,
    EXPORTED,
    Action,
    Operator,
    OperatorActionRepository,
)
from supplier_api.db.tables import inbox, journal
from supplier_api.delivery.message_actions import NotPossible
from supplier_api.delivery.message_queries import WORDS
from supplier_api.operations.privacy_find import mentions
from supplier_api.operations.privacy_repository import TABLES, PrivacyRepository
from supplier_api.operations.privacy_search import FoundRow, with_names
from supplier_api.operations.retention_repository import RetentionRepository
from supplier_api.outbox.messages import MessageRepository
from supplier_api.outbox.model import MessageState, StoredMessage
from supplier_api.problems import view
from supplier_api.problems.lifecycle import Event
from supplier_api.problems.model import ServiceProblem
from supplier_api.problems.next_events import legal_for_back_office
from supplier_api.problems.repository import ProblemRepository
from supplier_api.problems.services import DESTINATIONS, Services

STILL_THERE = (
    "The database's -wal still has pages as they were, for somebody reads them: a worker empties it"
    " within the hour, `supplier-api db retain` at once"
)
# What may end a problem that is not over.
ENDS = frozenset({Event.REJECT, Event.COMPLETE, Event.CANCEL})
SHORT = 3  # letters of a word that may be any
# Tries to empty the -wal, of 50 ms each while somebody reads: readers end within a second.
TRIES = 40


@dataclass(frozen=True, slots=True)
class Erasure:
    """What was erased, or would be: how many rows, by TABLE.COLUMN; none if nothing was left.

    `before` is when it was erased or removed last, None for never. `emptied`: SQLite's -wal keeps
    no old pages.
    """

    reference: str
    removed: Mapping[str, int] = field(default_factory=dict)
    before: datetime | None = None
    emptied: bool = True

    def plain(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        return {
            "problem": self.reference,
            "removed": dict(self.removed),
            "before": to_wire(self.before) if self.before else None,
            "emptied": self.emptied,
        }

    def sentences(self, what: str = "erased") -> list[str]:
        """Return it for people; `what` is what was, or would be, done."""
        if self.removed:
            count = sum(self.removed.values())
            told = [f"{self.reference}: {count} personal values or texts {what}"]
        else:
            when = f": that was done on {to_wire(self.before)}" if self.before else ""
            told = [f"{self.reference} holds nothing personal any more{when}"]
        return told if self.emptied else [*told, STILL_THERE]


# -- export


def export(services: Services, problem_id: int, by: Operator) -> dict[str, Any]:
    """Return everything that is stored of a problem, as plain JSON values; that is recorded.

    Raises db.Gone, and message_actions.NotPossible for a reason that names somebody.
    """
    problem = services.store.read(lambda uow: ProblemRepository(uow).get(problem_id))
    named = mentions(services.store, [problem])
    now = services.machine.now()

    def work(uow: UnitOfWork) -> dict[str, Any]:
        repository = PrivacyRepository(uow)
        _record(uow, ProblemRepository(uow).get(problem_id), EXPORTED, by, now)
        stored = {each.name: repository.rows(each, problem_id) for each in TABLES}
        for table in (inbox, journal):
            stored[table.name] = repository.get(table, _keys(named, table.name))
        return {
            "problem": problem.reference,
            "tenant": problem.tenant,
            "exported": to_wire(now),
            "personal": {
                "fields": dict(FIELDS),
                # Of a column that stands there twice, what it holds of a problem stands first.
                "columns": {it.column: it.holds for it in reversed(STORED) if it.table in stored},
            },
            "stored": {
                name: [{column: _plain(value) for column, value in row.items()} for row in rows]
                for name, rows in stored.items()
                if rows
            },
        }

    return services.store.write(work)


def _plain(value: Any) -> Any:
    """Return a column's value as JSON has it: instants as on the wire, bodies as documents."""
    if isinstance(value, datetime):
        return to_wire(value)
    if isinstance(value, bytes | memoryview):
        value = bytes(value).decode("utf-8", "replace")
    if isinstance(value, str) and value.startswith("{"):
        try:
            return orjson.loads(value)
        except orjson.JSONDecodeError:
            return value
    return value


# -- erase


def why_not(uow: UnitOfWork, problem: ServiceProblem) -> str | None:
    """Say why the personal data of a problem cannot be erased now, and what to do; None if it can.

    What is worked on needs its contacts, and what is not delivered is still to be sent.
    """
    if not problem.state.terminal:
        state = problem.state.status or problem.state.base
        ends = [each for each in legal_for_back_office(problem.state) if each in ENDS]
        how = f"; what ends it now: {', '.join(ends)}" if ends else ""
        return (
            f"{problem.reference} is {state}: its personal data is erased when it is over;"
            f" it waits for {view.waits_for(problem.state)}{how}"
        )
    left = [
        f"{WORDS[destination]} {each.name} is {each.state}"
        for destination in DESTINATIONS
        for each in MessageRepository(uow).undelivered(problem.id, destination)
        if _waits(each)
    ]
    if not left:
        return None
    return f"not all is delivered: {', '.join(left)}; wait, or replay or skip what was refused"


def would_erase(services: Services, problem_id: int) -> Erasure:
    """Return what `erase` would do; raises as it does."""
    problem = services.store.read(lambda uow: ProblemRepository(uow).get(problem_id))
    named = mentions(services.store, [problem])
    now = services.machine.now()

    def read(uow: UnitOfWork) -> Erasure:
        return _checked(uow, ProblemRepository(uow).get(problem_id), named, now)

    return services.store.read(read)


def erase(services: Services, problem_id: int, by: Operator) -> Erasure:
    """Remove the personal data and free texts of a problem that is over, now; record who and why.

    If nothing is left, nothing is done or recorded. Raises db.Gone, and
    message_actions.NotPossible with the words of `why_not`, for a webhook that waits, and for a
    reason that names somebody: it stays.
    """
    problem = services.store.read(lambda uow: ProblemRepository(uow).get(problem_id))
    named = mentions(services.store, [problem])
    now = services.machine.now()

    def work(uow: UnitOfWork) -> Erasure:
        locked = ProblemRepository(uow).lock(problem_id)
        old = RetentionRepository(uow.connection, now, {})
        old.lock_lanes([problem_id])
        found = _checked(uow, locked, named, now)
        if found.removed:
            old.forget([problem_id])
            for table in (inbox, journal):
                PrivacyRepository(uow).delete(table, _keys(named, table.name))
            _record(uow, locked, ERASED, by, now, removed=dict(found.removed))
        return found

    done = services.store.write(work)
    emptied = any(services.store.drop_old_pages() for _ in range(TRIES))
    return Erasure(done.reference, done.removed, done.before, emptied)


def _checked(
    uow: UnitOfWork, problem: ServiceProblem, named: Sequence[FoundRow], now: datetime
) -> Erasure:
    """Return what is to be erased; raises NotPossible."""
    repository = PrivacyRepository(uow)
    if why := why_not(uow, problem):
        raise NotPossible(why)
    if waiting := repository.unsettled(_keys(named, inbox.name)):
        told = ", ".join(f"webhook {number} is {state}" for number, state in waiting)
        raise NotPossible(f"it is named by what is not applied: {told}; replay or skip it first")
    held = RetentionRepository(uow.connection, now, {}).held([problem.id])
    removed = {column: len(keys) for column, keys in held.items()}
    for column, table in (("inbox.body", inbox), ("journal.entry", journal)):
        if there := repository.get(table, _keys(named, table.name)):
            removed[column] = len(there)
    return Erasure(problem.reference, removed, repository.removed(problem.id))


def _waits(stored: StoredMessage) -> bool:
    """Return whether a message keeps its problem, as retention has it."""
    return stored.state == MessageState.QUEUED or stored.parked


def _names_somebody(problem: ServiceProblem, reason: str) -> bool:
    """Return whether a reason has a word of the problem's contacts, as a name or number."""
    contacts = [problem.document.get(each) or {} for each in ("primaryContact", "secondaryContact")]
    said = " ".join(str(value) for each in contacts for value in each.values())
    words = {word for word in said.casefold().split() if len(word) > SHORT}
    return with_names(words)(reason.casefold())


def _keys(rows: Sequence[FoundRow], table: str) -> list[int]:
    return [each.key[0] for each in rows if each.table.name == table]


def _record(
    uow: UnitOfWork,
    problem: ServiceProblem,
    action: str,
    by: Operator,
    now: datetime,
    **detail: Any,
) -> None:
    if _names_somebody(problem, by.reason):
        raise NotPossible(
            "the reason names a contact of the problem, and stays on record; write the number of"
            " the request instead"
        )
    done = Action(
        at=now,
        who=by.who,
        action=action,
        reason=by.reason,
        tenant=problem.tenant,
        problem_id=problem.id,
        detail=detail or None,
    )
    OperatorActionRepository(uow).add(done)
