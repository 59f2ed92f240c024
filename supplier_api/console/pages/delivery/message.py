"""One message: what is known of it, masked, and replaying and skipping it."""

from uuid import UUID

from flask import Response, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from supplier_api.console import live
from supplier_api.console.access import Role, requires
from supplier_api.console.acts import ActRefused, by, done, refusals
from supplier_api.console.context import here
from supplier_api.console.pages.delivery.blueprint import blueprint
from supplier_api.console.pages.delivery.message_view import (
    MessageView,
    edits,
    is_opened,
    masked,
    masked_change,
    read_view,
)
from supplier_api.db import UnitOfWork
from supplier_api.delivery import message_queries
from supplier_api.delivery.message_admin import MessageAdmin, Result
from supplier_api.delivery.seen_message import SeenMessage


@blueprint.get("/<uuid:message_id>")
def message(message_id: UUID) -> str:
    """Show a message, with what is personal masked."""
    view = read_view(message_id)
    url = url_for(".message_news", message_id=message_id, made=str(view.seen))
    return render_template(
        "delivery/message.html",
        view=view,
        message_id=message_id,
        part=live.region("message", url, lambda: _part(view, str(view.seen))),
        opened=is_opened(message_id),
    )


@blueprint.get("/<uuid:message_id>/news")
def message_news(message_id: UUID) -> Response:
    """Answer what changed of a message since its page was made."""
    made = request.args.get("made", "")
    url = url_for(".message_news", message_id=message_id, made=made)
    return live.answer("message", url, lambda: _part(read_view(message_id), made))


@blueprint.post("/<uuid:message_id>/replay")
@requires(Role.OPERATOR)
def replay(message_id: UUID) -> AnyResponse:
    """Send the message again."""
    operator, seen = by(), seen_given()
    with refusals():
        result = MessageAdmin(here().services).replay(
            _destination(message_id), str(message_id), operator, seen
        )
    return done(told(result), ".message", message_id=message_id)


@blueprint.post("/<uuid:message_id>/skip")
@requires(Role.OPERATOR)
def skip(message_id: UUID) -> AnyResponse:
    """Give the message up."""
    operator, seen = by(), seen_given()
    with refusals():
        result = MessageAdmin(here().services).skip(
            _destination(message_id), str(message_id), operator, seen
        )
    return done(told(result), ".message", message_id=message_id)


def _part(view: MessageView, made: str) -> str:
    return render_template(
        "delivery/message_part.html",
        view=view,
        shown=masked(view.shown),
        changes=[masked_change(each) for each in edits(view)],
        changed=made != str(view.seen),
    )


def seen_given() -> SeenMessage:
    """Return what the form says that was seen of the message; raises ActRefused."""
    try:
        return SeenMessage.read(request.form.get("seen", ""))
    except ValueError as error:
        raise ActRefused(f"seen: {error}", status=422) from None


def _destination(message_id: UUID) -> str:
    def read(uow: UnitOfWork) -> str:
        return message_queries.by_id(uow, str(message_id)).destination

    return here().services.store.read(read)


def told(result: Result) -> str:
    """Say what was done; of the record only which fields, since a notice stays in the browser."""
    mended = ", ".join(each.path for each in result.mended if not each.kept)
    kept = ", ".join(each.path for each in result.mended if each.kept)
    told = [str(result)]
    if mended:
        told.append(f"in the record too: {mended}")
    if kept:
        told.append(f"the record has changed since and stays: {kept}")
    return "; ".join(told)
