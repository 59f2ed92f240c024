"""The problems that are or were part of an incident, and what each tenant was told last."""

from typing import Any

from supplier_api.clock import to_wire
from supplier_api.db import UnitOfWork
from supplier_api.outbox.messages import MessageRepository
from supplier_api.outbox.model import LastMessage
from supplier_api.problems import view
from supplier_api.problems.incident_repository import IncidentRepository
from supplier_api.problems.repository import ProblemRepository
from supplier_api.problems.services import GATEWAY


def members(uow: UnitOfWork, code: str, after: int, limit: int) -> list[dict[str, Any]]:
    """Return up to `limit` problems behind row id `after`, as plain JSON values, by row id.

    `left` is when it left, None while it is part of it; `told` is the last KCI of each, whatever it
    was about, None before the first.
    """
    found = IncidentRepository(uow).members(code, after, limit)
    last = MessageRepository(uow).last_of(list(found), GATEWAY)
    return [
        {
            "id": problem_id,
            **view.summary(ProblemRepository(uow).get(problem_id)),
            "left": to_wire(left) if left else None,
            "told": _told(last.get(problem_id)),
        }
        for problem_id, left in found.items()
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
