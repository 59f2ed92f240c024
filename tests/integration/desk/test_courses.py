"""Whatever the gateway, the back office, the network and time do: what must always hold, holds."""

import itertools
import shutil
import tempfile
from collections.abc import Callable
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

from supplier_api import wire
from supplier_api.desk.model import GATEWAY, Answer
from supplier_api.problems.codes import Status
from supplier_api.problems.lifecycle import BACK_OFFICE_EVENTS
from supplier_api.problems.model import TERMINAL, Base, ChangeRequest, ServiceProblem, State
from supplier_api.store import UnitOfWork
from supplier_api.store.claims import MessageState
from supplier_api.store.timers import Timer
from supplier_api.wire import messages
from tests.integration.desk.conftest import BOOK, supplied_inventory
from tests.integration.desk.rig import REPAIRED, TENANT, Rig

IDS = st.sampled_from([1, 2, 3])
SERVICES = ["SI0000000000100", "SI0000000000200"]
UNDELIVERED = ("queued", "refused")
LAST = ("CANCELLED", "COMPLETED", "REJECTED")


class Desk(RuleBasedStateMachine):
    """Three problems on two services, and everybody who may change them."""

    def __init__(self, upgraded: Path) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()
        file = Path(self._folder.name) / "supplier.db"
        shutil.copy(upgraded, file)
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
            messages.SERVICE_PROBLEM,
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
            lambda: self.rig.intake.amend(self.rig.caller(), request), messages.AMENDMENT
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
            lambda: self.rig.intake.cancel(self.rig.caller(), request), messages.CANCELLATION
        )
        assert answer.status in (201, 202, 422)
        assert not (answer.status == 201 and before)

    @precondition(lambda self: self._resolutions())
    @rule(data=st.data(), status=st.sampled_from(["ACCEPTED", "REJECTED"]))
    def settle(self, data: Any, status: str) -> None:
        reference = data.draw(st.sampled_from(self._resolutions()))
        answer = self._twice(lambda: self.rig.settle(status, reference), messages.RESOLUTION)
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

    @rule(gateway_id=IDS, event=st.sampled_from(BACK_OFFICE_EVENTS), whole=st.booleans())
    def say(self, gateway_id: int, event: str, whole: bool) -> None:
        problem = self._find(gateway_id)
        if problem is None:
            return
        fields: dict[str, Any] = {"id": f"E{next(self.event_ids)}"}
        pending = self._changes(problem, "PENDING")
        if pending:
            fields["change_reference"] = pending[0].reference
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

    # -- what always holds

    @invariant()
    def kcis_are_numbered_dated_and_within_the_contract(self) -> None:
        for gateway_id, problem in self._problems():
            told = self.rig.kcis(gateway_id)
            assert problem.next_kci == len(told) + 1
            assert not [kci for kci in told[:-1] if kci["reasonCode"] in LAST]

    @invariant()
    def what_is_over_waits_for_nothing(self) -> None:
        for _, problem in self._problems():
            state = problem.state
            if state.base in TERMINAL | {Base.RESOLVED}:
                assert state == State(state.base)
            assert state.status is None or state.status in set(Status)

    @invariant()
    def versions_never_fall(self) -> None:
        for gateway_id, problem in self._problems():
            assert problem.version >= self.versions.get(gateway_id, 0)
            self.versions[gateway_id] = problem.version

    @invariant()
    def at_most_one_change_is_undecided_and_the_status_says_which(self) -> None:
        for _, problem in self._problems():
            pending = [change.kind for change in self._changes(problem, "PENDING")]
            assert pending == ([problem.state.asked] if problem.state.asked else [])

    @invariant()
    def a_resolved_problem_will_be_closed_and_no_other(self) -> None:
        for _, problem in self._problems():
            timers = [(timer.kind, timer.subject) for timer in self._timers(problem)]
            if problem.state.base is Base.RESOLVED:
                reference = self.rig.resolution_reference(problem.gateway_id)
                assert ("closure", reference) in timers
                assert {timer for timer in timers if timer[0] != "closure"} <= {
                    ("closure-notice", reference)
                }
            else:
                assert timers == []

    @invariant()
    def one_problem_at_most_is_open_on_a_service(self) -> None:
        over = TERMINAL | {Base.RESOLVED}
        services = [
            problem.service_id
            for _, problem in self._problems()
            # A resolution that is rejected reopens its problem beside a later one.
            if problem.state.base not in over and not self._resolved_before(problem)
        ]
        assert len(services) == len(set(services))

    # -- looking things up

    def _twice(self, ask: Callable[[], Answer], schema: Any) -> Answer:
        first, second = ask(), ask()
        assert first.status == second.status
        if first.status == 422:
            for answer in (first, second):
                assert answer.body == wire.load(messages.ERROR, answer.body)
            assert {**(first.body or {}), "uuid": ""} == {**(second.body or {}), "uuid": ""}
        else:
            assert first == second
            if first.body is not None:
                assert wire.load(schema, first.body) == first.body
        return first

    def _find(self, gateway_id: int) -> ServiceProblem | None:
        def work(uow: UnitOfWork) -> ServiceProblem | None:
            problem_id = uow.problems.find(TENANT, gateway_id)
            return None if problem_id is None else uow.problems.get(problem_id)

        return self.rig.store.read(work)

    def _problems(self) -> list[tuple[int, ServiceProblem]]:
        return [(each, problem) for each in (1, 2, 3) if (problem := self._find(each))]

    def _about(self, gateway_id: int) -> dict[str, Any]:
        problem = self._find(gateway_id)
        known = problem is not None and problem.reference_known
        return {
            "serviceProblemId": gateway_id,
            "supplierServiceProblemReference": problem.reference
            if problem and known
            else "UNKNOWN",
        }

    def _undelivered(self, gateway_id: int) -> bool:
        if self._find(gateway_id) is None:
            return False
        return any(row["state"] in UNDELIVERED for row in self.rig.messages(GATEWAY, gateway_id))

    def _changes(self, problem: ServiceProblem, status: str) -> list[ChangeRequest]:
        changes = self.rig.store.read(lambda uow: uow.changes.of(problem.id))
        return [change for change in changes if change.status == status]

    def _timers(self, problem: ServiceProblem) -> list[Timer]:
        return self.rig.store.read(lambda uow: uow.timers.of(problem.id))

    def _resolutions(self) -> list[str]:
        return [
            resolution.reference
            for _, problem in self._problems()
            for resolution in self._resolutions_of(problem)
        ]

    def _resolutions_of(self, problem: ServiceProblem) -> list[Any]:
        return self.rig.store.read(lambda uow: uow.resolutions.of(problem.id))

    def _resolved_before(self, problem: ServiceProblem) -> bool:
        return bool(self._resolutions_of(problem))


def test_what_must_always_hold_holds_in_every_course(upgraded_sqlite: Path) -> None:
    run_state_machine_as_test(
        lambda: Desk(upgraded_sqlite),
        settings=settings(
            max_examples=40,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
