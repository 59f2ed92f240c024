"""Parts of pages that are kept: made once for all who ask, never older than what was shown."""

import pytest

from supplier_api.console import live
from supplier_api.console.live import ASKED, LiveParts

KEY = ("/problems/news", "viewer")


def get(
    parts: LiveParts,
    html: str,
    *,
    state: str = "",
    now: float = 0.0,
    key: tuple[str, str] = KEY,
    anew: bool = False,
) -> str:
    """Return the text of a part, `html` if it is made now."""
    return parts.get(key, state, lambda: html, now, ASKED, anew=anew).html


def test_one_is_made_once_for_each_state_and_once_a_second() -> None:
    parts = LiveParts()
    assert get(parts, "1") == "1"
    assert get(parts, "2", now=9.0) == "1"  # nothing was committed
    assert get(parts, "3", state="later", now=9.0) == "3"
    assert get(parts, "4", state="later still", now=9.9) == "3"
    assert get(parts, "5", state="later still", now=10.0) == "5"


def test_who_asks_while_it_is_made_gets_the_one_before() -> None:
    parts = LiveParts()
    get(parts, "before")
    beside: list[str] = []

    def render() -> str:
        beside.append(get(parts, "made twice", state="later", now=5.1))
        return "after"

    assert parts.get(KEY, "later", render, 5.0, ASKED, anew=False).html == "after"
    assert beside == ["before"]
    assert get(parts, "too early", state="last", now=5.9) == "after"


def test_who_has_acted_sees_what_came_of_it_though_others_ask_meanwhile() -> None:
    parts = LiveParts()
    get(parts, "before")

    def slow() -> str:
        # Another page of the same part is loaded, and is made, while this one is.
        assert get(parts, "after the act", state="later", now=5.1, anew=True) == "after the act"
        return "before the act"

    assert parts.get(KEY, "later", slow, 5.0, ASKED, anew=False).html == "after the act"
    assert get(parts, "", state="later", now=5.2) == "after the act"


def test_one_that_cannot_be_made_is_tried_again_a_second_later() -> None:
    parts = LiveParts()
    get(parts, "before")

    def failing() -> str:
        raise LookupError

    with pytest.raises(LookupError):
        parts.get(KEY, "later", failing, 5.0, ASKED, anew=False)
    assert get(parts, "after", state="later", now=5.5) == "before"
    assert get(parts, "after", state="later", now=6.0) == "after"


def test_what_one_role_sees_is_not_kept_for_another_and_not_without_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(live, "KEPT", 2)
    parts = LiveParts()
    assert get(parts, "masked") == "masked"
    assert get(parts, "with reasons", key=("/problems/news", "operator")) == "with reasons"
    assert get(parts, "made anew", state="later", now=5.0) == "made anew"
    assert get(parts, "", key=("/problems/news", "operator")) == "with reasons"
    get(parts, "third", key=("/other", "viewer"))
    assert get(parts, "it was the oldest", key=("/problems/news", "operator")) != "with reasons"
