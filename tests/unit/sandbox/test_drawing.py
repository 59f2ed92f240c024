"""The arrows of a problem's way, as SVG."""

from xml.etree import ElementTree

import pytest

from supplier_api.sandbox.console.drawing import LONGEST, X, drawn, heads
from supplier_api.sandbox.console.steps import Lane, Step, steps

KCI = {
    "what": "kci",
    "at": "2026-01-05T12:00:00.000Z",
    "number": 1,
    "kind": "COMMITTED",
    "id": "an-id",
    "status": "IN_PROGRESS",
    "state": "delivered",
    "attempts": [{"status": 204, "detail": "204"}],
}


def texts(svg: str) -> list[str]:
    return [each.text or "" for each in ElementTree.fromstring(svg).iter("text")]


def test_the_lifelines_are_named_from_left_to_right() -> None:
    assert texts(heads()) == ["tenant", "gateway", "supplier", "back office"]
    assert sorted(X.values()) == list(X.values())


def test_a_step_is_an_arrow_its_answer_and_what_the_tenant_sees() -> None:
    [step] = steps([KCI])

    assert (step.sender, step.receiver, step.level) == (Lane.SUPPLIER, Lane.GATEWAY, "ok")
    assert texts(drawn(step)) == ["KCI 1 COMMITTED", "204 taken", "IN_PROGRESS"]
    assert "style" not in drawn(step)


@pytest.mark.parametrize(
    ("changes", "answer", "level", "words"),
    [
        ({"state": "queued", "attempts": []}, "waiting", "busy", "waiting."),
        (
            {"state": "queued", "attempts": [{"status": None, "detail": "connection refused"}]},
            "tried again",
            "warn",
            "tried again (connection refused).",
        ),
        ({"state": "refused"}, "204 refused for good", "bad", "204 refused for good (204)."),
        ({"state": "expired", "attempts": []}, "given up", "bad", "given up."),
        ({"state": "skipped", "attempts": []}, "left out", "idle", "left out."),
        (
            {"attempts": [*KCI["attempts"], *KCI["attempts"]]},  # type: ignore[misc]
            "204 taken (2 attempts)",
            "ok",
            "204 taken (2 attempts); the tenant sees IN_PROGRESS.",
        ),
    ],
)
def test_what_became_of_a_message_is_said(
    changes: dict[str, object], answer: str, level: str, words: str
) -> None:
    [step] = steps([{**KCI, **changes}])

    assert (step.answer, step.level) == (answer, level)
    assert step.words == f"The supplier tells the gateway KCI 1 COMMITTED: {words}"
    assert step.tenant == ("IN_PROGRESS" if level == "ok" else "")


def test_a_text_is_escaped_and_has_room() -> None:
    step = Step("", Lane.SUPPLIER, Lane.BACK_OFFICE, "<b>&", "x" * 60, "ok", "")

    assert texts(drawn(step)) == ["<b>&", "x" * (LONGEST - 1) + "…"]


def test_what_it_does_not_know_is_left_out() -> None:
    assert steps([{"what": "action", "at": ""}]) == []
