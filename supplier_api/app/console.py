"""The console: built with what its pages need, and mounted beside the other doors."""

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

from flask import Flask
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.middleware.proxy_fix import ProxyFix

from supplier_api.audit import Audit
from supplier_api.auth.accounts import LOCAL, Accounts, By, Person, Role
from supplier_api.auth.signing_keys import session_secret
from supplier_api.backoffice.port import BackOffice
from supplier_api.console.access import Access
from supplier_api.console.app import MOUNT, create_console
from supplier_api.console.context import ConsoleContext
from supplier_api.console.pages import Page
from supplier_api.problems.rule_evaluation import RuleEvaluator
from supplier_api.problems.services import Services
from supplier_api.settings import Settings
from supplier_api.settings.addresses import (
    callers_share_an_address,
    console_is_open,
    console_url,
)

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

ANYBODY = Person(LOCAL, Role.ADMIN)


def new_sign_in_link(settings: Settings, accounts: Accounts, by: By) -> str:
    """Return a link that signs in once, as an admin, within ten minutes."""
    return f"{console_url(settings)}sign-in/link/{accounts.new_link(by)}"


def mount_console(
    app: Flask,
    settings: Settings,
    services: Services,
    rule_evaluator: RuleEvaluator,
    audit: Audit,
    first: Sequence[Page] = (),
) -> None:
    """Answer what is asked under MOUNT by the console, whose first pages are `first`."""
    accounts = Accounts(
        services.store,
        services.machine,
        audit,
        by_address=not callers_share_an_address(settings),
    )
    anybody = ANYBODY if console_is_open(settings) else None

    @cache
    def back_office() -> BackOffice:
        # It loads what calls others, which most pages do not need.
        from supplier_api.app.destinations import load_back_office

        return load_back_office(settings, services.store)

    context = ConsoleContext(
        settings=settings,
        services=services,
        rule_evaluator=rule_evaluator,
        audit=audit,
        access=Access(accounts, anybody, settings.console.url),
        back_office=back_office,
        secret=session_secret(services.store, services.machine),
    )
    console = create_console(context, first)
    app.extensions["console"] = console
    mounted: WSGIApplication = console
    if proxies := settings.console.proxies:
        mounted = ProxyFix(console, x_for=proxies, x_proto=proxies)
    app.wsgi_app = DispatcherMiddleware(app.wsgi_app, {MOUNT: mounted})  # type: ignore[method-assign]
