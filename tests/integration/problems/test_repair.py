"""Dead letters, and the actions of operators on messages."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import update

from supplier_api import contract
from supplier_api.clock import to_wire
from supplier_api.db import UnitOfWork, tables
from supplier_api.delivery.message_actions import NotPossible
from supplier_api.delivery.message_queries import NoSuchMessage
from supplier_api.delivery.time_window import TimeWindow
from supplier_api.outbox.messages import MessageRepository
from supplier_api.outbox.model import NO_BODY, Fenced, MessageState
from supplier_api.problems import view
from supplier_api.problems.services import BACK_OFFICE, GATEWAY
from tests.integration.problems.delivery_bench import BUSY, BY, LOST, REFUSAL, REFUSED, Bench, bench
from tests.integration.problems.rig import LEASE, Rig

HOUR = timedelta(hours=1)


@pytest.fixture
def desk(rig: Rig) -> Iterator[Bench]:
    """Yield a bench on which dead letters block the messages behind them."""
    with bench(rig) as made:
        yield made


@pytest.fixture
def passing(rig: Rig) -> Iterator[Bench]:
    """Yield a bench on which dead letters are passed."""
    with bench(rig, passing=True) as made:
        yield made


# -- what is stored


def test_a_refused_kci_keeps_what_the_gateway_said(desk: Bench) -> None:
    desk.under_way()
    desk.refused(2)
    assert desk.row(2)["refusal"] == REFUSAL
    assert "too long" not in str(desk.row(2)["log"])
    assert desk.states() == ["delivered", "refused", "queued"]


def test_an_expired_kci_keeps_the_last_failure(desk: Bench) -> None:
    desk.under_way()
    _expire(desk, 2)
    assert desk.row(2)["refusal"] == {"status": 503, "detail": "503"}


def _expire(desk: Bench, number: int) -> None:
    """Let a KCI fail until it is too old, while another problem's is accepted."""
    desk.gateway.reply_with(number, BUSY)
    desk.deliver()
    desk.rig.machine.advance(72 * 3600)
    desk.rig.create(id=9)
    desk.rig.say("start", name=desk.rig.problem(9).reference)
    desk.gateway.reply_with(number, BUSY)
    desk.deliver()
    assert desk.state(number) == "expired"


# -- replay


def test_a_replayed_kci_is_sent_as_it_is_and_the_others_follow(desk: Bench) -> None:
    desk.under_way()
    desk.refused(2)
    body = desk.body(2)
    assert desk.replay(2).text == "queued again, due now"
    assert desk.deliver() == [2, 3]
    assert desk.body(2) == body
    assert desk.states() == ["delivered"] * 3
    assert desk.outcomes(2) == ["refused", "replayed", "delivered"]
    assert (desk.row(2)["mended"], desk.row(2)["original"]) == (None, None)
    [action] = desk.actions()
    assert (action.who, action.reason, action.action) == (BY.who, BY.reason, "kci replay")
    before_and_after = {"number": 2, "was": "refused", "now": "queued"}
    assert (action.message, action.detail) == (body["id"], before_and_after)


def test_the_workers_are_told_of_it(desk: Bench) -> None:
    desk.under_way()
    desk.refused(2)
    problem_id = desk.rig.problem().id
    seen: list[bool] = []

    def work(uow: UnitOfWork) -> None:
        letters = MessageRepository(uow)
        locked = letters.lock(problem_id, GATEWAY, desk.rig.machine.now())
        stored = letters.numbered(*desk_name(desk, 2))
        assert stored is not None
        letters.queue_again(stored, desk.rig.machine.now(), "x")
        letters.go_on(locked, desk.rig.machine.now())
        seen.append(uow.wakes_workers)

    desk.rig.store.write(work)
    assert seen == [True]


def desk_name(desk: Bench, number: int) -> tuple[str, str, int]:
    """Return the names that find a message."""
    return desk.rig.problem().reference, GATEWAY, number


