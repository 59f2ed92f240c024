"""/admin/idle and /admin/problems: what is still to be done, and all that is known of a problem."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from flask import Response

from supplier_api.clock import to_wire
from supplier_api.contract.codes import ErrorCode
from supplier_api.contract.fields import Text
from supplier_api.contract.schemas import ERROR
from supplier_api.http.openapi import response
from supplier_api.http.request_parsing import json_response
from supplier_api.outbox.pauses import Pause, PauseCause
from supplier_api.problems import view
from supplier_api.sandbox.admin.clock import is_moving
from supplier_api.sandbox.admin.parameters import OF_TENANT, WAIT
from supplier_api.sandbox.admin.parts import bench
from supplier_api.sandbox.admin.resource import AdminBlueprint
from supplier_api.sandbox.json_schemas import array, count, flag, moment, object_of, text
from supplier_api.sandbox.pending_work import Outstanding

CAUSES = {PauseCause.OPERATOR: "paused", PauseCause.BREAKER: "breaker", PauseCause.ASKED: "asked"}


WAIT_CAUSE = object_of(
    {
        "why": text(
            "paused: by an operator; breaker: the destination fails; asked: it asked for time;"
            " withheld: it follows an answer, and leaves a moment after it; back-off: an attempt"
            " failed; refused: it waits behind one that was refused for good; maintenance:"
            " decisions are put off",
            enum=[*CAUSES.values(), "withheld", "back-off", "refused", "maintenance"],
        ),
        "destination": text("Whose; absent: any"),
        "tenant": text("Whose; absent: everybody's"),
        "problem": text("Our reference of the only one"),
        "reason": text("In words"),
        "count": count("How many problems, or decisions"),
        "until": moment("In real time: when it ends, or the first one is tried"),
    },
    *("destination", "tenant", "problem", "reason", "count", "until"),
)
OUTSTANDING = object_of(
    {
        "idle": flag(),
        "advancing": flag("A clock is still being moved"),
        "timersDue": count("What is to happen now"),
        "lanesDue": count("Problems with updates or orders that are to be sent now"),
        "lanesInFlight": count("Problems with one that is being sent"),
        "lanesInBackOff": count("Not for now: the last attempt failed, the next is planned"),
        "lanesParked": count("Not for now: they wait behind one that was refused for good"),
        "nextTimer": moment("Not for now: when something is to happen next, in business time"),
        "waits": array(
            WAIT_CAUSE, "Why what is left has not been done: each cause once, whatever it holds"
        ),
    },
    "nextTimer",
)
NAME = Text(
    "Our reference of the problem or of an amendment, cancellation or resolution of it; the"
    " gateway's id; the back office's ticket; a conversation; a service",
    "SP_7K2M9QX4TD",
)
PROBLEM = object_of(
    {
        "reference": text(),
        "tenant": text(),
        "gatewayId": {"type": "integer"},
        "status": text(),
        "timeline": array(),
        "timers": array(),
    }
)

idle = AdminBlueprint("idle", "Waiting without asking again and again")
problems = AdminBlueprint("problems", "What the supplier knows of a problem")


@idle.call(
    "GET",
    "/idle",
    "idle",
    {
        200: response("Nothing is due or in flight", OUTSTANDING),
        408: response("Something still is, after that time", OUTSTANDING),
        422: response("There can be no such tenant or time", ERROR),
    },
    parameters=OF_TENANT | WAIT,
)
def wait_for_idle(query: dict[str, Any]) -> Response:
    """Wait until nothing is due or in flight, for a tenant or for all.

    What waits for a later time does not count: a timer, an update whose last attempt failed, one
    behind a dead letter. `waits` says why it is not done.
    """
    tenant, virtual_clock = query["tenant"], bench().virtual_clock

    def is_idle() -> bool:
        settled = all(part.settled for part in virtual_clock.outstanding(tenant))
        return settled and not is_moving(virtual_clock, tenant)

    is_done = bench().wait_until(is_idle, query["wait"])
    left = virtual_clock.outstanding(tenant)
    waits = [*map(_paused, virtual_clock.pauses(tenant)), *_causes(left)]
    shown = {
        "idle": is_done,
        "advancing": is_moving(virtual_clock, tenant),
        "timersDue": sum(part.timers_due for part in left),
        "lanesDue": sum(part.lanes_due for part in left),
        "lanesInFlight": sum(part.in_flight for part in left),
        "lanesInBackOff": sum(part.in_back_off for part in left),
        "lanesParked": sum(part.parked for part in left),
        "nextTimer": _first(part.next_timer for part in left),
        "waits": [_known(each) for each in waits],
    }
    return json_response(_known(shown), 200 if is_done else 408)


@problems.call(
    "GET",
    "/problems/<rest:name>",
    "problem",
    {
        200: response("The problem", PROBLEM),
        404: response("There is none of that name", ERROR),
        409: response("The name stands for several", ERROR),
        422: response("There can be no such tenant", ERROR),
    },
    parameters={"name": NAME, **OF_TENANT},
)
def show(name: str, query: dict[str, Any]) -> Response:
    """Show a problem: what was asked, answered, done and sent, and what comes next."""
    store = bench().services.store
    found = [
        problem
        for problem in store.read(lambda uow: view.find(uow, name))
        if query["tenant"] in {None, problem.tenant}
    ]
    if not found:
        return bench().refuse(404, ErrorCode.NOT_FOUND, "name: no such problem")
    if len(found) > 1:
        each = [f"{one.reference} of {one.tenant}" for one in found]
        return bench().refuse(409, ErrorCode.INVALID_REQUEST, "name: stands for several", *each)
    return json_response(store.read(lambda uow: view.show(uow, found[0])))


def _paused(pause: Pause) -> dict[str, Any]:
    """Return a pause as a cause; the end of an open breaker is when it is tried next."""
    return {
        "why": CAUSES[pause.cause],
        "destination": pause.scope.destination,
        "tenant": pause.scope.tenant,
        "problem": pause.reference,
        "reason": pause.reason,
        "until": _first([pause.until or (pause.probe.at if pause.probe else None)]),
    }


def _causes(left: Sequence[Outstanding]) -> Iterator[dict[str, Any]]:
    """Yield why single problems wait, and how many."""
    causes: tuple[tuple[str, int, list[datetime | None]], ...] = (
        ("withheld", sum(part.withheld for part in left), [part.released_at for part in left]),
        ("back-off", sum(part.in_back_off for part in left), [part.next_retry for part in left]),
        ("refused", sum(part.parked for part in left), []),
        ("maintenance", sum(part.put_off for part in left), []),
    )
    for why, held, moments in causes:
        if held:
            yield {"why": why, "count": held, "until": _first(moments)}


def _first(moments: Iterable[datetime | None]) -> str | None:
    known = [each for each in moments if each]
    return to_wire(min(known)) if known else None


def _known(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}
