"""The contract test that every adapter passes: for authors of adapters, in their own tests.

Subclass BackOfficeContract in a test module of pytest and give it two fixtures: `adapter`, the
adapter, and `system`, a TicketSystem in front of which the adapter works (a fake or a real one).
What a TicketSystem cannot do is skipped. `settings_of` makes the settings. pytest is needed by
whoever runs it, not by this module.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from threading import Thread
from unittest import SkipTest

from supplier_api.backoffice.contract_orders import first_order, following_orders
from supplier_api.backoffice.port import (
    EPOCH,
    AdapterOptions,
    BackOffice,
    BackOfficeSettings,
    Comments,
    Notice,
    OrderAnswer,
    OrderRefused,
    Parses,
    Pings,
    Polls,
    Reads,
    Snapshot,
    TicketState,
    TryLater,
    WorkOrder,
)


class Failure(StrEnum):
    """How the ticket system fails the next call that writes."""

    # It does what it is asked, and the answer is lost.
    LOST_ANSWER = "lost-answer"
    # It does nothing, and gives no answer within the time that the adapter waits.
    SLOW = "slow"
    # It refuses for good, as by 400 or 422.
    REFUSED = "refused"
    # It fails for now, as by 500 or 503, and does nothing.
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class Webhook:
    """What a ticket system sends; header names are in lower case."""

    headers: Mapping[str, str]
    body: bytes


class TicketSystem:
    """What the test does to the ticket system; leave out what yours cannot do."""

    def effects(self) -> Sequence[object]:
        """Return all that orders have written so far: each ticket, each comment, each row."""
        raise SkipTest("effects: the ticket system does not show what was written")

    def fail(self, how: Failure) -> None:
        """Have the next call that writes fail."""
        raise SkipTest(f"fail: the ticket system does not fail ({how})")

    def ask_to_wait(self, seconds: int) -> None:
        """Have the next call that writes answered 429 (or 503) with Retry-After: SECONDS."""
        raise SkipTest(f"ask_to_wait: the ticket system asks for no time ({seconds} s)")

    def open(self, reference: str) -> str:
        """Return the ticket of our reference, made by people if the adapter's answer named none."""
        raise SkipTest(f"open: nobody makes tickets ({reference})")

    def work(self, ticket: str, state: TicketState) -> None:
        """Bring a ticket to a status that means `state`, as the people who work on it do."""
        raise SkipTest(f"work: nobody works on tickets ({ticket}, {state})")

    def webhooks(self) -> list[Webhook]:
        """Return the webhooks since the last call, in their order."""
        raise SkipTest("webhooks: the ticket system sends none")


def settings_of(adapter: str, options: AdapterOptions | None = None) -> BackOfficeSettings:
    """Return the section `backoffice` of the settings that an adapter is made with."""
    return BackOfficeSettings.model_construct(adapter=adapter, pace=1.0, options=options)


class Newest:
    """Takes snapshots as the core does: one that is not newer than the last is ignored."""

    def __init__(self, version: int | None = None) -> None:
        """Begin with the version that an order's answer named."""
        self._version = -1 if version is None else version
        self.taken: list[Snapshot] = []

    def take(self, snapshots: Iterable[Snapshot]) -> None:
        """Take what is new."""
        for each in snapshots:
            assert each.trouble is None, f"ticket {each.ticket} is not mapped: {each.trouble}"
            if each.version > self._version:
                self._version = each.version
                self.taken.append(each)

    @property
    def states(self) -> list[TicketState]:
        """The states that were taken; one that comes again changes nothing."""
        found = [each.wanted.state for each in self.taken if each.wanted]
        return [each for at, each in enumerate(found) if at == 0 or each != found[at - 1]]


