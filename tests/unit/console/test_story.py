"""A time line in plain words: each kind of entry, the states, and the lanes."""

from datetime import timedelta
from typing import Any

import pytest

from supplier_api.console.event_forms import LABELS, document_of
from supplier_api.console.story import EVENTS, SHOWN, lanes, passed, span, told
from supplier_api.problems.lifecycle import BACK_OFFICE_EVENTS

AT = "2026-01-05T12:00:00.000Z"
LATER = "2026-01-05T12:01:30.000Z"
SAID = {"at": AT, "what": "event", "event": "hold"}


def attempt(detail: str, ms: int = 5) -> dict[str, Any]:
    return {"at": AT, "outcome": "failed", "status": None, "ms": ms, "detail": detail}


def kci(number: int = 1, state: str = "delivered", **more: Any) -> dict[str, Any]:
    entry = {"at": AT, "what": "kci", "number": number, "kind": "UPDATE", "state": state}
    return {**entry, "status": "HELD", "attempts": [attempt("204")], **more}


def request(answer: int | None, **more: Any) -> dict[str, Any]:
    entry = {"at": AT, "what": "request", "operation": "problem", "answer": answer}
    return {**entry, "status": None, "outcome": None, "rule": None, **more}


def said(entry: dict[str, Any]) -> str:
    """Return an entry as a sentence."""
    (only,) = told([entry])
    return f"{only.level}: {only.head}{only.text}"


@pytest.mark.parametrize(
    ("entry", "sentence"),
    [
        (
            request(201, rule="default", outcome="commit"),
            (
                "ok: The tenant raised the problem; we accepted it and began work by the rule"
                " default (201)."
            ),
        ),
        (
            request(202, operation="amendment", rule="late"),
            (
                "warn: The tenant asked for an amendment; we left the decision open by the rule"
                " late (202)."
            ),
        ),
        (
            request(422, operation="cancellation"),
            "bad: The tenant asked for a cancellation; we refused it (422).",
        ),
        (
            request(200, operation="resolution", status="REJECTED"),
            "ok: The tenant answered the resolution; it is REJECTED (200).",
        ),
        (request(None), "busy: The tenant raised the problem; it is not answered yet."),
        (
            {
                "at": AT,
                "what": "event",
                "event": "hold",
                "answer": 200,
                "status": "HELD",
                "by": None,
            },
            "idle: The back office put the work on hold; it is HELD.",
        ),
        (
            {**SAID, "answer": 409, "by": "operator"},
            "bad: An operator said hold; it was not possible then, and nothing was done.",
        ),
        (
            {"at": AT, "what": "action", "action": "kci skip", "who": "jo"},
            "idle: jo withdrew a KCI.",
        ),
        (kci(), "ok: KCI 1 UPDATE tells the gateway that it is HELD: taken (204, 5 ms)."),
        (
            kci(attempts=[attempt("503"), attempt("204", 7)]),
            "ok: KCI 1 UPDATE tells the gateway that it is HELD: taken (204, 7 ms, at attempt 2).",
        ),
        (
            kci(state="queued", attempts=[]),
            "busy: KCI 1 UPDATE tells the gateway that it is HELD: waits to be sent.",
        ),
        (
            kci(state="queued", attempts=[attempt("503")]),
            (
                "busy: KCI 1 UPDATE tells the gateway that it is HELD: waits to be sent again after"
                " 1 attempt (503)."
            ),
        ),
        (
            kci(state="expired", attempts=[attempt("503")]),
            (
                "bad: KCI 1 UPDATE tells the gateway that it is HELD: the gateway did not take it"
                " in time (503); it is a dead letter."
            ),
        ),
        (
            kci(what="order", kind="closed", state="skipped"),
            (
                "idle: Work order 1 tells the back office that the problem was closed: not sent,"
                " an operator took it out."
            ),
        ),
    ],
)
def test_an_entry_is_a_sentence(entry: dict[str, Any], sentence: str) -> None:
    assert said(entry) == sentence


def test_every_event_has_words() -> None:
    assert EVENTS.keys() == {event.value for event in BACK_OFFICE_EVENTS}
    assert LABELS.keys() == BACK_OFFICE_EVENTS


def test_states_follow_one_another_with_how_long_each_lasted() -> None:
    entries = [request(201), {**kci(), "at": LATER}, {**kci(2), "at": LATER}]
    steps = passed(entries, "HELD", LATER)
    assert [(step.state, step.at, step.lasted) for step in steps] == [
        ("ACKNOWLEDGED", AT, "1 min 30 s"),
        ("HELD", LATER, None),
    ]


def test_a_state_that_no_entry_tells_of_is_the_last() -> None:
    steps = passed([request(202)], "CANCELLED", LATER)
    assert [(step.state, step.lasted) for step in steps] == [
        ("UNDECIDED", "1 min 30 s"),
        ("CANCELLED", None),
    ]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-1, "under 1 s"),
        (0.4, "under 1 s"),
        (59, "59 s"),
        (3600, "1 h"),
        (3661, "1 h 1 min"),
        (5 * 86400 + 7260, "5 d 2 h"),
    ],
)
def test_a_span_is_told_in_its_greatest_units(seconds: float, words: str) -> None:
    assert span(timedelta(seconds=seconds)) == words


def test_a_lane_is_drawn_with_what_waits_behind_a_dead_letter() -> None:
    entries = [kci(3, "queued"), kci(2, "refused"), kci(1)]
    gateway, back_office = lanes(entries, {"gateway"})
    assert [(each["number"], each["drawn"]) for each in gateway.messages] == [
        (1, "delivered"),
        (2, "refused"),
        (3, "parked"),
    ]
    assert gateway.says == "1 delivered, 1 parked behind a dead letter, 1 refused"
    assert (back_office.messages, back_office.says) == ([], "none yet")


def test_a_long_lane_is_drawn_from_its_end() -> None:
    gateway, _ = lanes([kci(number) for number in range(1, SHOWN + 4)], set())
    assert gateway.before == 3
    assert gateway.messages[0]["number"] == 4


def test_a_form_is_an_event_without_what_is_empty() -> None:
    form = {"id": "1", "event": "resolve", "text": " ", "commit": "yes", "resolutionCode": "OTHER"}
    assert document_of({**form, "csrf_token": "x", "reason": "y"}) == {
        "id": "1",
        "event": "resolve",
        "commit": True,
        "resolution": {"resolutionCode": "OTHER"},
    }
