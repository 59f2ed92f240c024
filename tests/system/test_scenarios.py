"""Every scenario, raised by a tenant at the sandbox gateway: what the tenant is shown of it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from supplier_api.sandbox.scenarios.catalogue import SCENARIOS
from tests.system.chain import Chain, running

# One delay everywhere, so that it can be told how many steps there were.
DELAY = 20
# What the tenant is shown of a step.
INFORMED = "INFORMATIONAL"
ASKED = "ACTION_REQUIRED"
FAILED = "ERROR"


@dataclass(frozen=True)
class Course:
    """What the tenant is told after its request, as type and code, and where that ends.

    `steps` of the back office lead there. `answer` is what the tenant then does to go on, `then`
    and `at_last` what that leads to.
    """

    told: tuple[str, ...]
    status: str
    steps: int
    answer: dict[str, Any] | None = None
    then: tuple[str, ...] = ()
    at_last: str = ""


WHY = "UNKNOWN_FAULT"
ACKNOWLEDGED = f"{INFORMED} ACKNOWLEDGED"
COMMITTED = f"{INFORMED} COMMITTED"
UPDATE = f"{INFORMED} UPDATE"
RESUMED = f"{INFORMED} RESUMED"
CONFIRM = f"{ASKED} CONFIRM"
AMENDED = f"{INFORMED} AMENDED"
CANCELLED = f"{INFORMED} CANCELLED"
REFUSED = f"{FAILED} INVALID_REQUEST"

PROBLEMS = {
    "SERVICE_PROBLEM_SUCCESSFUL": Course((ACKNOWLEDGED, COMMITTED, UPDATE, CONFIRM), "RESOLVED", 3),
    "SERVICE_PROBLEM_ACKNOWLEDGED": Course((ACKNOWLEDGED,), "ACKNOWLEDGED", 0),
    "SERVICE_PROBLEM_IN_PROGRESS": Course((ACKNOWLEDGED, COMMITTED), "IN_PROGRESS", 0),
    "SERVICE_PROBLEM_DEFERRED": Course((ACKNOWLEDGED, COMMITTED, CONFIRM), "RESOLVED", 3),
    "SERVICE_PROBLEM_REJECTED": Course((REFUSED,), "REJECTED", 0),
    "SERVICE_PROBLEM_DEFERRED_REJECTED": Course((f"{INFORMED} TERMINATED {WHY}",), "REJECTED", 1),
    "SERVICE_PROBLEM_DELAYED": Course(
        (ACKNOWLEDGED, COMMITTED, f"{INFORMED} DELAY {WHY}", RESUMED, CONFIRM), "RESOLVED", 4
    ),
    "SERVICE_PROBLEM_PENDING": Course(
        (ACKNOWLEDGED, f"{ASKED} INFORMATION_REQUIRED {WHY}"),
        "PENDING",
        1,
        {"notes": "All of the lights are on."},
        (AMENDED, RESUMED, COMMITTED, CONFIRM),
        "RESOLVED",
    ),
    "SERVICE_PROBLEM_REAPPOINT": Course(
        (ACKNOWLEDGED, COMMITTED, f"{ASKED} REAPPOINT {WHY}"),
        "PENDING",
        2,
        {"appointmentReservationId": 345},
        (AMENDED, RESUMED, CONFIRM),
        "RESOLVED",
    ),
    "SERVICE_PROBLEM_NETWORK_INCIDENT": Course(
        (ACKNOWLEDGED, f"{INFORMED} DELAY NETWORK_ISSUE", RESUMED, COMMITTED, CONFIRM),
        "RESOLVED",
        3,
    ),
    "SERVICE_PROBLEM_CANCELLED": Course(
        (ACKNOWLEDGED, COMMITTED, f"{CANCELLED} {WHY}"), "CANCELLED", 2
    ),
    "SERVICE_PROBLEM_UNRESOLVED": Course(
        (ACKNOWLEDGED, COMMITTED, UPDATE, UPDATE, UPDATE), "IN_PROGRESS", 4
    ),
    "SERVICE_PROBLEM_COMPLETED": Course(
        (ACKNOWLEDGED, COMMITTED, CONFIRM, f"{INFORMED} COMPLETED"), "COMPLETED", 3
    ),
}
# Of a problem that is ACKNOWLEDGED: what is told of the change, and what becomes of the problem.
AMENDMENTS = {
    "AMENDMENT_ACCEPTED": Course((AMENDED,), "ACKNOWLEDGED", 0),
    "AMENDMENT_REJECTED": Course((REFUSED,), "ACKNOWLEDGED", 0),
    "AMENDMENT_PENDING": Course((AMENDED,), "ACKNOWLEDGED", 1),
    "AMENDMENT_PENDING_REJECTED": Course((f"{ASKED} RESUBMIT {WHY}",), "ACKNOWLEDGED", 1),
}
CANCELLATIONS = {
    "CANCELLATION_ACCEPTED": Course((CANCELLED,), "CANCELLED", 0),
    "CANCELLATION_REJECTED": Course((REFUSED,), "ACKNOWLEDGED", 0),
    "CANCELLATION_PENDING": Course((f"{CANCELLED} OTHER",), "CANCELLED", 1),
    "CANCELLATION_PENDING_REJECTED": Course((f"{ASKED} RESUBMIT {WHY}",), "ACKNOWLEDGED", 1),
}
STANDS_STILL = {"X-Scenario": "SERVICE_PROBLEM_ACKNOWLEDGED"}


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    """Yield one chain for all: each test raises a problem of its own."""
    with running(tmp_path_factory.mktemp("chain")) as chain:
        yield chain


def chosen(how: str, scenario: str) -> dict[str, Any]:
    """Return how a problem is raised so that it plays a scenario, one way or the other."""
    delay = {"X-Kci-Delay": str(DELAY)}
    if how == "header":
        return {"headers": {"X-Scenario": scenario, **delay}}
    return {"headers": delay, "serviceId": f"SCENARIO_{scenario}"}


def told(chain: Chain, problem: int) -> list[str]:
    """Return what the tenant is shown: the kind of each update, its type and its code."""
    return [_line(update) for update in chain.shown(problem)["updates"]]


def _line(update: dict[str, Any]) -> str:
    kind = update["updateType"]
    if kind == FAILED:
        return f"{kind} {update['error']['code']}"
    said = update["action" if kind == ASKED else "information"]
    return " ".join((kind, said["type"], *([said["code"]] if "code" in said else [])))


def test_there_is_a_course_for_every_scenario() -> None:
    courses = {**PROBLEMS, **AMENDMENTS, **CANCELLATIONS}

    assert courses.keys() == {scenario.name for scenario in SCENARIOS}


@pytest.mark.parametrize("how", ["header", "service"])
@pytest.mark.parametrize("scenario", PROBLEMS)
def test_a_problem_takes_the_course_that_was_chosen(chain: Chain, scenario: str, how: str) -> None:
    course = PROBLEMS[scenario]
    problem = chain.raise_problem(**chosen(how, scenario))
    took = chain.wait()

    assert told(chain, problem) == list(course.told)
    assert chain.shown(problem)["status"] == course.status
    assert DELAY * course.steps <= took < DELAY * (course.steps + 1)
    if course.answer:
        chain.amend(problem, **course.answer)
        chain.wait()
        assert told(chain, problem) == [*course.told, *course.then]
        assert chain.shown(problem)["status"] == course.at_last


@pytest.mark.parametrize("how", ["header", "service"])
@pytest.mark.parametrize("scenario", [*AMENDMENTS, *CANCELLATIONS])
def test_a_change_takes_the_course_that_was_chosen(chain: Chain, scenario: str, how: str) -> None:
    course = {**AMENDMENTS, **CANCELLATIONS}[scenario]
    # The service's name chooses for the change that comes later; a header, with the change itself.
    named = {"serviceId": f"SCENARIO_{scenario}"} if how == "service" else {}
    problem = chain.raise_problem(STANDS_STILL, **named)
    chain.wait()
    asks_itself = {"X-Scenario": scenario} if how == "header" else {}
    headers = {**asks_itself, "X-Kci-Delay": str(DELAY)}
    if scenario in AMENDMENTS:
        chain.amend(problem, headers, notes="Ring once.")
    else:
        chain.cancel(problem, headers)
    chain.send()
    kind = scenario.partition("_")[0]
    if course.steps:
        assert chain.shown(problem)["status"] == f"PENDING_{kind}"
    took = chain.wait()

    assert told(chain, problem) == [ACKNOWLEDGED, *course.told]
    assert chain.shown(problem)["status"] == course.status
    assert DELAY * course.steps <= took < DELAY * (course.steps + 1)


def test_all_updates_that_need_no_state_of_their_own_can_be_asked_for(chain: Chain) -> None:
    also = "UPDATE,ADDITIONAL,WARNING,REAPPOINTED"
    name = f"SERVICE_PROBLEM_SUCCESSFUL?also={also}&steps=2&problemCode=SITE_UNSAFE&delay=1"
    problem = chain.raise_problem({"X-Scenario": name})
    chain.wait()

    once = ["UPDATE", "ADDITIONAL", "WARNING SITE_UNSAFE", "REAPPOINTED"]
    on_the_way = [f"{INFORMED} {each}" for each in (*once, *once)]
    assert told(chain, problem) == [ACKNOWLEDGED, COMMITTED, *on_the_way, CONFIRM]


def test_a_default_of_the_tenant_is_played_where_nothing_is_chosen(chain: Chain) -> None:
    admin = chain.supplier.test_client()
    names = {"scenarios": ["SERVICE_PROBLEM_CANCELLED?delay=5", "AMENDMENT_REJECTED"]}
    assert admin.put("/admin/scenarios/TENANT1", json=names).status_code == 200
    by_default, by_header = chain.raise_problem(), chain.raise_problem(STANDS_STILL)
    chain.wait()
    chain.amend(by_header, notes="Ring once.")
    chain.wait()
    assert admin.delete("/admin/scenarios/TENANT1").status_code == 204
    afterwards = chain.raise_problem({"X-Kci-Delay": "0"})
    chain.wait()

    assert chain.shown(by_default)["status"] == "CANCELLED"
    assert told(chain, by_header) == [ACKNOWLEDGED, REFUSED]
    assert chain.shown(afterwards)["status"] == "RESOLVED"
