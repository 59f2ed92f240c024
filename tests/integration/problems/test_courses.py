"""Invariants that hold under any sequence of requests, events, incidents and timers."""

import itertools
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import select

from supplier_api import contract
from supplier_api.contract import schemas
from supplier_api.contract.codes import Status
from supplier_api.db import UnitOfWork, tables
from supplier_api.outbox.model import MessageState
from supplier_api.problems.lifecycle import BACK_OFFICE_EVENTS
from supplier_api.problems.model import (
    TERMINAL,
    Base,
    ChangeRequest,
    Resolution,
    ServiceProblem,
    State,
)
from supplier_api.problems.next_events import legal_for_back_office
from supplier_api.problems.parts_repository import ChangeRequestRepository, ResolutionRepository
from supplier_api.problems.repository import ProblemRepository
from supplier_api.problems.services import GATEWAY, RequestAnswer
from supplier_api.problems.timer_repository import Timer, TimerRepository
from tests.integration.problems.conftest import BOOK, supplied_inventory
from tests.integration.problems.rig import REPAIRED, Rig

IDS = st.sampled_from([1, 2, 3])
SERVICES = ["SI0000000000100", "SI0000000000200"]
UNDELIVERED = ("queued", "refused")
OVER = TERMINAL | {Base.RESOLVED}
LAST = ("CANCELLED", "COMPLETED", "REJECTED")


@dataclass(frozen=True)
class Seen:
    """What is stored of one problem."""

    problem: ServiceProblem
    changes: list[ChangeRequest]
    resolutions: list[Resolution]
    timers: list[Timer]


class ProblemMachine(RuleBasedStateMachine):
    """Three problems on two services, and everything that may change them."""

    upgraded: Path

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()
        file = Path(self._folder.name) / "supplier.db"
        shutil.copy(self.upgraded, file)
        self.rig = Rig(f"sqlite:///{file}", BOOK, supplied_inventory())
        self.versions: dict[int, int] = {}
        self.change_ids = itertools.count(101)
        self.event_ids = itertools.count(1)
        self.incidents = itertools.count(1)

    def teardown(self) -> None:
        self.rig.store.close()
        self._folder.cleanup()

    # -- the gateway

    @rule(
        gateway_id=IDS,
        service=st.sampled_from(SERVICES),
        notes=st.sampled_from(["none", "commit", "defer", "reject"]),
    )
    def create(self, gateway_id: int, service: str, notes: str) -> None:
        answer = self._twice(
            lambda: self.rig.create(notes, id=gateway_id, serviceId=service),
            schemas.SERVICE_PROBLEM,
        )
        assert answer.status in (201, 202, 422)
        assert (answer.body is None) == (answer.status == 202)

    @rule(
        gateway_id=IDS,
        fields=st.sampled_from(
            [
                {"notes": "The gate is open."},
                {"notes": "defer"},
                {"notes": "reject"},
                {"escalationRequest": True},
                {"appointmentReservationId": 345},
            ]
        ),
    )
    def amend(self, gateway_id: int, fields: dict[str, Any]) -> None:
        request = {"id": next(self.change_ids), **self._about(gateway_id), **fields}
        before = self._undelivered(gateway_id)
        answer = self._twice(
            lambda: self.rig.intake.amend(self.rig.caller(), request), schemas.AMENDMENT
        )
        assert answer.status in (201, 202, 422)
        assert not (answer.status == 201 and before)

    @rule(
        gateway_id=IDS,
        text=st.sampled_from(["none", "defer", "reject"]),
        reason=st.sampled_from(["ISSUE_RESOLVED", "OTHER"]),
    )
    def cancel(self, gateway_id: int, text: str, reason: str) -> None:
        request = {"id": next(self.change_ids), "reasonCode": reason, "text": text}
        request |= self._about(gateway_id)
        before = self._undelivered(gateway_id)
        answer = self._twice(
            lambda: self.rig.intake.cancel(self.rig.caller(), request), schemas.CANCELLATION
        )
        assert answer.status in (201, 202, 422)
        assert not (answer.status == 201 and before)

    @precondition(lambda self: self._resolutions())
    @rule(data=st.data(), status=st.sampled_from(["ACCEPTED", "REJECTED"]))
    def settle(self, data: Any, status: str) -> None:
        reference = data.draw(st.sampled_from(self._resolutions()))
        answer = self._twice(lambda: self.rig.settle(status, reference), schemas.RESOLUTION)
        assert answer.status in (200, 422)

    @rule(most=st.sampled_from([1, 2, 100]))
    def take(self, most: int) -> None:
        self.rig.take(most)

    @rule()
    def refuse_one(self) -> None:
        self.rig.machine.advance(1.0)
        if claim := self.rig.claim():
            self.rig.settled(claim, MessageState.REFUSED)

    # -- the back office, the network and time

    @rule(gateway_id=IDS, event=st.sampled_from(sorted(BACK_OFFICE_EVENTS)), whole=st.booleans())
    def say_anything(self, gateway_id: int, event: str, whole: bool) -> None:
        if problem := self._find(gateway_id):
            self._say(problem, event, whole=whole)

    @rule(gateway_id=IDS, data=st.data())
    def say_something_possible(self, gateway_id: int, data: Any) -> None:
        problem = self._find(gateway_id)
        legal = legal_for_back_office(problem.state) if problem else []
        if problem and legal:
            event = data.draw(st.sampled_from(legal))
            assert self._say(problem, event, whole=True) == 200

    def _say(self, problem: ServiceProblem, event: str, *, whole: bool) -> int:
        gateway_id = problem.gateway_id
        fields: dict[str, Any] = {"id": f"E{next(self.event_ids)}"}
        if problem.state.asked:
            fields["change_reference"] = self.rig.change_reference(gateway_id)
        if whole:
            fields |= {"problem_code": "OTHER", "text": "Words.", "resolution": REPAIRED}
        answer = self.rig.say(event, problem.reference, **fields)
        after = self._find(gateway_id)
        assert after
        if answer.status == 200:
            assert answer.body["status"] == (after.state.status or after.state.base)
        else:
            assert answer.status in (409, 422)
            assert after == problem
        if answer.status != 422:
            assert self.rig.say(event, problem.reference, **fields) == answer
        return answer.status

    @rule(service=st.sampled_from(SERVICES))
    def declare_an_incident(self, service: str) -> None:
        self.rig.incidents.declare(f"INC{next(self.incidents)}", [service])
        self.rig.run_timers()

    @rule(number=st.integers(1, 3))
    def end_an_incident(self, number: int) -> None:
        self.rig.incidents.end(f"INC{number}")
        self.rig.run_timers()

    @rule(days=st.sampled_from([0.01, 1.0, 4.5]))
    def pass_time(self, days: float) -> None:
        self.rig.pass_days(days)

    # -- invariants

    @invariant()
    def everything_holds(self) -> None:
        known = self._look()
        for seen in known:
            number = seen.problem.gateway_id
            if seen.problem.version != self.versions.get(number):
                assert seen.problem.version > self.versions.get(number, 0)
                self.versions[number] = seen.problem.version
                self._check_kcis(seen.problem)
                _check_state(seen)
            _check_timers(seen)
        _check_services(known)

    def _check_kcis(self, problem: ServiceProblem) -> None:
        """Numbers, dates and contents are checked where they are read."""
        kcis = self.rig.kcis(problem.gateway_id)
        assert problem.next_kci == len(kcis) + 1
        assert not [kci for kci in kcis[:-1] if kci["reasonCode"] in LAST]

    # -- look-ups

    def _twice(self, ask: Callable[[], RequestAnswer], schema: Any) -> RequestAnswer:
        first, second = ask(), ask()
        assert first.status == second.status
        if first.status == 422:
            for answer in (first, second):
                assert answer.body == contract.load(schemas.ERROR, answer.body)
            assert {**(first.body or {}), "uuid": ""} == {**(second.body or {}), "uuid": ""}
        else:
            assert first == second
            if first.body is not None:
                assert contract.load(schema, first.body) == first.body
        return first

    def _look(self) -> list[Seen]:
        return self.rig.store.read(_see)

    def _find(self, gateway_id: int) -> ServiceProblem | None:
        found = [each.problem for each in self._look() if each.problem.gateway_id == gateway_id]
        return found[0] if found else None

    def _about(self, gateway_id: int) -> dict[str, Any]:
        problem = self._find(gateway_id)
        known = problem and problem.reference_known
        return {
            "serviceProblemId": gateway_id,
            "supplierServiceProblemReference": problem.reference
            if problem and known
            else "UNKNOWN",
        }

    def _undelivered(self, gateway_id: int) -> bool:
        if self._find(gateway_id) is None:
            return False
        rows = self.rig.messages(GATEWAY, gateway_id)
        return any(row["state"] in UNDELIVERED for row in rows)

    def _resolutions(self) -> list[str]:
        return [resolution.reference for seen in self._look() for resolution in seen.resolutions]


