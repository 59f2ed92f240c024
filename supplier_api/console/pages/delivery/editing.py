"""Opening a message unmasked, and editing a KCI.

Who wants to see what is personal says why; that is recorded, and good for an hour.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from flask import render_template, request
from werkzeug.wrappers import Response

from supplier_api.console import acts
from supplier_api.console.access import Role, person, requires
from supplier_api.console.acts import ActRefused, by, done, refusals
from supplier_api.console.context import here
from supplier_api.console.formats import pretty
from supplier_api.console.pages.delivery.blueprint import blueprint
from supplier_api.console.pages.delivery.message import seen_given, told
from supplier_api.console.pages.delivery.message_view import (
    MessageView,
    edits,
    is_opened,
    read_view,
)
from supplier_api.contract import MessageError
from supplier_api.contract.differences import FieldDifference, differences
from supplier_api.db.operator_actions import Operator
from supplier_api.delivery import message_queries
from supplier_api.delivery.kci_rewrite import whole_body
from supplier_api.delivery.message_actions import NotPossible
from supplier_api.delivery.message_admin import MessageAdmin, Result
from supplier_api.delivery.seen_message import ChangedMeanwhile


@dataclass(frozen=True, slots=True)
class EditFindings:
    """What a rehearsal of an edit found: what would be done, or why nothing would be."""

    wrong: Sequence[str] = ()
    result: Result | None = None
    changes: Sequence[FieldDifference] = field(default_factory=tuple)


@blueprint.post("/<uuid:message_id>/open")
@requires(Role.OPERATOR)
def open_message(message_id: UUID) -> Response:
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
    view = read_view(message_id)
    return _editor(view, pretty(view.shown["body"]), None)


@blueprint.post("/<uuid:message_id>/check")
@requires(Role.OPERATOR)
def check(message_id: UUID) -> str:
    """Show what an edit would do; nothing is done. htmx asks for the findings alone."""
    text = request.form.get("body", "")
    if "HX-Request" not in request.headers:
        _check_opened(message_id)
        view = read_view(message_id)
        return _editor(view, text, _rehearsed(message_id, text))
    try:
        _check_opened(message_id)
        findings = _rehearsed(message_id, text)
    except ActRefused as error:
        findings = EditFindings(error.messages)
    return render_template("delivery/findings.html", findings=findings)


@blueprint.post("/<uuid:message_id>/edit")
@requires(Role.OPERATOR)
def edit(message_id: UUID) -> Response | tuple[str, int]:
    """Send the edited body; one that is refused is shown again with the reasons."""
    operator, text, seen = by(), request.form.get("body", ""), seen_given()
    _check_opened(message_id)
    try:
        with refusals():
            change = whole_body(text.encode())
            result = MessageAdmin(here().services).edit(
                str(message_id), change, operator, and_record=_and_record(), seen=seen
            )
    except ActRefused as error:
        # Who sends it again has seen what happened meanwhile.
        return _editor(read_view(message_id), text, EditFindings(error.messages)), error.status
    return done(told(result), ".message", message_id=message_id)


def _editor(view: MessageView, text: str, findings: EditFindings | None) -> str:
    return render_template(
        "delivery/opened.html",
        view=view,
        message_id=view.shown["id"],
        changes=edits(view),
        text=text,
        findings=findings,
        reason=acts.field("reason"),
        and_record=_and_record(),
        seen=view.seen,
    )


def _rehearsed(message_id: UUID, text: str) -> EditFindings:
    operator, changes = Operator(person().name, "a rehearsal"), list[FieldDifference]()
    try:
        edited = whole_body(text.encode())

        def change(body: dict[str, Any]) -> Mapping[str, Any]:
            changes[:] = differences(body, edited(body))
            return edited(body)

        result = MessageAdmin(here().services).edit(
            str(message_id),
            change,
            operator,
            and_record=_and_record(),
            seen=seen_given(),
            rehearse=True,
        )
    except (MessageError, ChangedMeanwhile) as error:
        return EditFindings(error.messages)
    except (NotPossible, message_queries.NoSuchMessage) as error:
        return EditFindings([str(error)])
    return EditFindings(result=result, changes=changes)


def _and_record() -> bool:
    return bool(request.form.get("and_record"))


def _check_opened(message_id: UUID) -> None:
    if not is_opened(message_id):
        raise ActRefused("open the message first: who reads what is personal says why", status=403)
