"""Kills the supplier again and again, under load and right after an answer: nothing may be lost."""

import json
import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.system.conftest import Install
from tests.system.gateway import Arrival, Gateway
from tests.system.installation import Installation
from tests.system.load import Load
from tests.system.promises import COURSE, broken_promises

KILLS = 50
BACK_OFFICE_PACE = 0.05  # the course of a problem takes 0.4 s
# A dead worker's lanes are taken over soon; a lease has to outlast an attempt by 5 s.
ATTEMPT, LEASE = 1, 7


@contextmanager
def seeded() -> Iterator[random.Random]:
    """Yield where chance comes from; a failure names the seed with which to try again."""
    seed = os.environ.get("TEST_SEED") or str(random.randrange(10**6))
    try:
        yield random.Random(seed)
    except BaseException as error:
        error.add_note(f"again with TEST_SEED={seed}")
        raise


def test_nothing_is_lost_by_kills_at_any_moment(install: Install, gateway: Gateway) -> None:
    installation = install(
        **gateway.settings,
        BACKOFFICE__PACE=BACK_OFFICE_PACE,
        DELIVERY__LEASE=LEASE,
        DELIVERY__RETRY_WAITS="[0.2]",
        GATEWAY__DEADLINE=ATTEMPT,
    )
    installation.start("serve", "worker")
    with seeded() as chance:
        load = Load(installation, chance)
        with load.running():
            _kill_again_and_again(installation, load, chance)
        stored = {row["gatewayId"]: row["reference"] for row in _listed(installation)}
        _wait_for_the_end(gateway, stored)
        assert broken_promises(load.answers, stored, gateway.arrivals()) == []
        assert {row["status"] for row in _listed(installation)} == {"RESOLVED"}


def _kill_again_and_again(installation: Installation, load: Load, chance: random.Random) -> None:
    """Kill the web server and the worker in turns, each right after an answer.

    A worker starts beside the web server that is started after it.
    """
    for number in range(KILLS):
        name = ("serve", "worker")[number % 2]
        installation.wait_until_ready(name)
        load.go_on()
        load.wait_for_answers(chance.randint(1, 15))
        if name == "serve":
            load.pause()
        installation.kill(name)
        installation.launch(name)
        if name == "serve":
            installation.wait_until_ready(name)
    installation.wait_until_ready("worker")


def _listed(installation: Installation) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = json.loads(
        installation.told("problem", "list", "--limit", "1000000", "--json")
    )
    return listed


def _wait_for_the_end(gateway: Gateway, stored: dict[int, str]) -> None:
    """Return when the last KCI of each problem has arrived, or must be taken for lost."""

    def all_are_resolved(arrivals: list[Arrival]) -> bool:
        return {each.problem for each in arrivals if each.reason == COURSE[-1]} >= stored.keys()

    gateway.wait_for(all_are_resolved, f"the last KCIs of {len(stored)} problems")