def _see(uow: UnitOfWork) -> list[Seen]:
    ids = uow.connection.execute(select(tables.service_problem.c.id)).scalars().all()
    return [
        Seen(
            ProblemRepository(uow).get(problem_id),
            ChangeRequestRepository(uow).of(problem_id),
            ResolutionRepository(uow).of(problem_id),
            TimerRepository(uow).of(problem_id),
        )
        for problem_id in ids
    ]


def _check_state(seen: Seen) -> None:
    # A problem that is over waits for nothing; an undecided change agrees with the status.
    state = seen.problem.state
    if state.base in OVER:
        assert state == State(state.base)
    assert state.status in {None, *Status}
    pending = [change.kind for change in seen.changes if change.status == "PENDING"]
    assert pending == ([state.asked] if state.asked else [])


def _check_timers(seen: Seen) -> None:
    # A resolved problem will be closed for its newest resolution, and no other has timers.
    timers = [(timer.kind, timer.subject) for timer in seen.timers]
    if seen.problem.state.base is Base.RESOLVED:
        reference = seen.resolutions[-1].reference
        closure = [("closure", reference), ("closure-notice", reference)]
        # A notice that is due before the gateway accepted the RESOLVED restarts, and so stands
        # behind the closure until that is due.
        assert sorted(timers) in (closure, closure[:1])
    else:
        assert timers == []


def _check_services(known: list[Seen]) -> None:
    # One problem is open on a service; a rejected resolution may reopen another beside it.
    services = [
        seen.problem.service_id
        for seen in known
        if seen.problem.state.base not in OVER and not seen.resolutions
    ]
    assert len(services) == len(set(services))


def test_what_must_always_hold_holds_in_every_course(upgraded_sqlite: Path) -> None:
    class OnSqlite(ProblemMachine):
        upgraded = upgraded_sqlite

    run_state_machine_as_test(
        OnSqlite,
        settings=settings(
            max_examples=40,
            stateful_step_count=20,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
