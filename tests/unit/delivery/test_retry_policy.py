"""When a message is sent again: the published waits, and what ends them."""

from datetime import UTC, datetime, timedelta

import pytest

from supplier_api.delivery.model import Meaning, Reply, RetryPolicy
from supplier_api.delivery.retry_policy import (
    Ending,
    History,
    RetryAt,
    RetryDecision,
    decide,
)

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
POLICY = RetryPolicy(
    waits=tuple(timedelta(seconds=wait) for wait in (5, 30, 120, 600, 1800, 3600, 7200)),
    jitter=0.2,
    retry_after_max=timedelta(hours=1),
    max_age=timedelta(hours=72),
)
TROUBLE = Reply(Meaning.FAILED, "503", 503, unknown=True)
NOT_FOUND = Reply(Meaning.NOT_FOUND, "404 NOT_FOUND", 404)


def after(seconds: float) -> RetryAt:
    return RetryAt(NOW + timedelta(seconds=seconds))


@pytest.mark.parametrize(
    ("attempts", "seconds"),
    [(0, 5), (1, 30), (2, 120), (3, 600), (4, 1800), (5, 3600), (6, 7200), (7, 7200), (40, 7200)],
)
def test_the_waits_grow_and_the_last_one_repeats(attempts: int, seconds: int) -> None:
    history = History(attempts=attempts, first_attempt=NOW)

    assert decide(TROUBLE, history, POLICY, NOW, jitter=0) == after(seconds)


def test_jitter_is_added_to_the_wait() -> None:
    assert decide(TROUBLE, History(), POLICY, NOW, jitter=0.2) == after(6)


@pytest.mark.parametrize(
    ("retry_after", "seconds"),
    [(2, 5), (5, 5), (60, 60), (3600, 3600), (90_000, 3600)],
)
def test_the_later_of_plan_and_retry_after_counts_up_to_an_hour(
    retry_after: float, seconds: int
) -> None:
    reply = Reply(Meaning.FAILED, "503", 503, retry_after=retry_after)

    assert decide(reply, History(), POLICY, NOW, jitter=0) == after(seconds)


def test_a_long_plan_is_not_shortened_by_the_cap_on_retry_after() -> None:
    reply = Reply(Meaning.FAILED, "429", 429, retry_after=90_000)

    assert decide(reply, History(attempts=6), POLICY, NOW, jitter=0) == after(7200)


def test_taken_is_delivered() -> None:
    taken = Reply(Meaning.ACCEPTED, "204", 204)

    assert decide(taken, History(), POLICY, NOW, jitter=0) == Ending.DELIVERED


def test_a_refusal_for_good_is_one_at_once() -> None:
    reply = Reply(Meaning.REFUSED, "422 INVALID_REQUEST", 422)

    assert decide(reply, History(), POLICY, NOW, jitter=0) == Ending.REFUSED


@pytest.mark.parametrize("reply", [Reply(Meaning.REFUSED, "422", 422), NOT_FOUND])
def test_a_withdrawal_that_is_refused_stays_out(reply: Reply) -> None:
    assert decide(reply, History(withdrawn=True), POLICY, NOW, jitter=0) == Ending.LEFT_OUT
    assert decide(TROUBLE, History(withdrawn=True), POLICY, NOW, jitter=0) == after(5)


def test_a_conflict_after_an_unknown_attempt_is_delivered() -> None:
    reply = Reply(Meaning.FAILED, "409", 409, repeat=True)

    assert (
        decide(reply, History(attempts=1, unknown=True), POLICY, NOW, jitter=0) == Ending.DELIVERED
    )


def test_a_conflict_that_no_earlier_attempt_explains_is_tried_again() -> None:
    reply = Reply(Meaning.FAILED, "409", 409, repeat=True)

    assert decide(reply, History(attempts=1), POLICY, NOW, jitter=0) == after(30)


def test_already_received_is_believed_only_after_an_unknown_attempt() -> None:
    reply = Reply(Meaning.REFUSED, "422 INVALID_REQUEST", 422, repeat=True)

    assert decide(reply, History(unknown=True), POLICY, NOW, jitter=0) == Ending.DELIVERED
    assert decide(reply, History(unknown=False), POLICY, NOW, jitter=0) == Ending.REFUSED


@pytest.mark.parametrize(
    ("minutes", "decision"),
    [(0, after(5)), (14.9, after(5)), (15, Ending.REFUSED), (600, Ending.REFUSED)],
)
def test_not_found_is_believed_a_quarter_of_an_hour_after_the_last_request(
    minutes: float, decision: RetryDecision
) -> None:
    history = History(last_request=NOW - timedelta(minutes=minutes))

    assert decide(NOT_FOUND, history, POLICY, NOW, jitter=0) == decision


def test_not_found_without_any_request_is_a_refusal() -> None:
    assert decide(NOT_FOUND, History(), POLICY, NOW, jitter=0) == Ending.REFUSED


@pytest.mark.parametrize(
    ("hours", "decision"), [(71.9, after(7200)), (72, Ending.EXPIRED), (100, Ending.EXPIRED)]
)
def test_a_message_expires_by_the_age_of_its_own_attempts(
    hours: float, decision: RetryDecision
) -> None:
    history = History(attempts=40, first_attempt=NOW - timedelta(hours=hours))

    assert decide(TROUBLE, history, POLICY, NOW, jitter=0) == decision


def test_time_in_which_it_could_not_leave_makes_no_message_older() -> None:
    began = NOW - timedelta(hours=80)
    for hours, decision in ((9, after(7200)), (8, Ending.EXPIRED)):
        history = History(9, began, paused=timedelta(hours=hours))
        assert decide(TROUBLE, history, POLICY, NOW, jitter=0) == decision


def test_nothing_expires_while_the_destination_takes_nothing() -> None:
    first_attempt = NOW - timedelta(hours=100)
    history = History(attempts=40, first_attempt=first_attempt, others_succeed=False)

    assert decide(TROUBLE, history, POLICY, NOW, jitter=0) == after(7200)
