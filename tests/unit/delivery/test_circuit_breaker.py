"""When the window says that a destination fails."""

from supplier_api.delivery.circuit_breaker import LANES_KEPT, BreakerRules, CallOutcome, CallWindow

ANSWERED, FAILED, PUT_OFF = CallOutcome.ANSWERED, CallOutcome.FAILED, CallOutcome.PUT_OFF


def window(*outcomes: CallOutcome, rules: BreakerRules | None = None) -> CallWindow:
    """Return a window in which lane 0, 1, ... came to these, a second apart."""
    made = CallWindow(rules or BreakerRules())
    for lane, outcome in enumerate(outcomes):
        made.note(lane, outcome, float(lane))
    return made


def test_it_opens_when_nine_in_ten_lanes_failed_last() -> None:
    assert window(*[ANSWERED] * 2, *[FAILED] * 18).opens()
    assert not window(*[ANSWERED] * 3, *[FAILED] * 18).opens()


def test_it_needs_twenty_calls() -> None:
    assert not window(*[FAILED] * 19).opens()
    assert window(*[FAILED] * 20).opens()


def test_it_needs_five_failing_lanes_however_often_they_are_called() -> None:
    made = CallWindow(BreakerRules())
    for at in range(100):
        made.note(at % 4, FAILED, float(at))
    assert not made.opens()
    made.note(4, FAILED, 100.0)
    assert made.opens()


def test_a_lane_counts_once_with_its_last_outcome() -> None:
    made = window(*[ANSWERED] * 10, *[FAILED] * 10)
    for call in range(50):
        made.note(10, FAILED, 20.0 + call)
    assert (made.rate().failing, made.rate().lanes) == (10, 20)
    made.note(10, ANSWERED, 70.0)
    assert (made.rate().failing, made.rate().lanes) == (9, 20)


def test_what_is_older_than_the_window_does_not_count() -> None:
    made = window(*[FAILED] * 19)
    made.note(100, FAILED, 18.0 + 120.0)
    assert made.rate().lanes == 2
    assert not made.opens()


def test_it_keeps_so_many_lanes_and_no_more() -> None:
    made = CallWindow(BreakerRules())
    for lane in range(LANES_KEPT + 5):
        made.note(lane, ANSWERED, 1.0)
    assert made.rate().lanes == LANES_KEPT


def test_lanes_that_were_put_off_are_known_and_fail_too() -> None:
    made = window(*[ANSWERED] * 2, *[FAILED] * 13, *[PUT_OFF] * 5)
    assert made.put_off() == 5
    assert made.opens()


def test_a_cleared_window_knows_nothing() -> None:
    made = window(*[FAILED] * 20)
    made.clear()
    assert (made.opens(), made.put_off(), made.rate().lanes, made.rate().share) == (False, 0, 0, 0)


def test_each_warning_is_given_once_a_crossing() -> None:
    made = CallWindow(BreakerRules())
    for lane in range(20):
        made.note(lane, ANSWERED, 0.0)
    warnings: list[float] = []

    def turn(lanes: range, outcome: CallOutcome) -> None:
        for lane in lanes:
            made.note(lane, outcome, 1.0)
            if (warning := made.warning()) is not None:
                warnings.append(warning)

    turn(range(9), FAILED)
    assert warnings == []
    turn(range(9, 16), FAILED)
    assert warnings == [0.5, 0.7]
    # It lingers there: nothing new. It gets better and worse again: that is.
    turn(range(14, 16), ANSWERED)
    turn(range(14, 16), FAILED)
    assert warnings == [0.5, 0.7]
    turn(range(16), ANSWERED)
    turn(range(10), FAILED)
    assert warnings == [0.5, 0.7, 0.5]


def test_no_warning_without_enough_calls() -> None:
    assert window(*[FAILED] * 19).warning() is None


def test_the_wait_between_tries_doubles_up_to_a_limit() -> None:
    rules = BreakerRules(probe_after=30, probe_after_max=600)
    assert [rules.probe_wait(failed) for failed in (0, 1, 2, 4, 5, 1000)] == [
        30,
        60,
        120,
        480,
        600,
        600,
    ]
