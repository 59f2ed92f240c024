"""The inbox: webhooks of the back office, those that could not be applied above all."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from flask import Response, abort, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from supplier_api.backoffice.inbox_admin import (
    POSSIBLE,
    InboxAdmin,
    InboxRefused,
    NoSuchWebhook,
    summary,
)
from supplier_api.backoffice.mapping_values import MappingFailed
from supplier_api.backoffice.port import Parses
from supplier_api.console import live
from supplier_api.console.acts import ActRefused, by, done
from supplier_api.console.context import here
from supplier_api.console.formats import pretty
from supplier_api.console.pages.back_office.adapter import loaded
from supplier_api.console.pages.back_office.blueprint import NUMBER, blueprint, row_id
from supplier_api.contract import RequestRefused, read_json
from supplier_api.contract.personal import PLACEHOLDER
from supplier_api.db import UnitOfWork
from supplier_api.problems.inbox_repository import InboxRepository, InboxState, StoredWebhook

AT_ONCE = 50
WAITING = "waiting"
LISTS = {WAITING: "waiting or failed", "failed": "failed", "queued": "waiting", "all": "all"}


@blueprint.get("/inbox")
def inbox() -> str:
    """List webhooks: those that wait and have failed, the oldest first; or all, the newest."""
    chosen = request.args.get("state", WAITING)
    if chosen not in LISTS:
        raise ActRefused(f"state: expected one of {', '.join(LISTS)}", status=422)
    before = row_id("before")
    url = url_for(".inbox_news", state=chosen, before=before)
    return render_template(
        "back_office/inbox.html",
        lists=LISTS,
        chosen=chosen,
        webhooks=live.region("webhooks", url, lambda: _listed(chosen, before)),
    )


@blueprint.get("/inbox/news")
def inbox_news() -> Response:
    """Answer what changed about the list."""
    chosen, before = request.args.get("state", ""), row_id("before")
    if chosen not in LISTS:
        abort(404)
    url = url_for(".inbox_news", state=chosen, before=before)
    return live.answer("webhooks", url, lambda: _listed(chosen, before))


@blueprint.get(f"/inbox/<{NUMBER}>")
def webhook(number: int) -> str:
    """Show a webhook: what the adapter reads in it, and its form, without what is written there."""
    found = here().services.store.read(lambda uow: InboxRepository(uow).get(number))
    if found is None:
        abort(404, f"there is no webhook {number}")
    return _page(found, _outline(found.body), masked=True)


@blueprint.post(f"/inbox/<{NUMBER}>/body")
def webhook_body(number: int) -> str:
    """Show a webhook as it came; who sees it and why is recorded."""
    who = by()
    with _refusals():
        found = InboxAdmin(here().services).unmask(number, who.who, who.reason)
    return _page(found, found.body.decode(errors="replace"), masked=False)


@blueprint.post(f"/inbox/<{NUMBER}>/replay")
def replay_webhook(number: int) -> AnyResponse:
    """Have a webhook applied again, now."""
    who = by()
    with _refusals():
        was = InboxAdmin(here().services).replay(number, who.who, who.reason)
    return done(f"{number}: {was.state} before, queued and due now.", ".webhook", number=number)


@blueprint.post(f"/inbox/<{NUMBER}>/skip")
def skip_webhook(number: int) -> AnyResponse:
    """Never apply a webhook."""
    who = by()
    with _refusals():
        was = InboxAdmin(here().services).skip(number, who.who, who.reason)
    return done(f"{number}: {was.state} before, skipped now.", ".webhook", number=number)


@contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except NoSuchWebhook as error:
        raise ActRefused(str(error), status=404) from None
    except InboxRefused as error:
        raise ActRefused(str(error)) from None


def _listed(chosen: str, before: int | None) -> str:
    def work(uow: UnitOfWork) -> list[StoredWebhook]:
        repository = InboxRepository(uow)
        if chosen == "all":
            return repository.newest(before, AT_ONCE + 1)
        state = None if chosen == WAITING else InboxState(chosen)
        return repository.listed(state, AT_ONCE + 1)

    found = here().services.store.read(work)
    return render_template(
        "back_office/webhooks.html",
        webhooks=[summary(each) for each in found[:AT_ONCE]],
        more=len(found) > AT_ONCE,
        chosen=chosen,
        before=before,
    )


def _page(found: StoredWebhook, body: str, *, masked: bool) -> str:
    understood, fault = _understood(found)
    return render_template(
        "back_office/webhook.html",
        webhook=summary(found),
        headers=dict(found.headers),
        body=body,
        masked=masked,
        understood=understood,
        fault=fault,
        possible=POSSIBLE[found.state],
    )


def _understood(found: StoredWebhook) -> tuple[list[dict[str, Any]], str]:
    """Return what the adapter reads in a webhook, masked; or nothing, and why."""
    try:
        adapter = loaded()
        if not isinstance(adapter, Parses):
            return [], f"the adapter {here().services.adapter} understands no webhooks"
        return [each.shown() for each in adapter.parse(found.headers, found.body)], ""
    except (ActRefused, MappingFailed) as error:
        return [], str(error)
    except Exception as error:  # noqa: BLE001 - of an adapter; its text may hold what is in the webhook
        return [], f"the adapter raised {type(error).__name__}"


def _outline(body: bytes) -> str:
    """Return the form of a JSON body: its keys, with the placeholder for every text and number."""
    try:
        return pretty(_masked(read_json(body)))
    except RequestRefused as error:
        return f"{len(body)} bytes: {error}"


def _masked(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _masked(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_masked(each) for each in value]
    return value if value is None or isinstance(value, bool) else PLACEHOLDER
