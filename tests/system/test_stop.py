"""Parts that are asked to end do so in order, and others go on with their work."""

import json
import threading

import pytest
import requests

from tests.system.callers import BackOffice, GatewayCaller, Tenant, problem_on_own_service
from tests.system.conftest import Install
from tests.system.gateway import Gateway
from tests.system.installation import Installation
from tests.system.promises import COURSE
from tests.system.records import gateway_lanes
from tests.waiting import PATIENCE, eventually

pytestmark = pytest.mark.slow

CALLERS = 4
PROBLEMS = 6
THREADS = 2  # so a worker claims four lanes at once: two to send now, two for the next moment


def test_idle_parts_end_with_code_0(install: Install) -> None:
    installation = install()
    installation.start("serve", "worker", "sandbox")
    assert installation.stop("serve", "worker", "sandbox") == [0, 0, 0]


def test_a_web_server_that_ends_under_load_keeps_what_it_answered(
    install: Install, gateway: Gateway
) -> None:
    installation = install(**gateway.settings, BACKOFFICE__PACE="manual")
    installation.start("serve")
    answered: list[int] = []
    refused: list[str] = []
    enough = threading.Event()

    def call(first: int) -> None:
        caller = GatewayCaller(installation)
        problem = first
        while True:
            document = problem_on_own_service(problem)
            try:
                answer = caller.call("POST", "/service-problems", document)
            except requests.ConnectionError:
                return
            if answer.status_code != 201:
                refused.append(f"{answer.status_code} {answer.text}")
                return
            answered.append(problem)
            if len(answered) > 10 * CALLERS:
                enough.set()
            problem += CALLERS

    callers = [threading.Thread(target=call, args=(first,)) for first in range(1, CALLERS + 1)]
    for caller in callers:
        caller.start()
    assert enough.wait(PATIENCE)
    assert installation.stop("serve") == [0]
    for caller in callers:
        caller.join()
    # What comes while the server stops is refused, and nothing of it is stored.
    assert set(refused) <= {"503 "}
    stored = {lane.gateway_id for lane in gateway_lanes(installation)}
    assert stored >= set(answered)


def test_another_worker_takes_over_at_once_what_one_that_ends_gives_back(
    install: Install, gateway: Gateway, database_url: str
) -> None:
    installation = install(
        **gateway.settings,
        DATABASE__URL=database_url,
        BACKOFFICE__PACE="manual",
        # Nobody would live to see a lane that was not given back.
        DELIVERY__LEASE=3600,
        DELIVERY__THREADS=THREADS,
    )
    installation.start("serve")
    caller, back_office = GatewayCaller(installation), BackOffice(installation)
    for problem in range(1, PROBLEMS + 1):
        back_office.say(caller.raise_problem(problem), "start")
    gateway.hold()
    # Each sends two and keeps two for the next moment, as far as there are lanes.
    for worker, sending, claimed in (("worker", 1, 2), ("worker-2", 2, 3)):
        installation.start(worker)
        _wait_until_sent(gateway, sending * THREADS)
        eventually(lambda: _leased(installation) == claimed * THREADS, "lanes to be claimed")  # noqa: B023 - called at once

    installation.ask_to_end("worker")
    eventually(lambda: _leased(installation) == 2 * THREADS, "lanes to be given back")
    gateway.let_go()
    assert installation.wait_for_end("worker") == 0
    gateway.wait_for(lambda arrivals: len(arrivals) >= PROBLEMS, "the other KCIs")
    assert installation.stop("worker-2") == [0]
    assert sorted(each.problem for each in gateway.arrivals()) == [*range(1, PROBLEMS + 1)]
    assert _leased(installation) == 0


def test_a_gateway_that_ends_under_load_keeps_what_it_answered(install: Install) -> None:
    installation = install(BACKOFFICE__PACE=0.01, DELIVERY__RETRY_WAITS="[0.2]")
    installation.start("serve", "worker", "sandbox")
    tenant = Tenant(installation)
    problems = [tenant.raise_problem(service_test) for service_test in range(101, 111)]
    assert installation.stop("sandbox") == [0]
    installation.start("sandbox")
    tenant = Tenant(installation)

    def all_are_resolved() -> bool:
        return all(tenant.problem(problem)["status"] == COURSE[-1] for problem in problems)

    eventually(all_are_resolved, "all problems to be resolved")


def _wait_until_sent(gateway: Gateway, count: int) -> None:
    gateway.wait_for(lambda arrivals: len(arrivals) == count, f"{count} KCIs under way")


def _leased(installation: Installation) -> int:
    return sum(lane.lease_owner is not None for lane in gateway_lanes(installation))


def test_refusals_that_were_counted_are_told_at_the_end(install: Install) -> None:
    installation = install()
    installation.start("serve")
    form = {"grant_type": "client_credentials", "client_id": "gateway", "client_secret": "wrong"}
    for _ in range(20):
        answer = requests.post(f"{installation.supplier}/oauth2/token", data=form, timeout=PATIENCE)
        assert answer.status_code == 401
    assert installation.stop("serve") == [0]
    lines = [json.loads(line) for line in installation.logs("serve").splitlines()]
    refused = [line for line in lines if line["event"] == "token.refused"]
    # However slow the machine is, they are told to the last.
    assert sum(line["count"] for line in refused if "count" in line) in (19, 20)
    assert len(refused) < 20
    assert {(line["client"], line["address"]) for line in refused} == {("gateway", "127.0.0.1")}
