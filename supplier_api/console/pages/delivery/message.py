"""One message: what is known of it, and replaying, editing and skipping it.

What is personal in it is masked. Who wants to see or edit it says why; that is recorded, and good
for an hour.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

from flask import Response, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from supplier_api.console import acts, live
from supplier_api.console.access import Role, person, requires
from supplier_api.console.acts import ActRefused, by, done, refusals
from supplier_api.console.context import here
from supplier_api.console.formats import pretty
from supplier_api.console.pages.delivery.blueprint import blueprint
from supplier_api.contract import MessageError
from supplier_api.contract.differences import Difference, differences
from supplier_api.contract.personal import PERSONAL_FIELDS, PLACEHOLDER, masked_inside
from supplier_api.db import UnitOfWork
from supplier_api.db.operator_actions import Operator, OperatorActionRepository
from supplier_api.delivery import message_queries
from supplier_api.delivery.kci_rewrite import whole_body
from supplier_api.delivery.message_actions import COMMANDS, MessageAction, NotPossible, why_not
from supplier_api.delivery.message_admin import OPEN, MessageAdmin, Result
from supplier_api.delivery.seen_message import ChangedMeanwhile, SeenMessage
from supplier_api.outbox.messages import MessageRepository

OPENED_FOR = timedelta(hours=1)
SHOWN = 20  # messages of a lane
# A receiver's refusal names a field first, as in `serviceProblem.notes: not that`.
_FIELD_FIRST = re.compile(r"([A-Za-z0-9_.\[\]]{1,100}): .*", re.DOTALL)


@dataclass(frozen=True, slots=True)
class MessageView:
    """A message as its page shows it: plain values, what is possible, and its lane."""

    word: str
    seen: SeenMessage
    shown: Mapping[str, Any]
    why_not: Mapping[MessageAction, str | None]
    lane: Sequence[Mapping[str, Any]]
    more_in_lane: bool


@dataclass(frozen=True, slots=True)
class Findings:
    """What a rehearsal of an edit found: what would be done, or why nothing would be."""

    wrong: Sequence[str] = ()
    result: Result | None = None
    changes: Sequence[Difference] = field(default_factory=tuple)


@blueprint.get("/<uuid:message_id>")
def message(message_id: UUID) -> str:
    """Show a message, with what is personal masked."""
    view = _view(message_id)
    url = url_for(".message_news", message_id=message_id, made=str(view.seen))
    return render_template(
        "delivery/message.html",
        view=view,
        message_id=message_id,
        part=live.region("message", url, lambda: _part(view, str(view.seen))),
        opened=_is_opened(message_id),
    )


@blueprint.get("/<uuid:message_id>/news")
def message_news(message_id: UUID) -> Response:
    """Answer what changed of a message since its page was made."""
    made = request.args.get("made", "")
    url = url_for(".message_news", message_id=message_id, made=made)
    return live.answer("message", url, lambda: _part(_view(message_id), made))


@blueprint.post("/<uuid:message_id>/open")
@requires(Role.OPERATOR)
def open_message(message_id: UUID) -> AnyResponse:
    """Record that the message is looked at unmasked, and show it."""
    operator = by()
    with refusals():
        MessageAdmin(here().services).open(str(message_id), operator)
    text = "Opened; that is recorded with your name and reason"
    return done(text, ".opened", message_id=message_id)


@blueprint.get("/<uuid:message_id>/opened")
@requires(Role.OPERATOR)
def opened(message_id: UUID) -> str:
    """Show a message with what is personal in it, to who opened it lately, and have it edited."""
    _check_opened(message_id)
    view = _view(message_id)
    return _editor(view, pretty(view.shown["body"]), None)


@blueprint.post("/<uuid:message_id>/check")
@requires(Role.OPERATOR)
def check(message_id: UUID) -> str:
    """Show what an edit would do; nothing is done. htmx asks for the findings alone."""
    alone, text = "HX-Request" in request.headers, request.form.get("body", "")
    try:
        _check_opened(message_id)
        view = _view(message_id)
        findings = _rehearsed(view, text)
    except ActRefused as error:
        if not alone:
            raise
        return render_template("delivery/findings.html", findings=Findings(error.messages))
    if alone:
        return render_template("delivery/findings.html", findings=findings)
    return _editor(view, text, findings)


@blueprint.post("/<uuid:message_id>/edit")
@requires(Role.OPERATOR)
def edit(message_id: UUID) -> AnyResponse | tuple[str, int]:
    """Send the edited body; one that is refused is shown again with the reasons."""
    operator, text, seen = by(), request.form.get("body", ""), _seen()
    _check_opened(message_id)
    try:
        with refusals():
            change = whole_body(text.encode())
            result = MessageAdmin(here().services).edit(
                str(message_id), change, operator, and_record=_and_record(), seen=seen
            )
    except ActRefused as error:
        # Who sends it again has seen what happened meanwhile.
        return _editor(_view(message_id), text, Findings(error.messages)), error.status
    return done(_told(result), ".message", message_id=message_id)


@blueprint.post("/<uuid:message_id>/replay")
@requires(Role.OPERATOR)
def replay(message_id: UUID) -> AnyResponse:
    """Send the message again."""
    operator, seen = by(), _seen()
    with refusals():
        result = MessageAdmin(here().services).replay(
            _destination(message_id), str(message_id), operator, seen
        )
    return done(_told(result), ".message", message_id=message_id)


@blueprint.post("/<uuid:message_id>/skip")
@requires(Role.OPERATOR)
def skip(message_id: UUID) -> AnyResponse:
    """Give the message up."""
    operator, seen = by(), _seen()
    with refusals():
        result = MessageAdmin(here().services).skip(
            _destination(message_id), str(message_id), operator, seen
        )
    return done(_told(result), ".message", message_id=message_id)


# -- what the pages show


def _view(message_id: UUID) -> MessageView:
    def read(uow: UnitOfWork) -> MessageView:
        stored = message_queries.by_id(uow, str(message_id))
        messages = MessageRepository(uow)
        behind = messages.held_by(stored.lane_id) if stored.parked else None
        lane = messages.undelivered(stored.problem_id, stored.destination)
        return MessageView(
            word=message_queries.WORDS[stored.destination],
            seen=SeenMessage.of(uow, stored),
            shown={
                **message_queries.show(uow, stored),
                "destination": stored.destination,
                "reference": stored.reference,
            },
            why_not=why_not(stored, behind),
            lane=[message_queries.summary(each) for each in lane[:SHOWN]],
            more_in_lane=len(lane) > SHOWN,
        )

    with refusals():
        return here().services.store.read(read)


def _part(view: MessageView, made: str) -> str:
    return render_template(
        "delivery/message_part.html",
        view=view,
        shown=_masked(view.shown),
        changes=[_masked_change(each) for each in _edits(view)],
        changed=made != str(view.seen),
    )


def _editor(view: MessageView, text: str, findings: Findings | None) -> str:
    return render_template(
        "delivery/opened.html",
        view=view,
        message_id=view.shown["id"],
        changes=_edits(view),
        text=text,
        findings=findings,
        reason=acts.field("reason"),
        and_record=_and_record(),
        seen=view.seen,
    )


def _edits(view: MessageView) -> list[Difference]:
    """Return what differs from the message as it was at first."""
    original = view.shown["original"]
    return [] if original is None else list(differences(original, view.shown["body"]))


def _masked(shown: Mapping[str, Any]) -> dict[str, Any]:
    refusal = dict(shown["refusal"] or {})
    if "messages" in refusal:
        refusal["messages"] = [_masked_words(str(each)) for each in refusal["messages"]]
    return {**shown, "body": masked_inside(shown["body"]), "refusal": refusal}


def _masked_words(text: str) -> str:
    """Leave of what a receiver said the field that it names: the rest may quote what it holds."""
    named = _FIELD_FIRST.fullmatch(text)
    return f"{named[1]}: {PLACEHOLDER}" if named else PLACEHOLDER


def _masked_change(change: Difference) -> Difference:
    if PERSONAL_FIELDS & set(re.split(r"[.\[]", change.path)):
        return Difference(change.path, PLACEHOLDER, PLACEHOLDER)
    return Difference(change.path, masked_inside(change.old), masked_inside(change.new))


# -- what the forms carry


def _rehearsed(view: MessageView, text: str) -> Findings:
    operator = Operator(person().name, "a rehearsal")
    name, changes = view.shown["id"], list[Difference]()

    try:
        edited = whole_body(text.encode())

        def change(body: dict[str, Any]) -> Mapping[str, Any]:
            changes[:] = differences(body, edited(body))
            return edited(body)

        result = MessageAdmin(here().services).edit(
            name, change, operator, and_record=_and_record(), seen=_seen(), rehearse=True
        )
    except (MessageError, ChangedMeanwhile) as error:
        return Findings(error.messages)
    except (NotPossible, message_queries.NoSuchMessage) as error:
        return Findings([str(error)])
    return Findings(result=result, changes=changes)


def _seen() -> SeenMessage:
    try:
        return SeenMessage.read(request.form.get("seen", ""))
    except ValueError as error:
        raise ActRefused(f"seen: {error}", status=422) from None


def _and_record() -> bool:
    return bool(request.form.get("and_record"))


def _destination(message_id: UUID) -> str:
    def read(uow: UnitOfWork) -> str:
        return message_queries.by_id(uow, str(message_id)).destination

    return here().services.store.read(read)


def _told(result: Result) -> str:
    """Say what was done; of the record only which fields, since a notice stays in the browser."""
    mended = ", ".join(each.path for each in result.mended if not each.kept)
    kept = ", ".join(each.path for each in result.mended if each.kept)
    told = [str(result)]
    if mended:
        told.append(f"in the record too: {mended}")
    if kept:
        told.append(f"the record has changed since and stays: {kept}")
    return "; ".join(told)


# -- who may see what is personal


def _is_opened(message_id: UUID) -> bool:
    """Return whether this person opened the message within the last hour."""
    name, services = str(message_id), here().services
    since = services.machine.now() - OPENED_FOR
    names = {f"{command} {OPEN}" for command in COMMANDS.values()}
    done_to_it = services.store.read(lambda uow: OperatorActionRepository(uow).of_message(name))
    return any(
        each.action in names and each.who == person().name and each.at > since
        for each in done_to_it
    )


def _check_opened(message_id: UUID) -> None:
    if not _is_opened(message_id):
        raise ActRefused("open the message first: who reads what is personal says why", status=403)
