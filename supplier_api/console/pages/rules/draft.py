"""A draft of the rule book is judged: its faults, what it changes, and what it would have changed.

A draft is rules in CEL and nothing else: rules written in Python come with packages, and those that
are installed stand beside a draft as they do beside the book. It is neither stored nor activated.
"""

from threading import Lock
from typing import Any

from flask import render_template, request

from supplier_api.console.access import Role, requires
from supplier_api.console.acts import ActRefused, field
from supplier_api.console.context import here
from supplier_api.console.pages.rules.blueprint import blueprint
from supplier_api.console.pages.rules.history import DAYS, LISTED, MOST, replay, window
from supplier_api.rules.backtest import Backtest
from supplier_api.rules.book import RuleBook
from supplier_api.rules.book_diff import diff
from supplier_api.rules.loading import read_book
from supplier_api.rules.model import BookError, Outcome, answer_in_words
from supplier_api.rules.yaml_source import YamlSource

NAME = "draft.yaml"  # as findings call it
DRAFT_MAX = 200 * 1024  # characters, some three hundred rules
FINDINGS = 100  # that are listed
BACKTEST = "backtest"

# A back-test keeps a processor busy for seconds, which the gateway's requests may need too.
BACKTESTING = Lock()


@blueprint.get("/draft")
@requires(Role.ADMIN)
def draft_form() -> str:
    """Show the form, with the book in use as the first draft if that is asked for."""
    return _page(_book_in_use() if "current" in request.args else "")


@blueprint.post("/draft")
@requires(Role.ADMIN)
def judge() -> str | tuple[str, int]:
    """Show what is wrong with a draft, or what it changes; with a back-test if that is asked."""
    text = _text()
    rules = here().settings.rules
    current = here().rule_evaluator.book
    try:
        draft = read_book(
            YamlSource(NAME, text),
            here().settings.profile,
            current.plugins,
            Outcome(rules.fallback),
        )
    except BookError as error:
        return _page(text, findings=error.findings), 422
    tried = draft.try_examples()
    found = {
        "draft": draft,
        "failed": [each for each in tried if not each.passed],
        "examples": len(tried),
        "changes": diff(current, draft),
    }
    if field("do") == BACKTEST:
        found |= _backtested(draft, current)
    return _page(text, **found)


def _backtested(draft: RuleBook, current: RuleBook) -> dict[str, Any]:
    """Replay the newest decisions; one at a time in this process."""
    days, most = window()
    if not BACKTESTING.acquire(blocking=False):
        raise ActRefused("another back-test is running here; try again when it is over")
    try:
        test = Backtest(draft, [current], LISTED)
        read = replay(test.add, days, most, facts=True)
    finally:
        BACKTESTING.release()
    return {"backtest": test.document(), "read": read}


def _text() -> str:
    """Return the draft of the form: the file, or else what is written there."""
    upload = request.files.get("file")
    try:
        text = upload.read().decode("utf-8-sig") if upload else ""
    except UnicodeDecodeError:
        raise ActRefused("file: expected a text in UTF-8", status=422) from None
    text = (text or request.form.get("draft", "")).replace("\r\n", "\n")
    if not text.strip():
        raise ActRefused("draft: expected a rule book, as a file or as text", status=422)
    if len(text) > DRAFT_MAX:
        longer = "`supplier-api rules check` takes longer ones"
        raise ActRefused(f"draft: expected at most {DRAFT_MAX} characters; {longer}", status=422)
    return text


def _book_in_use() -> str:
    """Return the text of the book's file."""
    try:
        return here().settings.rules.file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeError) as error:
        raise ActRefused(f"the rule book's file cannot be read: {error}") from None


def _page(text: str, **found: Any) -> str:
    days, most = window()
    nothing: dict[str, Any] = {
        "findings": (),
        "draft": None,
        "failed": (),
        "examples": 0,
        "changes": None,
        "backtest": None,
        "read": None,
    }
    return render_template(
        "rules/draft.html",
        text=text,
        current=here().rule_evaluator.book,
        file=here().settings.rules.file,
        answer=answer_in_words,
        listed=FINDINGS,
        choices={"days": DAYS, "most": MOST},
        chosen={"days": days, "most": most},
        **(nothing | found),
    )