class BackOfficeContract:
    """Each promise of the port, shown by what happens in the ticket system."""

    # Seconds in which an adapter gives up a call that is not answered.
    patience = 60.0

    # -- orders

    def test_each_order_may_come_twice(self, adapter: BackOffice, system: TicketSystem) -> None:
        """The second time nothing happens, and the ticket is the same."""
        first = first_order()
        ticket = adapter.submit(first).back_office_id
        assert adapter.submit(first).back_office_id == ticket, "the order made another ticket"
        for order in following_orders(first, ticket or _opened(system, first)):
            adapter.submit(order)
            before = _effects(system)
            adapter.submit(order)
            assert _effects(system) == before, f"{order.kind}: the order had a second effect"

    def test_an_answer_that_is_lost_makes_no_second_ticket(
        self, adapter: BackOffice, system: TicketSystem
    ) -> None:
        """The order comes again after its answer was lost on the way."""
        system.fail(Failure.LOST_ANSWER)
        _attempt(adapter, first_order())
        adapter.submit(first_order())
        self._one_order_for_one_problem(adapter, system)

    def test_an_answer_that_is_lost_makes_no_second_comment(
        self, adapter: BackOffice, system: TicketSystem
    ) -> None:
        """So with the orders that follow."""
        first = first_order()
        ticket = adapter.submit(first).back_office_id or _opened(system, first)
        for order in following_orders(first, ticket):
            system.fail(Failure.LOST_ANSWER)
            _attempt(adapter, order)
            adapter.submit(order)
            before = system.effects()
            adapter.submit(order)
            assert system.effects() == before, f"{order.kind}: the order had a second effect"

    def test_a_slow_system_is_given_up(self, adapter: BackOffice, system: TicketSystem) -> None:
        """An adapter limits its calls; the order is tried again later."""
        system.fail(Failure.SLOW)
        self._retried(adapter, system)

    def test_a_broken_system_is_tried_again(
        self, adapter: BackOffice, system: TicketSystem
    ) -> None:
        """What may pass, as a 5xx, is no refusal."""
        system.fail(Failure.BROKEN)
        self._retried(adapter, system)

    def test_a_system_that_asks_for_time_gets_it(
        self, adapter: BackOffice, system: TicketSystem
    ) -> None:
        """Its Retry-After is passed on by TryLater; nothing is sent before."""
        system.ask_to_wait(120)
        error = _attempt(adapter, first_order())
        assert isinstance(error, TryLater), f"Retry-After was not passed on: {error!r}"
        assert error.retry_after == "120", f"Retry-After was 120, not {error.retry_after}"
        adapter.submit(first_order())
        self._one_order_for_one_problem(adapter, system)

    def test_a_refusal_is_final(self, adapter: BackOffice, system: TicketSystem) -> None:
        """What will never be taken, as a 4xx, is said by OrderRefused."""
        system.fail(Failure.REFUSED)
        before = list(system.effects())
        error = _attempt(adapter, first_order())
        assert isinstance(error, OrderRefused), f"the order was not refused for good: {error!r}"
        assert list(system.effects()) == before, "a refused order had an effect"

    # -- tickets

    def test_a_webhook_may_come_twice(self, adapter: BackOffice, system: TicketSystem) -> None:
        """It says the same both times, under the same version."""
        ticket, version = _ticket(adapter, system)
        hooks = _hooks(adapter, system, ticket, TicketState.IN_PROGRESS)
        newest = Newest(version)
        newest.take(_said(adapter, hooks, ticket))
        taken = list(newest.taken)
        newest.take(_said(adapter, hooks, ticket))
        assert newest.states == [TicketState.IN_PROGRESS], newest.taken
        assert newest.taken == taken, "a webhook that came twice was taken twice"

    def test_late_webhooks_are_recognised(self, adapter: BackOffice, system: TicketSystem) -> None:
        """Out of order, the older one has a lower version."""
        ticket, version = _ticket(adapter, system)
        earlier = _hooks(adapter, system, ticket, TicketState.IN_PROGRESS)
        later = _hooks(adapter, system, ticket, TicketState.RESOLVED)
        newest = Newest(version)
        newest.take(_said(adapter, later, ticket))
        newest.take(_said(adapter, earlier, ticket))
        assert newest.states == [TicketState.RESOLVED], "an older webhook undid a newer one"

    def test_a_lost_webhook_is_made_good_by_reading(
        self, adapter: BackOffice, system: TicketSystem
    ) -> None:
        """The ticket as it is read is as new as the webhook about it, and says the same."""
        if not isinstance(adapter, Reads):
            raise SkipTest("the adapter has no read()")
        ticket, version = _ticket(adapter, system)
        system.work(ticket, TicketState.IN_PROGRESS)
        newest = Newest(version)
        newest.take(_one(adapter.read(ticket)))
        assert newest.states == [TicketState.IN_PROGRESS], newest.taken
        if isinstance(adapter, Parses):
            taken = list(newest.taken)
            newest.take(_said(adapter, system.webhooks(), ticket))
            assert newest.taken == taken, "webhook and read() give one ticket two versions"

    def test_a_lost_webhook_is_made_good_by_polling(
        self, adapter: BackOffice, system: TicketSystem
    ) -> None:
        """A ticket that has changed is among those that changed."""
        if not isinstance(adapter, Polls):
            raise SkipTest("the adapter has no changed()")
        ticket, version = _ticket(adapter, system)
        system.work(ticket, TicketState.IN_PROGRESS)
        newest = Newest(version)
        newest.take(each for each in adapter.changed(EPOCH) if each.ticket == ticket)
        assert newest.states == [TicketState.IN_PROGRESS], newest.taken

    def test_an_echo_of_our_own_order_says_nothing_new(
        self, adapter: BackOffice, system: TicketSystem
    ) -> None:
        """What our orders change in a ticket must not look like work of people."""
        first = first_order(decide=True)
        answer = adapter.submit(first)
        ticket = answer.back_office_id
        if ticket is None:
            raise SkipTest("orders make no ticket")
        newest = Newest(answer.version)
        newest.take(_seen(adapter, system, ticket))
        assert newest.states == [], f"a new ticket decides its problem: {newest.taken}"
        for order in following_orders(first, ticket)[:2]:
            if order.kind == Notice.RESOLUTION_ANSWER:
                system.work(ticket, TicketState.RESOLVED)
                newest.take(_seen(adapter, system, ticket))
            newest = _echoed(newest, adapter.submit(order))
            newest.take(_seen(adapter, system, ticket))
            states = [each for each in newest.states if each != order.standing]
            assert states == [], f"{order.kind}: its echo says {states}"

    def test_a_new_ticket_whose_answer_was_lost_says_nothing_either(
        self, adapter: BackOffice, system: TicketSystem
    ) -> None:
        """The order comes again, finds its ticket, and must not take it for work of people."""
        first = first_order(decide=True)
        system.fail(Failure.LOST_ANSWER)
        _attempt(adapter, first)
        answer = adapter.submit(first)
        if answer.back_office_id is None:
            raise SkipTest("orders make no ticket")
        newest = Newest(answer.version)
        newest.take(_seen(adapter, system, answer.back_office_id))
        assert newest.states == [], f"a new ticket decides its problem: {newest.taken}"

    def test_a_ticket_that_there_is_not(self, adapter: BackOffice) -> None:
        """read() returns None of it."""
        if not isinstance(adapter, Reads):
            raise SkipTest("the adapter has no read()")
        assert adapter.read("0") is None, "a ticket 0 was read"

    # -- the rest

    def test_comment(self, adapter: BackOffice, system: TicketSystem) -> None:
        """A comment is written."""
        if not isinstance(adapter, Comments):
            raise SkipTest("the adapter has no comment()")
        ticket, _ = _ticket(adapter, system)
        before = len(system.effects())
        adapter.comment(ticket, "Not passed on to the customer's provider: a code is missing.")
        assert len(system.effects()) == before + 1, "no comment was written"

    def test_ping(self, adapter: BackOffice) -> None:
        """Operators are told something."""
        if not isinstance(adapter, Pings):
            raise SkipTest("the adapter has no ping()")
        assert adapter.ping(), "ping() says nothing"

    def _retried(self, adapter: BackOffice, system: TicketSystem) -> None:
        error = within(self.patience, lambda: _attempt(adapter, first_order()))
        assert error is not None, "an order that was not taken was answered"
        assert not isinstance(error, OrderRefused), f"what may pass was refused for good: {error!r}"
        adapter.submit(first_order())
        self._one_order_for_one_problem(adapter, system)

    def _one_order_for_one_problem(self, adapter: BackOffice, system: TicketSystem) -> None:
        """Show that a problem had the effects of one order: a second problem has as many."""
        effects = len(system.effects())
        adapter.submit(first_order(2))
        assert len(system.effects()) == 2 * effects, "the order had a second effect"


