"""What a data protection officer does: find, export and erase the personal data of somebody.

Erasing takes what retention takes at its time (contract.personal lists it), and the webhooks and
journal entries that name the problem. Retention looks at an erased problem again at its time: what
came later goes then.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from functools import partial
from typing import Any

import orjson

from supplier_api.clock import to_wire
from supplier_api.contract.personal import FIELDS, STORED
from supplier_api.db import Store, UnitOfWork
from supplier_api.db.operator_actions import (
    ERASED,
    EXPORTED,
    Action,
    Operator,
    OperatorActionRepository,
)
from supplier_api.db.tables import inbox, journal, message
from supplier_api.delivery.message_actions import NotPossible
from supplier_api.delivery.message_queries import WORDS
from supplier_api.operations.privacy_repository import (
    NAMING,
    TABLES,
    FoundRow,
    PrivacyRepository,
    look,
    with_names,
    with_words,
)
from supplier_api.operations.retention_repository import RetentionRepository
from supplier_api.outbox.messages import MessageRepository, StoredMessage
from supplier_api.outbox.model import MessageState
from supplier_api.problems import view
from supplier_api.problems.model import ServiceProblem
from supplier_api.problems.repository import ProblemRepository
from supplier_api.problems.services import DESTINATIONS, Services

DEAD = "message, dead letters"  # a place of its own, beside that of all messages
STILL_THERE = (
    "The database's -wal still has pages as they were, for somebody reads them: a worker empties it"
    " within the hour, `supplier-api db retain` at once"
)
SHORT = 3  # letters of a word that may be any
# Tries to empty the -wal, of 50 ms each while somebody reads: readers end within a second.
TRIES = 40


@dataclass(frozen=True, slots=True)
class Place:
    """How many rows of a table are about somebody; `personal` of them hold personal data or texts.

    `reference` and `state` are of the problem that they belong to, None for rows of none.
    """

    reference: str | None
    tenant: str | None
    state: str | None
    name: str
    rows: int
    personal: int

    def plain(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        return asdict(self)


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


# -- find


def find_named(services: Services, name: str, tenant: str | None) -> list[Place]:
    """Return where data of the problems of a name is, and of requests that none came of.

    The name is any that `view.find` takes. Raises db.StoreUnavailable, as all that is here.
    """

    def read(uow: UnitOfWork) -> tuple[list[ServiceProblem], list[FoundRow]]:
        return view.find(uow, name), PrivacyRepository(uow).refused(name, tenant)

    found, refused = services.store.read(read)
    return _places(services, _of(found, tenant), refused, tenant)


def find_on_service(services: Services, service_id: str, tenant: str | None) -> list[Place]:
    """Return where data of a line is: of its problems, and of what else names it."""

    def read(uow: UnitOfWork) -> list[ServiceProblem]:
        ids = PrivacyRepository(uow).on_service(service_id)
        return [ProblemRepository(uow).get(each) for each in ids]

    problems = _of(services.store.read(read), tenant)
    others = look(services.store, with_names({service_id}), apart=True)
    return _places(services, problems, others, tenant)


def find_text(services: Services, words: str, tenant: str | None) -> list[Place]:
    """Return where all these words stand in one row, in any order and case."""
    rows = look(services.store, with_words(words))

    def read(uow: UnitOfWork) -> dict[int, ServiceProblem]:
        ids = {each.problem_id for each in rows if each.problem_id is not None}
        return {each: ProblemRepository(uow).get(each) for each in sorted(ids)}

    problems = services.store.read(read)
    places = []
    for problem in _of(problems.values(), tenant):
        mine = [each for each in rows if each.problem_id == problem.id]
        places += [_place(problem, name, count, count) for name, count in _counts(mine)]
    return [*places, *_apart([each for each in rows if each.problem_id is None], tenant)]


def _of(problems: Iterable[ServiceProblem], tenant: str | None) -> list[ServiceProblem]:
    return [each for each in problems if tenant in {None, each.tenant}]


def _places(
    services: Services,
    problems: Sequence[ServiceProblem],
    others: Sequence[FoundRow],
    tenant: str | None,
) -> list[Place]:
    naming = _naming(services.store, problems)
    apart = {(each.table, each.key): each for each in (*naming, *others)}
    now = services.machine.now()
    places: list[Place] = []
    for problem in problems:
        places += services.store.read(partial(_of_problem, problem=problem, now=now))
    return [*places, *_apart(list(apart.values()), tenant)]


def _of_problem(uow: UnitOfWork, problem: ServiceProblem, now: datetime) -> list[Place]:
    repository = PrivacyRepository(uow)
    held: dict[str, set[tuple[Any, ...]]] = {}
    for column, keys in RetentionRepository(uow.connection, now, {}).held([problem.id]).items():
        held.setdefault(column.partition(".")[0], set()).update(keys)
    counts = {each.name: len(repository.rows(each, problem.id)) for each in TABLES}
    personal = {name: len(keys) for name, keys in held.items()}
    dead = repository.dead_letters(problem.id)
    counts[DEAD], personal[DEAD] = len(dead), len(dead & held.get(message.name, set()))
    return [
        _place(problem, name, count, personal.get(name, 0))
        for name, count in counts.items()
        if count
    ]


def _place(problem: ServiceProblem, name: str, rows: int, personal: int) -> Place:
    state = str(problem.state.status or problem.state.base)
    return Place(problem.reference, problem.tenant, state, name, rows, personal)


def _apart(rows: Sequence[FoundRow], tenant: str | None) -> list[Place]:
    """Return the places of rows that belong to no problem; those of another tenant are left out."""
    tenants = dict.fromkeys(each.tenant for each in rows if tenant in {None, each.tenant or tenant})
    return [
        Place(None, of, None, name, count, count)
        for of in tenants
        for name, count in _counts([each for each in rows if each.tenant == of])
    ]


def _counts(rows: Sequence[FoundRow]) -> list[tuple[str, int]]:
    tables = dict.fromkeys(each.table for each in rows)
    return [(table.name, sum(each.table is table for each in rows)) for table in tables]


def _naming(store: Store, problems: Sequence[ServiceProblem]) -> list[FoundRow]:
    """Return the webhooks and journal entries that name one of these problems.

    Calls in the journal are named by the gateway's id, too, which counts within the tenant.
    """

    def read(uow: UnitOfWork) -> set[str]:
        return {name for each in problems for name in PrivacyRepository(uow).names(each.id)}

    if not problems:
        return []
    names = store.read(read)
    calls = names | {str(each.gateway_id) for each in problems}
    tenants = {None, *(each.tenant for each in problems)}
    found = [
        each
        for column in NAMING
        for each in look(store, with_names(calls if column.table is journal else names), [column])
    ]
    return [each for each in found if each.tenant in tenants]


# -- export


def export(services: Services, problem_id: int, by: Operator) -> dict[str, Any]:
    """Return everything that is stored of a problem, as plain JSON values; that is recorded.

    Raises db.Gone, and message_actions.NotPossible for a reason that names somebody.
    """
    problem = services.store.read(lambda uow: ProblemRepository(uow).get(problem_id))
    naming = _naming(services.store, [problem])
    now = services.machine.now()

    def work(uow: UnitOfWork) -> dict[str, Any]:
        repository = PrivacyRepository(uow)
        _record(uow, ProblemRepository(uow).get(problem_id), EXPORTED, by, now)
        stored = {each.name: repository.rows(each, problem_id) for each in TABLES}
        for table in (inbox, journal):
            stored[table.name] = repository.get(table, _keys(naming, table.name))
        return {
            "problem": problem.reference,
            "tenant": problem.tenant,
            "exported": to_wire(now),
            "personal": {
                "fields": dict(FIELDS),
                "columns": {each.column: each.holds for each in STORED if each.table in stored},
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
        waits = view.waits_for(problem.state)
        return (
            f"{problem.reference} is {state}: its personal data is erased when it is over;"
            f" it waits for {waits}"
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
    naming = _naming(services.store, [problem])
    now = services.machine.now()

    def read(uow: UnitOfWork) -> Erasure:
        return _checked(uow, ProblemRepository(uow).get(problem_id), naming, now)

    return services.store.read(read)


def erase(services: Services, problem_id: int, by: Operator) -> Erasure:
    """Remove the personal data and free texts of a problem that is over, now; record who and why.

    If nothing is left, nothing is done or recorded. Raises db.Gone, and
    message_actions.NotPossible with the words of `why_not`, for a webhook that waits, and for a
    reason that names somebody: it stays.
    """
    problem = services.store.read(lambda uow: ProblemRepository(uow).get(problem_id))
    naming = _naming(services.store, [problem])
    now = services.machine.now()

    def work(uow: UnitOfWork) -> Erasure:
        locked = ProblemRepository(uow).lock(problem_id)
        old = RetentionRepository(uow.connection, now, {})
        old.lock_lanes([problem_id])
        found = _checked(uow, locked, naming, now)
        if found.removed:
            old.forget([problem_id])
            for table in (inbox, journal):
                PrivacyRepository(uow).delete(table, _keys(naming, table.name))
            _record(uow, locked, ERASED, by, now, removed=dict(found.removed))
        return found

    done = services.store.write(work)
    emptied = any(services.store.drop_old_pages() for _ in range(TRIES))
    return Erasure(done.reference, done.removed, done.before, emptied)


def _checked(
    uow: UnitOfWork, problem: ServiceProblem, naming: Sequence[FoundRow], now: datetime
) -> Erasure:
    """Return what is to be erased; raises NotPossible."""
    repository = PrivacyRepository(uow)
    if why := why_not(uow, problem):
        raise NotPossible(why)
    if waiting := repository.unsettled(_keys(naming, inbox.name)):
        told = ", ".join(f"webhook {number} is {state}" for number, state in waiting)
        raise NotPossible(f"it is named by what is not applied: {told}; replay or skip it first")
    held = RetentionRepository(uow.connection, now, {}).held([problem.id])
    removed = {column: len(keys) for column, keys in held.items()}
    for column, table in (("inbox.body", inbox), ("journal.entry", journal)):
        if there := repository.get(table, _keys(naming, table.name)):
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