def test_age_and_attempts_of_a_replayed_kci_start_afresh(desk: Bench) -> None:
    desk.under_way()
    _expire(desk, 2)
    desk.replay(2)
    desk.gateway.reply_with(2, BUSY)
    desk.deliver()
    assert (desk.state(2), desk.row(2)["attempts"]) == ("queued", 1)
    desk.rig.machine.advance(5)
    assert desk.deliver() == [2, 3]


def test_a_kci_in_back_off_is_sent_at_once(desk: Bench) -> None:
    desk.under_way()
    desk.gateway.reply_with(2, BUSY, BUSY)
    desk.deliver()
    assert desk.deliver() == []
    assert desk.replay(2).text == "queued, due now"
    assert desk.deliver() == [2]
    assert desk.row(2)["attempts"] == 2


def test_what_waits_behind_a_dead_letter_is_not_sent_before_it(desk: Bench) -> None:
    desk.under_way()
    desk.refused(2)
    with pytest.raises(NotPossible, match=r"#3 waits behind \w+#2, which is refused"):
        desk.replay(3)
    assert desk.deliver() == []
    assert desk.actions() == []


def test_what_was_delivered_is_history(desk: Bench) -> None:
    desk.under_way()
    for act in (desk.replay, desk.skip, desk.edit):
        with pytest.raises(
            NotPossible, match=r"#1 is delivered \(on 2026-01-05T12:00:01.000Z\).*possible: show$"
        ):
            act(1)
    assert desk.actions() == []


def test_what_is_being_sent_is_left_alone(desk: Bench) -> None:
    desk.under_way()
    desk.rig.machine.advance(1)
    claim = desk.rig.claim()
    assert claim is not None
    desk.rig.machine.advance(10)
    for act in (desk.replay, desk.skip, desk.edit):
        with pytest.raises(NotPossible, match=r"being sent, try again in 35 s"):
            act(2)
    told = desk.replay_window(TimeWindow())
    assert told == [(n, "being sent, try again in 35 s", False) for n in ("2", "3")]
    assert desk.actions() == []
    desk.rig.settled(claim, MessageState.DELIVERED)


def test_who_slept_past_the_lease_writes_nothing_over_what_an_operator_did(desk: Bench) -> None:
    desk.under_way()
    desk.rig.machine.advance(1)
    claim = desk.rig.claim()
    assert claim is not None
    desk.rig.machine.advance(LEASE.total_seconds())
    desk.edit(2, text="The key was not there.")
    with pytest.raises(Fenced):
        desk.rig.settled(claim, MessageState.DELIVERED)
    # It may have arrived unedited.
    assert desk.row(2)["unknown"]
    assert desk.deliver() == [2, 3]
    assert desk.states() == ["delivered"] * 3


def test_a_settlement_that_is_run_twice_does_not_undo_a_replay(desk: Bench) -> None:
    desk.under_way()
    desk.rig.machine.advance(1)
    claim = desk.rig.claim()
    assert claim is not None
    desk.rig.settled(claim, MessageState.REFUSED)
    desk.replay(2)
    # Nobody could say whether the first commit had arrived.
    with pytest.raises(Fenced):
        desk.rig.settled(claim, MessageState.REFUSED)
    assert desk.state(2) == "queued"


def test_names_that_stand_for_nothing_are_told(desk: Bench) -> None:
    desk.under_way()
    order = desk.row(1, BACK_OFFICE)["uuid"]
    for name, told in (
        (desk.name(7), "there is no KCI"),
        ("00000000-0000-4000-8000-000000000000", "there is no KCI"),
        ("soon", r"expected its UUID or REFERENCE#NUMBER"),
        (order, "is no KCI; look at it with `supplier-api work-order show`"),
    ):
        with pytest.raises(NoSuchMessage, match=told):
            desk.repair.replay(GATEWAY, name, BY)


# -- edit


def test_an_edited_kci_arrives_under_its_id_and_keeps_what_it_was(desk: Bench) -> None:
    desk.under_way()
    desk.refused(2)
    original = desk.row(2)["body"]
    assert desk.edit(2, text="Nobody was there.").text == "queued again (edited), due now"
    assert desk.deliver() == [2, 3]
    assert desk.body(2) == {
        **contract.load_kci(contract.read_json(original.encode())),
        "text": "Nobody was there.",
    }
    assert desk.gateway.sent[-2]["text"] == "Nobody was there."
    assert (desk.row(2)["original"], desk.row(2)["mended"]) == (original, "edited")
    desk.rig.kcis()
    assert [action.action for action in desk.actions()] == ["kci edit"]


