"""Every scenario, by name.

The names of amendments, cancellations and orders are those of the gateway's own test system; it
publishes none for service problems, and ours follow its pattern.
"""

from collections.abc import Callable, Mapping
from typing import Any

from supplier_api.problems.model import Awaits
from supplier_api.sandbox.catalogue import Parameter
from supplier_api.sandbox.scenarios import plans
from supplier_api.sandbox.scenarios.model import (
    CODE,
    DELAY,
    RESOLUTION,
    UPDATES,
    Play,
    Scenario,
    ScenarioAnswer,
    ScenarioKind,
    note,
    reason,
    steps,
)

# Names of the gateway that are about something else: known, and without effect here.
OF_ORDERS = "ORDER_"
INCIDENT = "SCENARIO_INCIDENT"
ACKNOWLEDGE, COMMIT = ScenarioAnswer.ACKNOWLEDGE, ScenarioAnswer.COMMIT
DEFER, REJECT = ScenarioAnswer.DEFER, ScenarioAnswer.REJECT


def _problem(
    name: str,
    description: str,
    answer: ScenarioAnswer,
    plan: Callable[[Play, str], plans.Steps],
    *parameters: Parameter,
    **more: Any,
) -> Scenario:
    kind = ScenarioKind.PROBLEM
    return Scenario(name, description, parameters, kind=kind, answer=answer, steps=plan, **more)


def _changes(kind: ScenarioKind, done: str) -> tuple[Scenario, ...]:
    """Return the scenarios of an amendment or a cancellation; an accepted one is `done`."""
    refused = reason(f"The supplier cannot agree to this {kind}.")
    return (
        Scenario(
            f"{kind.name}_ACCEPTED",
            f"The {kind} is {done} at once. The default.",
            kind=kind,
            answer=COMMIT,
            steps=plans.nothing,
        ),
        Scenario(
            f"{kind.name}_REJECTED",
            f"The {kind} is refused at once.",
            refused,
            kind=kind,
            answer=REJECT,
            steps=plans.nothing,
        ),
        Scenario(
            f"{kind.name}_PENDING",
            f"The {kind} is left open, and {done} later.",
            (DELAY,),
            kind=kind,
            answer=DEFER,
            steps=plans.accept_change,
        ),
        Scenario(
            f"{kind.name}_PENDING_REJECTED",
            f"The {kind} is left open, and refused later.",
            (DELAY, *refused),
            kind=kind,
            answer=DEFER,
            steps=plans.reject_change,
        ),
    )


DEFAULT = _problem(
    "SERVICE_PROBLEM_SUCCESSFUL",
    "The problem is acknowledged, worked on and resolved. The default.",
    ACKNOWLEDGE,
    plans.succeed,
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
        plans.nothing,
    ),
    _problem(
        "SERVICE_PROBLEM_IN_PROGRESS",
        "Work begins at once, and nothing more happens.",
        COMMIT,
        plans.nothing,
    ),
    _problem(
        "SERVICE_PROBLEM_DEFERRED",
        "The problem is left open, acknowledged later, worked on and resolved.",
        DEFER,
        plans.resolve,
        DELAY,
        *RESOLUTION,
    ),
    _problem(
        "SERVICE_PROBLEM_REJECTED",
        "The problem is refused at once.",
        REJECT,
        plans.nothing,
        *reason("The supplier cannot take this service problem."),
    ),
    _problem(
        "SERVICE_PROBLEM_DEFERRED_REJECTED",
        "The problem is left open, and refused later.",
        DEFER,
        plans.reject,
        DELAY,
        *reason("On a closer look this is not a problem of the supplier's network."),
    ),
    _problem(
        "SERVICE_PROBLEM_DELAYED",
        "Work begins, is held up, goes on, and the problem is resolved.",
        ACKNOWLEDGE,
        plans.delay,
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
        plans.ask,
        DELAY,
        steps(1, "How often the question is put."),
        *reason("Please say which lights of the router are on."),
        *RESOLUTION,
        question=Awaits.INFORMATION,
        onward=plans.ask_then,
    ),
    _problem(
        "SERVICE_PROBLEM_REAPPOINT",
        "Work begins and a new appointment is needed; when the tenant amends with an "
        "`appointmentReservationId` the problem is resolved.",
        ACKNOWLEDGE,
        plans.reappoint,
        DELAY,
        steps(1, "How often the appointment is asked for."),
        *reason("Nobody was at home; please book another appointment."),
        *RESOLUTION,
        question=Awaits.APPOINTMENT,
        onward=plans.reappoint_then,
    ),
    _problem(
        "SERVICE_PROBLEM_NETWORK_INCIDENT",
        "The problem is part of a network incident; when that ends work begins and the problem is "
        "resolved.",
        ACKNOWLEDGE,
        plans.resolve,
        DELAY,
        *RESOLUTION,
        incident=INCIDENT,
    ),
    _problem(
        "SERVICE_PROBLEM_CANCELLED",
        "Work begins, and the supplier cancels.",
        ACKNOWLEDGE,
        plans.cancel,
        DELAY,
        *reason("The service is being ceased; there is nothing left to repair."),
    ),
    _problem(
        "SERVICE_PROBLEM_UNRESOLVED",
        "Work begins and is reported on, but the problem is never resolved.",
        ACKNOWLEDGE,
        plans.never_resolve,
        DELAY,
        steps(3, "How many reports come."),
        note("The cause has not been found yet.", "The note of each report."),
    ),
    _problem(
        "SERVICE_PROBLEM_COMPLETED",
        "The problem is resolved, and closed without waiting for the tenant.",
        ACKNOWLEDGE,
        plans.complete,
        DELAY,
        *RESOLUTION,
    ),
    *_changes(ScenarioKind.AMENDMENT, "applied"),
    *_changes(ScenarioKind.CANCELLATION, "done"),
)
BY_NAME: Mapping[str, Scenario] = {scenario.name: scenario for scenario in SCENARIOS}


def recall(plain: Mapping[str, Any] | None) -> Play | None:
    """Read back what Play.plain stored; None for nothing, and for a name that is no more."""
    scenario = BY_NAME.get(plain["name"]) if plain else None
    return Play(scenario, plain["values"]) if scenario and plain else None
