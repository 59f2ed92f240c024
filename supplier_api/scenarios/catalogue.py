"""Every scenario, by name.

The names of amendments, cancellations and orders are those of the gateway's own test system; it
publishes none for service problems, and ours follow its pattern.
"""

from collections.abc import Mapping
from typing import Any

from supplier_api.problems.model import Awaits
from supplier_api.scenarios import plans
from supplier_api.scenarios.model import Answer, Kind, Parameter, Play, Scenario
from supplier_api.scenarios.parameters import CODE, DELAY, RESOLUTION, also, note, steps, text

# Names of the gateway that are about something else: known, and without effect here.
OF_ORDERS = "ORDER_"
INCIDENT = "SCENARIO_INCIDENT"


def _why(words: str) -> tuple[Parameter, ...]:
    return (CODE, text(words))


def _change(kind: Kind, done: str) -> tuple[Scenario, ...]:
    """Return the scenarios of an amendment or a cancellation; an accepted one is `done`."""
    name, refused = kind.name, _why(f"The supplier cannot agree to this {kind}.")
    return (
        Scenario(
            f"{name}_ACCEPTED",
            kind,
            f"The {kind} is {done} at once. The default.",
            Answer.COMMIT,
            plans.nothing,
        ),
        Scenario(
            f"{name}_REJECTED",
            kind,
            f"The {kind} is refused at once.",
            Answer.REJECT,
            plans.nothing,
            refused,
        ),
        Scenario(
            f"{name}_PENDING",
            kind,
            f"The {kind} is left open, and {done} later.",
            Answer.DEFER,
            plans.accept_change,
            (DELAY,),
        ),
        Scenario(
            f"{name}_PENDING_REJECTED",
            kind,
            f"The {kind} is left open, and refused later.",
            Answer.DEFER,
            plans.reject_change,
            (DELAY, *refused),
        ),
    )


DEFAULT = Scenario(
    "SERVICE_PROBLEM_SUCCESSFUL",
    Kind.PROBLEM,
    "The problem is acknowledged, worked on and resolved. The default.",
    Answer.ACKNOWLEDGE,
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
        Kind.PROBLEM,
        "The problem is acknowledged, and nothing more happens.",
        Answer.ACKNOWLEDGE,
        plans.nothing,
    ),
    Scenario(
        "SERVICE_PROBLEM_IN_PROGRESS",
        Kind.PROBLEM,
        "Work begins at once, and nothing more happens.",
        Answer.COMMIT,
        plans.nothing,
    ),
    Scenario(
        "SERVICE_PROBLEM_DEFERRED",
        Kind.PROBLEM,
        "The problem is left open, acknowledged later, worked on and resolved.",
        Answer.DEFER,
        plans.resolve,
        (DELAY, *RESOLUTION),
    ),
    Scenario(
        "SERVICE_PROBLEM_REJECTED",
        Kind.PROBLEM,
        "The problem is refused at once.",
        Answer.REJECT,
        plans.nothing,
        _why("The supplier cannot take this service problem."),
    ),
    Scenario(
        "SERVICE_PROBLEM_DEFERRED_REJECTED",
        Kind.PROBLEM,
        "The problem is left open, and refused later.",
        Answer.DEFER,
        plans.reject,
        (DELAY, *_why("On a closer look this is not a problem of the supplier's network.")),
    ),
    Scenario(
        "SERVICE_PROBLEM_DELAYED",
        Kind.PROBLEM,
        "Work begins, is held up, goes on, and the problem is resolved.",
        Answer.ACKNOWLEDGE,
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
        Kind.PROBLEM,
        "The tenant is asked for information; when it amends, work begins and the problem is "
        "resolved.",
        Answer.ACKNOWLEDGE,
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
        Kind.PROBLEM,
        "Work begins and a new appointment is needed; when the tenant amends with an "
        "`appointmentReservationId` the problem is resolved.",
        Answer.ACKNOWLEDGE,
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
        Kind.PROBLEM,
        "The problem is part of a network incident; when that ends work begins and the problem is "
        "resolved.",
        Answer.ACKNOWLEDGE,
        plans.resolve,
        (DELAY, *RESOLUTION),
        incident=INCIDENT,
    ),
    Scenario(
        "SERVICE_PROBLEM_CANCELLED",
        Kind.PROBLEM,
        "Work begins, and the supplier cancels.",
        Answer.ACKNOWLEDGE,
        plans.cancel,
        (DELAY, *_why("The service is being ceased; there is nothing left to repair.")),
    ),
    Scenario(
        "SERVICE_PROBLEM_UNRESOLVED",
        Kind.PROBLEM,
        "Work begins and is reported on, but the problem is never resolved.",
        Answer.ACKNOWLEDGE,
        plans.never_resolve,
        (
            DELAY,
            steps(3, "How many reports come."),
            note("The cause has not been found yet.", "The note of each report."),
        ),
    ),
    Scenario(
        "SERVICE_PROBLEM_COMPLETED",
        Kind.PROBLEM,
        "The problem is resolved, and closed without waiting for the tenant.",
        Answer.ACKNOWLEDGE,
        plans.complete,
        (DELAY, *RESOLUTION),
    ),
    *_change(Kind.AMENDMENT, "applied"),
    *_change(Kind.CANCELLATION, "done"),
)
BY_NAME: Mapping[str, Scenario] = {scenario.name: scenario for scenario in SCENARIOS}


def recall(plain: Mapping[str, Any] | None) -> Play | None:
    """Read back what Play.plain stored; None for nothing, and for a name that is no more."""
    scenario = BY_NAME.get(plain["name"]) if plain else None
    return Play(scenario, plain["values"]) if scenario and plain else None