def test_a_second_edit_keeps_what_it_was_at_first(desk: Bench) -> None:
    desk.under_way()
    desk.refused(2, REFUSED)
    original = desk.row(2)["body"]
    desk.edit(2, text="Nobody was there.")
    desk.deliver()
    desk.edit(2, text="No entry.")
    assert desk.row(2)["original"] == original


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"id": "00000000-0000-4000-8000-000000000000"}, "id: expected .*as it was"),
        ({"sequenceNumber": 7}, "sequenceNumber: expected 2, as it was"),
        ({"issuedOn": "2026-01-05T12:00:00.000Z"}, "issuedOn: expected .*, as it was"),
        ({"text": ""}, "text: expected 1 to 1000 characters"),
        ({"text": None}, "text: expected a string, not null"),
        ({"reasonCode": "INFORMATION_REQUIRED", "problemCode": "WRONG"}, "problemCode: expected"),
        ({"txet": "x"}, "txet: not a published field"),
        ({"serviceProblem": {}}, "serviceProblem.status: missing"),
    ],
)
def test_an_edit_off_the_contract_does_nothing(
    desk: Bench, changes: dict[str, object], told: str
) -> None:
    desk.under_way()
    desk.refused(2)
    before = dict(desk.row(2))
    with pytest.raises(contract.MessageError, match=told):
        desk.edit(2, **changes)
    assert desk.row(2) == before
    assert desk.actions() == []
    assert desk.deliver() == []


def test_an_edit_keeps_the_problem_that_it_is_about(desk: Bench) -> None:
    desk.under_way()
    desk.refused(2)
    entity = desk.body(2)["serviceProblem"]
    for changes, told in (
        ({"id": 7}, "serviceProblem.id: expected 1, as it was"),
        ({"supplierReference": "SP_ANOTHER"}, "serviceProblem.supplierReference: expected"),
    ):
        with pytest.raises(contract.Invalid, match=told):
            desk.edit(2, serviceProblem={**entity, **changes})


@pytest.mark.parametrize(
    ("status", "reason", "told"),
    [
        (
            "COMPLETED",
            "UPDATE",
            "serviceProblem.status: COMPLETED only from RESOLVED, the problem is IN_PROGRESS",
        ),
        ("COMPLETED", "COMPLETED", "COMPLETED only from RESOLVED, the problem is IN_PROGRESS"),
        (
            "CANCELLED",
            "UPDATE",
            "serviceProblem.status: CANCELLED in update 2 ends .*: update 3 would be refused",
        ),
        ("ACKNOWLEDGED", "ACKNOWLEDGED", "reasonCode: no ACKNOWLEDGED once .* acknowledged"),
        ("REJECTED", "REJECTED", "reasonCode: no REJECTED once the problem is acknowledged"),
    ],
)
def test_an_edit_is_judged_in_its_place_among_the_others(
    desk: Bench, status: str, reason: str, told: str
) -> None:
    desk.under_way()
    desk.rig.resolve()
    desk.refused(2)
    before = dict(desk.row(2))
    entity = {**desk.body(2)["serviceProblem"], "status": status}
    with pytest.raises(contract.Invalid, match=told):
        desk.edit(2, reasonCode=reason, text="It is over.", serviceProblem=entity)
    assert desk.row(2) == before


def test_an_edit_leaves_what_follows_possible(desk: Bench) -> None:
    desk.rig.create("defer")
    desk.rig.say("accept", commit=True)
    desk.rig.resolve()
    desk.rig.say("complete")
    desk.gateway.reply_with(3, REFUSED)
    desk.deliver()
    entity = {**desk.body(3)["serviceProblem"], "status": "IN_PROGRESS"}
    with pytest.raises(contract.Invalid, match=r"from RESOLVED, .*: update 4 would be refused"):
        desk.edit(3, reasonCode="UPDATE", serviceProblem=entity)
    desk.edit(3, text="All is well.")
    assert desk.deliver() == [3, 4]


