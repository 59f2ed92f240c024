"""A gateway that fails in many ways for some problems: nobody else has to wait for them."""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from sqlalchemy import Row

from tests.system.callers import GatewayCaller
from tests.system.conftest import Install, MakeGateway
from tests.system.gateway import HANG, RETRY_AFTER, Arrival
from tests.system.installation import Installation
from tests.system.promises import COURSE
from tests.system.records import gateway_lanes
from tests.waiting import eventually

pytestmark = pytest.mark.slow

TROUBLED = range(1, 6)
PUT_OFF = 6
OTHERS = range(7, 17)
# Fewer threads than troubled problems: if one could take them all, nothing else would leave.
THREADS = 4
WAITS = (0.2, 0.4, 0.6)  # seconds; the last one repeats

SHOWN_TO = timedelta(milliseconds=1)  # as exactly as moments are shown


class Hostile:
    """Answers the KCIs of each troubled problem in turn with all kinds of trouble.

    It gives in only when the others have had all of theirs.
    """

    def __init__(self) -> None:
        """Begin with nothing taken."""
        self._scripts = {problem: self._script() for problem in TROUBLED}
        self._done: set[int] = set()

    def __call__(self, kci: Arrival) -> int:
        """Return the status to answer."""
        if kci.problem == PUT_OFF:
            return 429
        if kci.problem in TROUBLED:
            return next(self._scripts[kci.problem])
        if kci.reason == COURSE[-1]:
            self._done.add(kci.problem)
        return 204

    def _script(self) -> Iterator[int]:
        yield 503
        yield HANG
        while self._done != set(OTHERS):
            yield 503
        yield 401  # the token has ended, and the next one is good
        yield 204
        yield 401  # the next one is no better
        yield 401
        while True:
            yield 204


def test_troubled_problems_are_patient_and_nobody_waits_for_them(
    install: Install, make_gateway: MakeGateway
) -> None:
    gateway = make_gateway(Hostile())
    installation = install(
        **gateway.settings,
        BACKOFFICE__PACE=0.01,
        DELIVERY__RETRY_WAITS=json.dumps(WAITS),
        DELIVERY__THREADS=THREADS,
        # More than fail: before the others come, nothing but trouble might be seen.
        DELIVERY__BREAKER__LANES=len(TROUBLED) + 2,
        # What hangs is given up after this; what is answered comes far sooner.
        GATEWAY__DEADLINE=3,
    )
    installation.start("serve", "worker")
    caller = GatewayCaller(installation)
    for problem in [*TROUBLED, PUT_OFF, *OTHERS]:
        caller.raise_problem(problem)

    def all_are_resolved(arrivals: list[Arrival]) -> bool:
        last = {each.problem for each in arrivals if each.reason == COURSE[-1]}
        return last >= {*TROUBLED, *OTHERS}

    gateway.wait_for(all_are_resolved, "the last KCI of each problem")
    arrivals = gateway.arrivals()
    first_given_in = next(
        place
        for place, each in enumerate(arrivals)
        if each.problem in TROUBLED and each.status == 204
    )
    others = [each for each in arrivals[:first_given_in] if each.problem in OTHERS]
    assert len(others) == len(COURSE) * len(OTHERS)
    for problem in TROUBLED:
        _assert_order([each for each in arrivals if each.problem == problem])
    _assert_policy(_attempts(installation, TROUBLED[0]))
    _assert_put_off(installation)


def _assert_order(arrivals: list[Arrival]) -> None:
    """Find that each KCI came until it was taken, under one id, and only then the next."""
    numbers = [each.number for each in arrivals]
    assert numbers == sorted(numbers)
    taken = [each for each in arrivals if each.status == 204]
    assert [(each.number, each.reason) for each in taken] == [*enumerate(COURSE, start=1)]
    assert {(each.number, each.id) for each in arrivals} == {
        (each.number, each.id) for each in taken
    }
    first, second, third = ([e.status for e in arrivals if e.number == n] for n in (1, 2, 3))
    repeats = [503] * (len(first) - 4)
    assert first == [503, HANG, *repeats, 401, 204]
    assert (second, third) == ([401, 401, 204], [204])


def _assert_policy(kcis: list[list[dict[str, Any]]]) -> None:
    """Find each attempt on record, and none sooner than the policy says."""
    first, second, third = kcis
    repeats = [503] * (len(first) - 3)
    # A token is replaced within the attempt.
    assert [attempt["status"] for attempt in first] == [503, None, *repeats, 204]
    # Both within one, if another problem's thread had fetched the token of the first repeat.
    assert [attempt["status"] for attempt in second] in ([401, 204], [204])
    assert [attempt["status"] for attempt in third] == [204]
    for attempts in kcis:
        outcomes = [attempt["outcome"] for attempt in attempts]
        assert outcomes == ["later"] * (len(attempts) - 1) + ["delivered"]
        ends = [datetime.fromisoformat(attempt["at"]) for attempt in attempts]
        for failures, (end, next_end) in enumerate(pairwise(ends)):
            wait = WAITS[min(failures, len(WAITS) - 1)]
            assert next_end - end >= timedelta(seconds=wait) - SHOWN_TO


def _assert_put_off(installation: Installation) -> None:
    """Find what was asked to wait planned for then, to the moment, and not sent again."""
    eventually(lambda: _lane(installation, PUT_OFF).attempts == 1, "the attempt to be recorded")
    ((attempt,),) = _attempts(installation, PUT_OFF)[:1]
    asked = datetime.fromisoformat(attempt["at"]) + timedelta(seconds=RETRY_AFTER)
    due_at = _lane(installation, PUT_OFF).due_at
    assert attempt["status"] == 429
    assert due_at is not None
    assert timedelta() <= due_at - asked < SHOWN_TO


def _attempts(installation: Installation, problem: int) -> list[list[dict[str, Any]]]:
    """Return the attempts to deliver each KCI of a problem."""
    seen = json.loads(installation.told("problem", "show", str(problem), "--json"))
    return [entry["attempts"] for entry in seen["timeline"] if entry["what"] == "kci"]


def _lane(installation: Installation, problem: int) -> Row[Any]:
    (lane,) = (lane for lane in gateway_lanes(installation) if lane.gateway_id == problem)
    return lane
