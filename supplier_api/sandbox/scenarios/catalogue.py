"""Every scenario, by name.

The names of amendments, cancellations and orders are those of the gateway's own test system; it
publishes none for service problems, and ours follow its pattern.
"""

from collections.abc import Mapping
from typing import Any

from supplier_api.problems.model import Awaits
from supplier_api.sandbox.scenarios import plans
from supplier_api.sandbox.scenarios.model import (
    Play,
    Scenario,
    ScenarioAnswer,
    ScenarioKind,
    ScenarioParameter,
)
from supplier_api.sandbox.scenarios.parameters import (
    CODE,
    DELAY,
    RESOLUTION,
    also,
    note,
    steps,
    text,
)

# Names of the gateway that are about something else: known, and without effect here.
OF_ORDERS = "ORDER_"
INCIDENT = "SCENARIO_INCIDENT"


def _why(words: str) -> tuple[ScenarioParameter, ...]:
    return (CODE, text(words))


def _change(kind: ScenarioKind, done: str) -> tuple[Scenario, ...]:
    """Return the scenarios of an amendment or a cancellation; an accepted one is `done`."""
    name, refused = kind.name, _why(f"The supplier cannot agree to this {kind}.")
    return (
        Scenario(
            f"{name}_ACCEPTED",
            kind,
            f"The {kind} is {done} at once. The default.",
            ScenarioAnswer.COMMIT,
            plans.nothing,
        ),
        Scenario(
            f"{name}_REJECTED",
            kind,
            f"The {kind} is refused at once.",
            ScenarioAnswer.REJECT,
            plans.nothing,
            refused,
        ),
        Scenario(
            f"{name}_PENDING",
            kind,
            f"The {kind} is left open, and {done} later.",
            ScenarioAnswer.DEFER,
            plans.accept_change,
            (DELAY,),
        ),
        Scenario(
            f"{name}_PENDING_REJECTED",
            kind,
            f"The {kind} is left open, and refused later.",
            ScenarioAnswer.DEFER,
            plans.reject_change,
            (DELAY, *refused),
        ),
    )


DEFAULT = Scenario(
    "SERVICE_PROBLEM_SUCCESSFUL",
    ScenarioKind.PROBLEM,
    "The problem is acknowledged, worked on and resolved. The default.",
    ScenarioAnswer.ACKNOWLEDGE,
    plans.succeed,
    (
        DELAY,
        also(),
        steps(1, "How often the updates of `also` are told."),
        CODE,
        note(
            "The line was tested remotely; an engineer is on the way.",
            "The words that go with `also`: the note of an UPDATE.",
        ),
        *RESOLUTION,
    ),
)
SCENARIOS: tuple[Scenario, ...] = (
    DEFAULT,
    Scenario(
        "SERVICE_PROBLEM_ACKNOWLEDGED",
        ScenarioKind.PROBLEM,
        "The problem is acknowledged, and nothing more happens.",
        ScenarioAnswer.ACKNOWLEDGE,
        plans.nothing,
    ),
    Scenario(
        "SERVICE_PROBLEM_IN_PROGRESS",
        ScenarioKind.PROBLEM,
        "Work begins at once, and nothing more happens.",
        ScenarioAnswer.COMMIT,
        plans.nothing,
    ),
    Scenario(
        "SERVICE_PROBLEM_DEFERRED",
        ScenarioKind.PROBLEM,
        "The problem is left open, acknowledged later, worked on and resolved.",
        ScenarioAnswer.DEFER,
        plans.resolve,
        (DELAY, *RESOLUTION),
    ),
    Scenario(
        "SERVICE_PROBLEM_REJECTED",
        ScenarioKind.PROBLEM,
        "The problem is refused at once.",
        ScenarioAnswer.REJECT,
        plans.nothing,
        _why("The supplier cannot take this service problem."),
    ),
    Scenario(
        "SERVICE_PROBLEM_DEFERRED_REJECTED",
        ScenarioKind.PROBLEM,
        "The problem is left open, and refused later.",
        ScenarioAnswer.DEFER,
        plans.reject,
        (DELAY, *_why("On a closer look this is not a problem of the supplier's network.")),
    ),
    Scenario(
        "SERVICE_PROBLEM_DELAYED",
        ScenarioKind.PROBLEM,
        "Work begins, is held up, goes on, and the problem is resolved.",
        ScenarioAnswer.ACKNOWLEDGE,
        plans.delay,
        (
            DELAY,
            steps(1, "How often the work is held up."),
            *_why("A part is not in stock; the work goes on when it has come."),
            *RESOLUTION,
        ),
    ),
    Scenario(
        "SERVICE_PROBLEM_PENDING",
        ScenarioKind.PROBLEM,
        "The tenant is asked for information; when it amends, work begins and the problem is "
        "resolved.",
        ScenarioAnswer.ACKNOWLEDGE,
        plans.ask,
        (
            DELAY,
            steps(1, "How often the question is put."),
            *_why("Please say which lights of the router are on."),
            *RESOLUTION,
        ),
        question=Awaits.INFORMATION,
        onward=plans.ask_then,
    ),
    Scenario(
        "SERVICE_PROBLEM_REAPPOINT",
        ScenarioKind.PROBLEM,
        "Work begins and a new appointment is needed; when the tenant amends with an "
        "`appointmentReservationId` the problem is resolved.",
        ScenarioAnswer.ACKNOWLEDGE,
        plans.reappoint,
        (
            DELAY,
            steps(1, "How often the appointment is asked for."),
            *_why("Nobody was at home; please book another appointment."),
            *RESOLUTION,
        ),
        question=Awaits.APPOINTMENT,
        onward=plans.reappoint_then,
    ),
    Scenario(
        "SERVICE_PROBLEM_NETWORK_INCIDENT",
        ScenarioKind.PROBLEM,
        "The problem is part of a network incident; when that ends work begins and the problem is "
        "resolved.",
        ScenarioAnswer.ACKNOWLEDGE,
        plans.resolve,
        (DELAY, *RESOLUTION),
        incident=INCIDENT,
    ),
    Scenario(
        "SERVICE_PROBLEM_CANCELLED",
        ScenarioKind.PROBLEM,
        "Work begins, and the supplier cancels.",
        ScenarioAnswer.ACKNOWLEDGE,
        plans.cancel,
        (DELAY, *_why("The service is being ceased; there is nothing left to repair.")),
    ),
    Scenario(
        "SERVICE_PROBLEM_UNRESOLVED",
        ScenarioKind.PROBLEM,
        "Work begins and is reported on, but the problem is never resolved.",
        ScenarioAnswer.ACKNOWLEDGE,
        plans.never_resolve,
        (
            DELAY,
            steps(3, "How many reports come."),
            note("The cause has not been found yet.", "The note of each report."),
        ),
    ),
    Scenario(
        "SERVICE_PROBLEM_COMPLETED",
        ScenarioKind.PROBLEM,
        "The problem is resolved, and closed without waiting for the tenant.",
        ScenarioAnswer.ACKNOWLEDGE,
        plans.complete,
        (DELAY, *RESOLUTION),
    ),
    *_change(ScenarioKind.AMENDMENT, "applied"),
    *_change(ScenarioKind.CANCELLATION, "done"),
)
BY_NAME: Mapping[str, Scenario] = {scenario.name: scenario for scenario in SCENARIOS}


def recall(plain: Mapping[str, Any] | None) -> Play | None:
    """Read back what Play.plain stored; None for nothing, and for a name that is no more."""
    scenario = BY_NAME.get(plain["name"]) if plain else None
    return Play(scenario, plain["values"]) if scenario and plain else None