def test_what_tells_our_reference_first_may_be_edited(desk: Bench) -> None:
    desk.rig.create("defer")
    desk.rig.say("accept", commit=True)
    desk.edit(1, text="We have it.")
    assert desk.deliver() == [1, 2]


def test_an_edited_kci_may_still_have_arrived(desk: Bench) -> None:
    desk.under_way()
    desk.gateway.reply_with(2, LOST)
    desk.deliver()
    desk.edit(2, text="Nobody was there.")
    assert (desk.row(2)["unknown"], desk.row(2)["attempts"]) == (True, 0)


# -- late


def test_a_kci_that_later_ones_have_passed_comes_as_more_information(passing: Bench) -> None:
    passing.under_way()
    passing.refused(2)
    assert passing.states() == ["delivered", "refused", "delivered"]
    original = passing.row(2)["body"]
    assert passing.replay(2).text == "queued again (late), due now"
    assert passing.deliver() == [2]
    body = passing.body(2)
    assert (body["reasonCode"], body["problemCode"]) == ("ADDITIONAL", "ACCESS_ISSUE")
    assert body["text"] == "update 2 (DELAY) comes late: No key."
    assert body["serviceProblem"]["status"] == "IN_PROGRESS"
    assert body["id"] == contract.read_json(original.encode())["id"]  # type: ignore[index]
    assert (passing.row(2)["original"], passing.row(2)["mended"]) == (original, "late")
    assert passing.state(2) == "delivered"
    # It has the newest values that were sent, and what follows is newer still.
    passing.rig.say("warn", problem_code="ACCESS_ISSUE")
    dates = [passing.body(number)["issuedOn"] for number in (1, 3, 2, 4)]
    assert dates == sorted(set(dates))


def test_a_later_one_that_may_have_arrived_has_passed_it_too(passing: Bench) -> None:
    passing.under_way()
    passing.gateway.reply_with(3, LOST)
    passing.refused(2)
    passing.replay(2)
    assert passing.row(2)["mended"] == "late"


def test_a_kci_that_none_has_passed_stays_as_at_the_change(passing: Bench) -> None:
    passing.under_way()
    passing.gateway.reply_with(3, REFUSED)
    passing.refused(2)
    passing.replay(2)
    passing.replay(3)
    assert passing.deliver() == [2, 3]
    assert [body["reasonCode"] for body in passing.rig.kcis()] == ["COMMITTED", "DELAY", "RESUMED"]


def test_an_edit_of_what_comes_late_may_only_be_more_information(passing: Bench) -> None:
    passing.under_way()
    passing.refused(2)
    with pytest.raises(contract.Invalid, match=r"reasonCode: expected ADDITIONAL, later updates"):
        passing.edit(2, text="Nobody was there.")
    entity = passing.body(2)["serviceProblem"]
    with pytest.raises(contract.Invalid, match=r"serviceProblem.status: expected IN_PROGRESS"):
        passing.edit(2, reasonCode="ADDITIONAL")
    today = {**entity, "status": "IN_PROGRESS"}
    passing.edit(2, reasonCode="ADDITIONAL", serviceProblem=today)
    assert passing.deliver() == [2]


# -- skip


def test_a_skipped_kci_is_told_as_withdrawn_under_its_number(desk: Bench) -> None:
    desk.under_way()
    desk.refused(2)
    original = desk.body(2)
    assert desk.skip(2).text == "queued again (withdrawn), due now"
    assert desk.deliver() == [2, 3]
    body = desk.body(2)
    assert (body["id"], body["reasonCode"]) == (original["id"], "ADDITIONAL")
    assert body["text"] == f"update 2 was withdrawn: {BY.reason}"
    assert body["serviceProblem"]["status"] == "IN_PROGRESS"
    assert "problemCode" not in body
    assert desk.row(2)["mended"] == "withdrawn"
    assert desk.states() == ["delivered"] * 3
    # In order, each dated between its neighbours.
    assert [kci["sequenceNumber"] for kci in desk.rig.kcis()] == [1, 2, 3]
    assert [action.action for action in desk.actions()] == ["kci skip"]


