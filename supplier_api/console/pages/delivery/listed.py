"""Dead letters, what is parked behind them, and what waits: filtered, page by page."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask import Response, render_template, request, url_for

from supplier_api.console import live
from supplier_api.console.acts import ActRefused
from supplier_api.console.context import here
from supplier_api.console.pages.delivery.blueprint import blueprint
from supplier_api.console.pages.delivery.pauses import pauses_region
from supplier_api.contract.codes import ReasonCode
from supplier_api.db import UnitOfWork
from supplier_api.delivery import message_queries, pause_admin
from supplier_api.delivery.pause_admin import NothingSuchError
from supplier_api.delivery.time_window import TimeWindow
from supplier_api.http.request_parsing import whole_number
from supplier_api.outbox.messages import MessageFilter, MessageRepository
from supplier_api.outbox.model import MessageState
from supplier_api.problems.services import DESTINATIONS
from supplier_api.problems.work import ORDER_KINDS

PAGE = 50
# Each is found by an index that holds only what is not delivered. None: dead and parked.
STATES: Mapping[str, str] = {
    "": "dead letters and what is parked behind them",
    "dead": "dead letters",
    "parked": "parked behind a dead letter",
    "refused": "refused by the receiver",
    "expired": "too old to be tried again",
    "queued": "queued, parked or not",
}
KINDS = {
    "KCIs": [str(code) for code in ReasonCode],
    "work orders": [str(kind) for kind in ORDER_KINDS],
}
FIELDS = ("state", "destination", "tenant", "kind", "since", "until", "after")


class WrongFilter(ActRefused):
    """The address asks for what there cannot be; the text says what is expected."""

    def __init__(self, message: str) -> None:
        """Keep what is shown."""
        super().__init__(message, status=422)


@dataclass(frozen=True, slots=True)
class Listed:
    """A page of messages, as plain JSON values, and the row id that the next page begins after."""

    rows: list[dict[str, Any]]
    next_after: int | None


@blueprint.get("/")
def show() -> tuple[str, int]:
    """Show what is not delivered, and what holds delivery up."""
    given = _given()
    part, wrong = None, None
    try:
        _wanted(given)
        part = live.region("messages", url_for(".news", **given), _part)
    except WrongFilter as error:
        wrong = str(error)
    page = render_template(
        "delivery/page.html",
        part=part,
        pauses=pauses_region(),
        wrong=wrong,
        given=given,
        states=STATES,
        kinds=KINDS,
        words=message_queries.WORDS,
    )
    return page, 422 if wrong else 200


@blueprint.get("/news")
def news() -> Response:
    """Answer what changed in the list."""
    return live.answer("messages", url_for(".news", **_given()), _part)


def _part() -> str:
    given = _given()
    try:
        listed = here().services.store.read(lambda uow: _listed(uow, _wanted(given)))
    except NothingSuchError as error:
        text = f"{error}; these have: {', '.join(error.known)}"
        return render_template("delivery/none.html", text=text)
    return render_template("delivery/list.html", listed=listed, given=given, states=STATES)


def _given() -> dict[str, Any]:
    """Return the filters of the address, without the empty ones."""
    # PostgreSQL stores no NUL.
    fields = {name: request.args.get(name, "").replace("\0", "").strip() for name in FIELDS}
    return {name: value for name, value in fields.items() if value}


def _wanted(given: Mapping[str, str]) -> MessageFilter:
    """Return what the address asks for; raises WrongFilter."""
    state, destination = given.get("state", ""), given.get("destination")
    if state not in STATES:
        raise WrongFilter(f"state: expected one of {', '.join(filter(None, STATES))}")
    if destination not in {None, *DESTINATIONS}:
        raise WrongFilter(f"destination: expected one of {', '.join(DESTINATIONS)}")
    try:
        after = row_id(given.get("after", "0"))
        window = TimeWindow.given(
            given.get("since"), given.get("until"), here().services.machine.now()
        )
    except ValueError as error:
        raise WrongFilter(str(error)) from None
    return MessageFilter(
        destination=destination,
        state=state or None,
        tenant=given.get("tenant"),
        kind=given.get("kind"),
        since=window.since,
        until=window.until,
        after=after or None,
        limit=PAGE + 1,
    )


def row_id(text: str) -> int:
    """Return the row id that the next page begins after; raises ValueError."""
    number = whole_number(text, 0)
    if number is None:
        raise ValueError("after: expected the number that the page before wrote")
    return number


def _listed(uow: UnitOfWork, wanted: MessageFilter) -> Listed:
    if wanted.tenant is not None:
        pause_admin.check_tenant(uow, wanted.tenant)
    found = MessageRepository(uow).listed(wanted)
    rows = [
        {
            **message_queries.summary(stored),
            "word": message_queries.WORDS[stored.destination],
            "dead": stored.state in (MessageState.REFUSED, MessageState.EXPIRED),
        }
        for stored in found[:PAGE]
    ]
    return Listed(rows, found[PAGE - 1].id if len(found) > PAGE else None)
