"""Where data of a problem, a line or a person is: places and counts, and nothing personal."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import partial
from typing import Any

from supplier_api.db import Store, UnitOfWork
from supplier_api.db.tables import journal, message
from supplier_api.operations.privacy_repository import TABLES, PrivacyRepository
from supplier_api.operations.privacy_search import (
    NAMING,
    FoundRow,
    look,
    with_names,
    with_words,
)
from supplier_api.operations.retention_repository import RetentionRepository
from supplier_api.problems import view
from supplier_api.problems.model import ServiceProblem
from supplier_api.problems.repository import ProblemRepository
from supplier_api.problems.services import Services

DEAD = "message, dead letters"  # a place of its own, beside that of all messages


@dataclass(frozen=True, slots=True)
class DataPlace:
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


def find_named(services: Services, name: str, tenant: str | None) -> list[DataPlace]:
    """Return where data of the problems of a name is, and of requests that none came of.

    The name is any that `view.find` takes. Raises db.StoreUnavailable, as all that is here.
    """

    def read(uow: UnitOfWork) -> tuple[list[ServiceProblem], list[FoundRow]]:
        return view.find(uow, name), PrivacyRepository(uow).refused(name, tenant)

    found, refused = services.store.read(read)
    return _places(services, _of(found, tenant), refused, tenant)


def find_on_service(services: Services, service_id: str, tenant: str | None) -> list[DataPlace]:
    """Return where data of a line is: of its problems, and of what else names it."""

    def read(uow: UnitOfWork) -> list[ServiceProblem]:
        ids = PrivacyRepository(uow).on_service(service_id)
        return [ProblemRepository(uow).get(each) for each in ids]

    problems = _of(services.store.read(read), tenant)
    others = look(services.store, with_names({service_id}), apart=True)
    return _places(services, problems, others, tenant)


def find_text(services: Services, words: str, tenant: str | None) -> list[DataPlace]:
    """Return where all these words stand in one text, in any order and case."""
    apart: list[FoundRow] = []
    owned: dict[int, list[FoundRow]] = {}
    for each in look(services.store, with_words(words)):
        rows = apart if each.problem_id is None else owned.setdefault(each.problem_id, [])
        rows.append(each)
    places: list[DataPlace] = []
    for problem_id, rows in sorted(owned.items()):
        problem = services.store.read(partial(_get, problem_id=problem_id))
        if tenant in {None, problem.tenant}:
            places += [_place(problem, name, count, count) for name, count in _counts(rows)]
    return [*places, *_apart(apart, tenant)]


def _get(uow: UnitOfWork, problem_id: int) -> ServiceProblem:
    return ProblemRepository(uow).get(problem_id)


def _of(problems: Iterable[ServiceProblem], tenant: str | None) -> list[ServiceProblem]:
    return [each for each in problems if tenant in {None, each.tenant}]


def _places(
    services: Services,
    problems: Sequence[ServiceProblem],
    others: Sequence[FoundRow],
    tenant: str | None,
) -> list[DataPlace]:
    rows = (*mentions(services.store, problems), *others)
    apart = {(each.table, each.key): each for each in rows}
    now = services.machine.now()
    places: list[DataPlace] = []
    for problem in problems:
        places += services.store.read(partial(_of_problem, problem=problem, now=now))
    return [*places, *_apart(list(apart.values()), tenant)]


def _of_problem(uow: UnitOfWork, problem: ServiceProblem, now: datetime) -> list[DataPlace]:
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


def _place(problem: ServiceProblem, name: str, rows: int, personal: int) -> DataPlace:
    state = str(problem.state.status or problem.state.base)
    return DataPlace(problem.reference, problem.tenant, state, name, rows, personal)


def _apart(rows: Sequence[FoundRow], tenant: str | None) -> list[DataPlace]:
    """Return the places of rows that belong to no problem; those of another tenant are left out."""
    tenants = dict.fromkeys(each.tenant for each in rows if tenant in {None, each.tenant or tenant})
    return [
        DataPlace(None, of, None, name, count, count)
        for of in tenants
        for name, count in _counts([each for each in rows if each.tenant == of])
    ]


def _counts(rows: Sequence[FoundRow]) -> list[tuple[str, int]]:
    tables = dict.fromkeys(each.table for each in rows)
    return [(table.name, sum(each.table is table for each in rows)) for table in tables]


def mentions(store: Store, problems: Sequence[ServiceProblem]) -> list[FoundRow]:
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