def test_what_operators_did_stands_at_its_time_though_a_kci_was_dated_anew(desk: Bench) -> None:
    desk.rig.create()
    desk.rig.say("start")
    desk.refused(1)
    desk.rig.machine.advance(3600)
    desk.skip(1)
    done = to_wire(desk.rig.machine.now())
    problem = desk.rig.problem()
    seen = desk.rig.store.read(lambda uow: view.show(uow, problem))
    assert [each["at"] for each in seen["timeline"] if each["what"] == "action"] == [done]


def test_the_last_kci_of_a_problem_is_withdrawn_with_todays_date(desk: Bench) -> None:
    desk.rig.create()
    desk.rig.say("start")
    desk.refused(1)
    desk.rig.machine.advance(3600)
    desk.skip(1)
    assert desk.body(1)["issuedOn"] == "2026-01-05T13:00:01.000Z"
    desk.rig.say("note", text="Under way.")
    desk.rig.kcis()


def test_a_kci_that_was_never_sent_can_be_skipped_as_well(desk: Bench) -> None:
    desk.under_way()
    desk.skip(3)
    assert desk.deliver() == [2, 3]
    assert desk.body(3)["text"].startswith("update 3 was withdrawn")


def test_only_if_even_the_withdrawal_is_refused_the_number_stays_out(desk: Bench) -> None:
    desk.under_way()
    desk.refused(2)
    desk.skip(2)
    desk.gateway.reply_with(2, REFUSED)
    assert desk.deliver() == [2, 3]
    assert desk.states() == ["delivered", "skipped", "delivered"]
    assert desk.outcomes(2) == ["refused", "withdrawn", "left-out"]
    assert desk.row(2)["refusal"] == REFUSAL
    # The next that was not tried yet said so; it is otherwise as at its change.
    assert desk.notes(3) == ["update 2 was withdrawn"]
    assert desk.gateway.sent[-1] == desk.body(3)
    assert (desk.body(3)["reasonCode"], desk.row(3)["mended"]) == ("RESUMED", "noted")
    assert "supplierNotes" not in desk.row(3)["original"]
    desk.rig.kcis()
    for act in (desk.replay, desk.skip, desk.edit):
        with pytest.raises(NotPossible, match=r"#2 is skipped .*possible: show$"):
            act(2)
    # And it is sent once.
    desk.rig.say("note", text="Under way.")
    assert desk.notes(4) == []


def test_without_a_next_kci_the_first_that_is_made_says_so(desk: Bench) -> None:
    desk.rig.create()
    desk.rig.say("start")
    desk.refused(1, REFUSED)
    desk.skip(1)
    desk.deliver()
    assert desk.states() == ["skipped"]
    assert desk.rig.problem().left_out == ["update 1 was withdrawn"]
    desk.rig.say("note", text="Under way.")
    desk.rig.say("note", text="Still under way.")
    assert (desk.notes(2), desk.notes(3)) == (["update 1 was withdrawn"], [])
    assert desk.rig.problem().left_out is None
    desk.rig.kcis()
    assert desk.deliver() == [2, 3]


def test_a_kci_that_was_tried_is_not_made_to_say_it(desk: Bench) -> None:
    desk.under_way()
    desk.gateway.reply_with(2, LOST, REFUSED)
    desk.deliver()
    desk.rig.machine.advance(5)
    desk.deliver()
    desk.rig.say("note", text="Under way.")
    desk.replay(2)
    desk.edit(3, text="Now replayed, so not untried.")
    desk.skip(2)
    desk.gateway.reply_with(2, REFUSED)
    desk.deliver()
    assert (desk.notes(3), desk.notes(4)) == ([], ["update 2 was withdrawn"])