def within(seconds: float, act: Callable[[], Exception | None]) -> Exception | None:
    """Return what a call that may hang returns, or fail when its time is over."""
    found: list[Exception | None] = []
    thread = Thread(target=lambda: found.append(act()), daemon=True)
    thread.start()
    thread.join(seconds)
    assert found, f"the adapter waits longer than {seconds:g} s"
    return found[0]


def _attempt(adapter: BackOffice, order: WorkOrder) -> Exception | None:
    try:
        adapter.submit(order)
    except Exception as error:  # noqa: BLE001 - an adapter may raise anything
        return error
    return None


def _effects(system: TicketSystem) -> Sequence[object]:
    """Return the effects; nothing where they cannot be seen."""
    try:
        return list(system.effects())
    except SkipTest:
        return ()


def _opened(system: TicketSystem, order: WorkOrder) -> str | None:
    try:
        return system.open(order.reference)
    except SkipTest:
        return None


def _ticket(adapter: BackOffice, system: TicketSystem) -> tuple[str, int | None]:
    """Return a new ticket and its version, its own webhooks thrown away."""
    answer = adapter.submit(first_order())
    ticket = answer.back_office_id or system.open(first_order().reference)
    if isinstance(adapter, Parses):
        system.webhooks()
    return ticket, answer.version


def _hooks(
    adapter: BackOffice, system: TicketSystem, ticket: str, state: TicketState
) -> list[Webhook]:
    if not isinstance(adapter, Parses):
        raise SkipTest("the adapter has no parse()")
    system.work(ticket, state)
    return system.webhooks()


def _said(adapter: BackOffice, hooks: Iterable[Webhook], ticket: str) -> list[Snapshot]:
    assert isinstance(adapter, Parses)
    said = [each for hook in hooks for each in adapter.parse(hook.headers, hook.body)]
    return [each for each in said if each.ticket == ticket]


def _seen(adapter: BackOffice, system: TicketSystem, ticket: str | None) -> list[Snapshot]:
    """Return what the core gets to see of a ticket, by whatever way the adapter has."""
    seen: list[Snapshot] = []
    if ticket is not None:
        seen += _said(adapter, system.webhooks(), ticket) if isinstance(adapter, Parses) else []
        seen += _one(adapter.read(ticket)) if isinstance(adapter, Reads) else []
    return seen


def _echoed(newest: Newest, answer: OrderAnswer) -> Newest:
    last = newest.taken[-1].version if newest.taken else -1
    return Newest(max(last, -1 if answer.version is None else answer.version))


def _one(snapshot: Snapshot | None) -> list[Snapshot]:
    assert snapshot is not None, "read() does not find the ticket"
    return [snapshot]
