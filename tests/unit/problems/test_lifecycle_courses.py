"""No sequence of events leads to an impossible state."""

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from supplier_api.contract.codes import Status
from supplier_api.problems.lifecycle import Event, IllegalMove, legal_events, plan
from supplier_api.problems.model import TERMINAL, Awaits, Base, State, Waiting


class Course(RuleBasedStateMachine):
    """One problem, to which anything may happen at any time."""

    def __init__(self) -> None:
        super().__init__()
        self.state = State(Base.UNDECIDED)

    @rule(data=st.data(), settles=st.frozensets(st.sampled_from(Awaits)))
    def something_possible(self, data: Any, settles: frozenset[Awaits]) -> None:
        legal = legal_events(self.state)
        if legal:
            self._happen(data.draw(st.sampled_from(legal)), settles)

    @rule(event=st.sampled_from(Event))
    def anything(self, event: Event) -> None:
        before = self.state
        try:
            self._happen(event, frozenset())
        except IllegalMove:
            assert event not in legal_events(before)
            assert self.state == before
        else:
            assert event in legal_events(before)

    def _happen(self, event: Event, settles: frozenset[Awaits]) -> None:
        steps = plan(self.state, event, incident="INC1", settles=settles)
        assert 1 <= len(steps) <= 2
        for step in steps:
            # Every KCI needs a status, and an undecided problem has none: only AMENDED would be
            # about one, which never happens, as no KCI can be queued before it.
            assert step.kci is None or step.state.status or event is Event.AMEND_BEHIND
        self.state = steps[-1].state

    @invariant()
    def what_is_over_waits_for_nothing(self) -> None:
        if self.state.base in TERMINAL | {Base.RESOLVED}:
            assert self.state == State(self.state.base)

    @invariant()
    def nothing_is_asked_or_waited_for_before_the_decision(self) -> None:
        if self.state.base is Base.UNDECIDED:
            assert self.state == State(Base.UNDECIDED, incident=self.state.incident)

    @invariant()
    def pending_says_what_for(self) -> None:
        assert (self.state.awaits is not None) == (self.state.waiting is Waiting.PENDING)

    @invariant()
    def who_waits_in_an_incident_knows_which(self) -> None:
        if self.state.waiting is Waiting.NETWORK_INCIDENT:
            assert self.state.incident

    @invariant()
    def the_status_is_a_published_one(self) -> None:
        if self.state.base is Base.UNDECIDED:
            assert self.state.status is None
        else:
            assert self.state.status in set(Status)

    @invariant()
    def only_what_is_over_has_no_way_on(self) -> None:
        assert bool(legal_events(self.state)) != self.state.terminal


TestCourse = Course.TestCase
TestCourse.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