def test_what_a_withdrawn_kci_had_to_say_is_not_lost(desk: Bench) -> None:
    desk.under_way()
    desk.refused(2, REFUSED)
    desk.gateway.reply_with(3, REFUSED, REFUSED)
    desk.skip(2)
    desk.deliver()
    assert desk.states() == ["delivered", "skipped", "refused"]
    with pytest.raises(
        contract.Invalid, match=r"supplierNotes: expected to keep the note that says"
    ):
        desk.edit(3, supplierNotes=[])
    desk.rig.say("note", text="Under way.")
    desk.skip(3)
    assert desk.notes(3) == ["update 2 was withdrawn"]
    desk.deliver()
    assert desk.states() == ["delivered", "skipped", "skipped", "delivered"]
    assert desk.notes(4) == ["update 2 was withdrawn", "update 3 was withdrawn"]


def test_a_withdrawal_that_expires_can_be_sent_again(desk: Bench) -> None:
    desk.under_way()
    desk.skip(2)
    _expire(desk, 2)
    desk.replay(2)
    assert (desk.row(2)["mended"], desk.body(2)["text"]) == (
        "withdrawn",
        f"update 2 was withdrawn: {BY.reason}",
    )
    assert desk.deliver() == [2, 3]


def test_a_reason_that_is_too_long_to_be_told_is_refused(desk: Bench) -> None:
    desk.under_way()
    long = type(BY)(BY.who, "x" * 1000)
    with pytest.raises(NotPossible, match=r"told to the tenant; expected at most 976 characters"):
        desk.repair.skip(GATEWAY, desk.name(2), long)


def test_closure_counts_from_a_resolution_that_was_told_in_another_form(desk: Bench) -> None:
    desk.rig.create()
    desk.rig.resolve()
    desk.refused(1)
    desk.rig.pass_days(20)
    assert desk.rig.problem().state.base == "RESOLVED"
    desk.skip(1)
    desk.deliver()
    body = desk.body(1)
    assert body["serviceProblemResolution"]["status"] == "PENDING"
    desk.rig.pass_days(4.5)
    assert desk.rig.problem().state.base == "RESOLVED"
    desk.rig.pass_days(0.6)
    assert desk.rig.problem().state.base == "COMPLETED"


def test_what_was_decided_on_a_change_is_told_all_the_same(desk: Bench) -> None:
    desk.rig.create()
    assert desk.rig.amend(notes="defer").status == 202
    desk.rig.say("accept-change", change_reference=desk.rig.change_reference())
    desk.refused(1)
    desk.skip(1)
    assert desk.body(1)["serviceProblemAmendment"]["status"] == "COMPLETED"


def test_our_reference_stays_untold_where_it_was_not_to_be_told(desk: Bench) -> None:
    assert desk.rig.create("defer").status == 202
    desk.rig.say("cancel", problem_code="OTHER")
    desk.refused(1)
    desk.skip(1)
    assert "supplierReference" not in desk.body(1)["serviceProblem"]
    desk.deliver()
    assert desk.states() == ["delivered"]
    assert not desk.rig.problem().reference_known


def test_a_change_is_answered_at_once_when_what_was_left_out_is_all_that_is_missing(
    desk: Bench,
) -> None:
    desk.rig.create()
    desk.rig.say("start")
    desk.refused(1, REFUSED)
    assert desk.rig.amend(101).status == 202
    desk.skip(1)
    desk.deliver()
    assert desk.states() == ["skipped", "delivered"]
    assert desk.rig.amend(102).status == 201


# -- several dead letters on one lane


def test_an_old_dead_letter_that_was_passed_does_not_hold_the_lane(
    passing: Bench, rig: Rig
) -> None:
    passing.under_way()
    passing.refused(2)
    with bench(rig) as desk:  # the switch is turned off
        desk.rig.say("note", text="Under way.")
        desk.refused(4)
        desk.rig.say("note", text="Still under way.")
        # The later one blocks the lane as long as it is dead; the old one is sent when it is due.
        assert desk.replay(2).text.endswith("waits behind " + desk.name(4) + ", which is refused")
        assert desk.deliver() == []
        desk.replay(4)
        assert desk.deliver() == [2, 4, 5]


