"""Replaying what was made in a window and is not delivered: first shown, then done.

A window may hold any number of problems; it is gone through in steps of so many that a page can
show them.
"""

from dataclasses import dataclass
from typing import Any

from flask import flash, redirect, render_template, request, url_for
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response

from supplier_api.clock import to_wire
from supplier_api.console.access import Role, person, requires
from supplier_api.console.acts import ActRefused, by, done
from supplier_api.console.context import here
from supplier_api.console.pages.delivery.blueprint import blueprint
from supplier_api.console.pages.delivery.listed import row_id
from supplier_api.db.operator_actions import Operator
from supplier_api.delivery.message_actions import COMMANDS
from supplier_api.delivery.message_admin import MessageAdmin, Result
from supplier_api.delivery.message_queries import WORDS
from supplier_api.delivery.time_window import TimeWindow
from supplier_api.problems.services import DESTINATIONS

STEP = 20  # problems; each is locked for a moment, also to show what would be done
TOLD = 5  # messages that were left, named after it is done


@dataclass(frozen=True, slots=True)
class WindowStep:
    """The problems of a window that one page shows: those behind row id `after`."""

    destination: str
    window: TimeWindow
    after: int
    problems: list[int]

    @property
    def last(self) -> int | None:
        """The row id that the next step begins behind; None if there is none."""
        return self.problems[STEP - 1] if len(self.problems) > STEP else None

    def replay(self, by: Operator, *, rehearse: bool) -> list[Result]:
        """Replay their messages, or only return what would be done."""
        admin = MessageAdmin(here().services)
        return [
            result
            for problem_id in self.problems[:STEP]
            for result in admin.replay_window(
                self.destination, problem_id, self.window, by, rehearse=rehearse
            )
        ]

    def values(self) -> dict[str, Any]:
        """Return it as the fields of a form."""
        ends = {"since": self.window.since, "until": self.window.until}
        given = {name: to_wire(end) for name, end in ends.items() if end}
        return {"destination": self.destination, **given, "after": str(self.after)}


@blueprint.get("/window")
@requires(Role.OPERATOR)
def rehearsed() -> str:
    """Show what a replay of the window would do; nothing is done."""
    step = _step(request.args)
    results = step.replay(Operator(person().name, "a rehearsal"), rehearse=True)
    return render_template(
        "delivery/window.html",
        results=results,
        count=sum(each.done for each in results),
        step=step,
        word=WORDS[step.destination],
        command=COMMANDS[step.destination],
    )


@blueprint.post("/window")
@requires(Role.OPERATOR)
def replay_window() -> Response:
    """Replay what the list showed, as far as it is still undelivered."""
    operator, step = by(), _step(request.form)
    results = step.replay(operator, rehearse=False)
    left = [str(each) for each in results if not each.done]
    for text in left[:TOLD]:
        flash(text)
    text = f"{len(results) - len(left)} replayed"
    text += f", {len(left)} left as they were" if left else ""
    if step.last is None:
        return done(text, ".show")
    flash(f"{text}; these are the next of the window")
    return redirect(url_for(".rehearsed", **{**step.values(), "after": step.last}), 303)


def _step(given: MultiDict[str, str]) -> WindowStep:
    """Return what a form or an address names; raises ActRefused."""
    services = here().services
    destination = given.get("destination", "")
    if destination not in DESTINATIONS:
        expected = f"destination: expected one of {', '.join(DESTINATIONS)}"
        raise ActRefused(expected, status=422)
    since, until = (given.get(name, "").strip() or None for name in ("since", "until"))
    if not (since or until):
        raise ActRefused("since: expected an age or a date-time, here or in until", status=422)
    now = services.machine.now()
    try:
        # What is made after the list was shown is not of it.
        window = TimeWindow.given(since, until or to_wire(now), now)
        after = row_id(given.get("after", "0"))
    except ValueError as error:
        raise ActRefused(str(error), status=422) from None
    problems = MessageAdmin(services).waiting(destination, window, after=after, limit=STEP + 1)
    return WindowStep(destination, window, after, problems)
