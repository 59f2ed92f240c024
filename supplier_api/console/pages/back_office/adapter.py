"""The adapter to the back office: which it is, what it can do, what it is given, and a ping."""

from collections.abc import Iterator, Mapping

from flask import Response, render_template, url_for
from werkzeug.wrappers import Response as AnyResponse

from supplier_api.backoffice.ping import PingFailed, ping
from supplier_api.backoffice.port import (
    GROUP,
    BackOffice,
    Comments,
    Parses,
    Pings,
    Polls,
    Reads,
    UnknownAdapter,
)
from supplier_api.console import live
from supplier_api.console.acts import ActRefused, done
from supplier_api.console.context import here
from supplier_api.console.pages.back_office.blueprint import blueprint
from supplier_api.db import UnitOfWork
from supplier_api.logging import SafeToLog
from supplier_api.operations.plugins import find_adapters
from supplier_api.problems.inbox_repository import count_failed, waiting
from supplier_api.problems.ticket_repository import count_apart
from supplier_api.problems.work import ORDER_KINDS
from supplier_api.settings.secrets import shown

# What an adapter may be able to do besides taking orders, and what that is good for.
FEATURES: Mapping[str, tuple[type, str]] = {
    "ping": (Pings, "its system can be tried without any effect there"),
    "parse": (Parses, "webhooks of its system are understood"),
    "changed": (Polls, "its system is asked for what has changed"),
    "read": (Reads, "a single ticket can be looked at"),
    "comment": (Comments, "people are told in the ticket when it is put apart"),
}


@blueprint.get("/")
def show() -> str:
    """Show the adapter."""
    services, settings = here().services, here().settings
    adapter, fault = _loaded()
    return render_template(
        "back_office/adapter.html",
        name=services.adapter,
        package=_package(),
        fault=fault,
        can=[
            (name, isinstance(adapter, kind), meaning) for name, (kind, meaning) in FEATURES.items()
        ],
        pings=isinstance(adapter, Pings),
        kinds=[(kind, kind in services.order_kinds) for kind in ORDER_KINDS],
        options=list(_options()),
        pace=settings.backoffice.pace,
        hook=bool(settings.backoffice.hook_secret or settings.backoffice.hook_token),
        waits=live.region("waits", url_for(".news"), _waits),
    )


@blueprint.get("/news")
def news() -> Response:
    """Answer what changed about what waits for people."""
    return live.answer("waits", url_for(".news"), _waits)


@blueprint.post("/ping")
def try_ping() -> AnyResponse:
    """Try the adapter's system."""
    adapter, name = loaded(), here().services.adapter
    if not isinstance(adapter, Pings):
        raise ActRefused(f"the adapter {name} has no `ping`")
    try:
        said = ping(adapter)
    except PingFailed as error:
        text = "the adapter does not reach its system: look at the adapter's own settings"
        raise ActRefused(str(error), text, status=502) from None
    return done(f"The back office answers: {said}", ".show")


def loaded() -> BackOffice:
    """Return the adapter; raises ActRefused if it cannot be loaded."""
    adapter, fault = _loaded()
    if adapter is None:
        raise ActRefused(fault)
    return adapter


def _loaded() -> tuple[BackOffice | None, str]:
    """Return the adapter, or None and why it cannot be loaded."""
    try:
        return here().back_office(), ""
    except (UnknownAdapter, SafeToLog) as error:
        return None, str(error)
    except Exception as error:  # noqa: BLE001 - an adapter's own code
        return None, f"the adapter {here().services.adapter} raised {type(error).__name__}"


def _package() -> str:
    found = find_adapters(GROUP, here().services.adapter)
    return next((each.published_by for each in found if each.loaded), "")


def _options() -> Iterator[tuple[str, str]]:
    options = here().settings.backoffice.options
    for name in type(options).model_fields if options else ():
        yield name, shown(getattr(options, name))


def _waits() -> str:
    def work(uow: UnitOfWork) -> dict[str, int]:
        return {
            "apart": count_apart(uow),
            "queued": waiting(uow)[0],
            "failed": count_failed(uow),
        }

    return render_template("back_office/waits.html", **here().services.store.read(work))