def test_the_newer_dead_letter_can_be_mended_first(passing: Bench, rig: Rig) -> None:
    passing.under_way()
    passing.refused(2)
    with bench(rig) as desk:
        desk.rig.say("note", text="Under way.")
        desk.refused(4)
        desk.replay(4)
        assert desk.deliver() == [4]
        assert desk.states() == ["delivered", "refused", "delivered", "delivered"]
        desk.replay(2)
        assert desk.deliver() == [2]


# -- a window


def test_a_window_finds_dead_letters_and_what_was_never_tried(desk: Bench) -> None:
    desk.under_way()
    desk.refused(2)
    desk.rig.create(id=2)
    desk.rig.say("start", name=desk.rig.problem(2).reference)
    desk.gateway.reply_with(1, BUSY)
    desk.deliver()
    desk.rig.say("note", name=desk.rig.problem(2).reference, text="Waits behind one in back-off.")

    everything = TimeWindow(desk.rig.machine.now() - HOUR, desk.rig.machine.now() + HOUR)
    told = [
        ("2", "queued again, due now", True),
        ("3", "queued, due now", True),
        ("1", "queued, due now", True),
        ("2", "queued, due now", True),
    ]
    assert desk.replay_window(everything, rehearse=True) == told
    assert desk.actions() == []
    assert desk.deliver() == []
    assert desk.replay_window(everything) == told
    assert [action.detail["number"] for action in desk.actions() if action.detail] == [2, 3]
    assert desk.actions()[0].detail["window"][0] == "2026-01-05T11:01:03.000Z"  # type: ignore[index]
    assert sorted(desk.deliver()) == [1, 2, 2, 3]
    assert desk.replay_window(everything) == []


def test_nothing_outside_the_window_is_touched(desk: Bench) -> None:
    desk.under_way()  # number 3 is made a minute after number 2
    desk.refused(2)
    middle = desk.row(3)["created"]
    told = desk.replay_window(TimeWindow(since=middle))
    assert told == [("3", f"queued, waits behind {desk.name(2)}, which is refused", False)]
    assert desk.actions() == []
    assert desk.deliver() == []
    assert desk.replay_window(TimeWindow(until=middle)) == [("2", "queued again, due now", True)]
    assert desk.deliver() == [2, 3]


def test_what_a_window_finds_late_goes_as_such(passing: Bench) -> None:
    passing.under_way()
    passing.refused(2)
    assert passing.replay_window(TimeWindow()) == [("2", "queued again (late), due now", True)]


# -- work orders


def test_a_skipped_order_lets_the_others_go_and_marks_the_problem(desk: Bench) -> None:
    desk.rig.create()
    desk.back_office.reply_with(1, REFUSED)
    desk.deliver()
    assert desk.state(1, BACK_OFFICE) == "refused"
    assert desk.row(1, BACK_OFFICE)["refusal"] == REFUSAL
    desk.rig.amend()
    desk.deliver()
    assert desk.state(2, BACK_OFFICE) == "queued"
    desk.skip(1, BACK_OFFICE)
    assert desk.rig.problem().back_office_untold
    desk.deliver()
    assert (desk.state(1, BACK_OFFICE), desk.state(2, BACK_OFFICE)) == ("skipped", "delivered")
    assert [action.action for action in desk.actions()] == ["work-order skip"]


def test_an_order_whose_body_is_gone_is_not_sent_again(desk: Bench) -> None:
    desk.rig.create()
    desk.skip(1, BACK_OFFICE)
    gone = update(tables.message).values(body=NO_BODY)
    desk.rig.store.write(lambda uow: uow.connection.execute(gone))
    with pytest.raises(NotPossible, match=r"#1 is skipped .*: no replay; possible: show$"):
        desk.replay(1, BACK_OFFICE)


def test_a_skipped_order_that_is_taken_after_all_ends_the_mark(desk: Bench) -> None:
    desk.rig.create()
    desk.skip(1, BACK_OFFICE)
    desk.replay(1, BACK_OFFICE)
    assert desk.rig.problem().back_office_untold
    desk.deliver()
    assert desk.state(1, BACK_OFFICE) == "delivered"
    assert not desk.rig.problem().back_office_untold
    with pytest.raises(NotPossible, match=r"#1 is delivered .*possible: show$"):
        desk.skip(1, BACK_OFFICE)
