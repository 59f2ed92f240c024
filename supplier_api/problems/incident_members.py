"""The problems that are part of an incident, and what each tenant was told last."""

from typing import Any

from supplier_api.clock import to_wire
from supplier_api.db import UnitOfWork
from supplier_api.outbox.messages import MessageRepository
from supplier_api.outbox.model import LastMessage
from supplier_api.problems import view
from supplier_api.problems.repository import ProblemRepository
from supplier_api.problems.services import GATEWAY


def members(uow: UnitOfWork, code: str, after: int, limit: int) -> list[dict[str, Any]]:
    """Return up to `limit` problems behind row id `after`, as plain JSON values, by row id.

    `told` is the last KCI of each, whatever it was about; None before the first.
    """
    problems = ProblemRepository(uow).of_incident(code, after, limit)
    last = MessageRepository(uow).last_of([each.id for each in problems], GATEWAY)
    return [
        {"id": each.id, **view.summary(each), "told": _told(last.get(each.id))} for each in problems
    ]


def _told(last: LastMessage | None) -> dict[str, Any] | None:
    if last is None:
        return None
    return {
        "number": last.number,
        "id": last.uuid,
        "kind": last.kind,
        "state": last.state,
        "created": to_wire(last.created),
        "settled": to_wire(last.settled) if last.settled else None,
    }
