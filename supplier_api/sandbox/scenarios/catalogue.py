"""Every scenario, by name.

The names of amendments, cancellations and orders are those of the gateway's own test system; it
publishes none for service problems, and ours follow its pattern.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

from supplier_api.problems.lifecycle import Event
from supplier_api.problems.model import Awaits
from supplier_api.rules.model import Operation, Outcome
from supplier_api.sandbox.catalogue import Parameter
from supplier_api.sandbox.scenarios.model import (
    CODE,
    DELAY,
    RESOLUTION,
    UPDATES,
    Plan,
    PlanPhase,
    Play,
    Scenario,
    note,
    reason,
    steps,
)

# Names of the gateway that are about something else: known, and without effect here.
OF_ORDERS = "ORDER_"
INCIDENT = "SCENARIO_INCIDENT"
ACKNOWLEDGE, COMMIT = Outcome.ACKNOWLEDGE, Outcome.COMMIT
DEFER, REJECT = Outcome.DEFER, Outcome.REJECT


def _scenario(
    kind: Operation,
    name: str,
    description: str,
    answer: Outcome,
    plan: Plan,
    *parameters: Parameter,
    **more: Any,
) -> Scenario:
    return Scenario(name, description, parameters, kind=kind, answer=answer, plan=plan, **more)


_problem = partial(_scenario, Operation.PROBLEM)


def _changes(kind: Operation, done: str) -> tuple[Scenario, ...]:
    """Return the scenarios of an amendment or a cancellation; an accepted one is `done`."""
    change, name = partial(_scenario, kind), kind.name
    refused = reason(f"The supplier cannot agree to this {kind}.")
    accept, refuse = (Event.ACCEPT_CHANGE,), (Event.REJECT_CHANGE,)
    accepted = f"The {kind} is {done} at once. The default."
    rejected = f"The {kind} is refused at once."
    later = f"The {kind} is left open, and {done} later."
    rejected_later = f"The {kind} is left open, and refused later."
    return (
        change(f"{name}_ACCEPTED", accepted, COMMIT, ()),
        change(f"{name}_REJECTED", rejected, REJECT, (), *refused),
        change(f"{name}_PENDING", later, DEFER, accept, DELAY),
        change(f"{name}_PENDING_REJECTED", rejected_later, DEFER, refuse, DELAY, *refused),
    )


DEFAULT = _problem(
    "SERVICE_PROBLEM_SUCCESSFUL",
    "The problem is acknowledged, worked on and resolved. The default.",
    ACKNOWLEDGE,
    (PlanPhase.BEGIN, PlanPhase.UPDATES, Event.RESOLVE),
    DELAY,
    UPDATES,
    steps(1, "How often the updates of `also` are told."),
    CODE,
    note(
        "The line was tested remotely; an engineer is on the way.",
        "The words that go with `also`: the note of an UPDATE.",
    ),
    *RESOLUTION,
)
SCENARIOS: tuple[Scenario, ...] = (
    DEFAULT,
    _problem(
        "SERVICE_PROBLEM_ACKNOWLEDGED",
        "The problem is acknowledged, and nothing more happens.",
        ACKNOWLEDGE,
        (),
    ),
    _problem(
        "SERVICE_PROBLEM_IN_PROGRESS",
        "Work begins at once, and nothing more happens.",
        COMMIT,
        (),
    ),
    _problem(
        "SERVICE_PROBLEM_DEFERRED",
        "The problem is left open, acknowledged later, worked on and resolved.",
        DEFER,
        (PlanPhase.BEGIN, Event.RESOLVE),
        DELAY,
        *RESOLUTION,
    ),
    _problem(
        "SERVICE_PROBLEM_REJECTED",
        "The problem is refused at once.",
        REJECT,
        (),
        *reason("The supplier cannot take this service problem."),
    ),
    _problem(
        "SERVICE_PROBLEM_DEFERRED_REJECTED",
        "The problem is left open, and refused later.",
        DEFER,
        (Event.REJECT,),
        DELAY,
        *reason("On a closer look this is not a problem of the supplier's network."),
    ),
    _problem(
        "SERVICE_PROBLEM_DELAYED",
        "Work begins, is held up, goes on, and the problem is resolved.",
        ACKNOWLEDGE,
        (PlanPhase.BEGIN, (Event.HOLD, Event.RESUME), Event.RESOLVE),
        DELAY,
        steps(1, "How often the work is held up."),
        *reason("A part is not in stock; the work goes on when it has come."),
        *RESOLUTION,
    ),
    _problem(
        "SERVICE_PROBLEM_PENDING",
        "The tenant is asked for information; when it amends, work begins and the problem is "
        "resolved.",
        ACKNOWLEDGE,
        (PlanPhase.OPEN, (Event.ASK_INFORMATION,)),
        DELAY,
        steps(1, "How often the question is put."),
        *reason("Please say which lights of the router are on."),
        *RESOLUTION,
        question=Awaits.INFORMATION,
        onward=(Event.START, Event.RESOLVE),
    ),
    _problem(
        "SERVICE_PROBLEM_REAPPOINT",
        "Work begins and a new appointment is needed; when the tenant amends with an "
        "`appointmentReservationId` the problem is resolved.",
        ACKNOWLEDGE,
        (PlanPhase.BEGIN, (Event.ASK_APPOINTMENT,)),
        DELAY,
        steps(1, "How often the appointment is asked for."),
        *reason("Nobody was at home; please book another appointment."),
        *RESOLUTION,
        question=Awaits.APPOINTMENT,
        onward=(Event.RESOLVE,),
    ),
    _problem(
        "SERVICE_PROBLEM_NETWORK_INCIDENT",
        "The problem is part of a network incident; when that ends work begins and the problem is "
        "resolved.",
        ACKNOWLEDGE,
        (PlanPhase.BEGIN, Event.RESOLVE),
        DELAY,
        *RESOLUTION,
        incident=INCIDENT,
    ),
    _problem(
        "SERVICE_PROBLEM_CANCELLED",
        "Work begins, and the supplier cancels.",
        ACKNOWLEDGE,
        (PlanPhase.BEGIN, Event.CANCEL),
        DELAY,
        *reason("The service is being ceased; there is nothing left to repair."),
    ),
    _problem(
        "SERVICE_PROBLEM_UNRESOLVED",
        "Work begins and is reported on, but the problem is never resolved.",
        ACKNOWLEDGE,
        (PlanPhase.BEGIN, (Event.UPDATE,)),
        DELAY,
        steps(3, "How many reports come."),
        note("The cause has not been found yet.", "The note of each report."),
    ),
    _problem(
        "SERVICE_PROBLEM_COMPLETED",
        "The problem is resolved, and closed without waiting for the tenant.",
        ACKNOWLEDGE,
        (PlanPhase.BEGIN, Event.RESOLVE, Event.COMPLETE),
        DELAY,
        *RESOLUTION,
    ),
    *_changes(Operation.AMENDMENT, "applied"),
    *_changes(Operation.CANCELLATION, "done"),
)
BY_NAME: Mapping[str, Scenario] = {scenario.name: scenario for scenario in SCENARIOS}


def recall(plain: Mapping[str, Any] | None) -> Play | None:
    """Read back what Play.plain stored; None for nothing, and for a name that is no more."""
    scenario = BY_NAME.get(plain["name"]) if plain else None
    return Play(scenario, plain["values"]) if scenario and plain else None
