"""The console: built with what its pages need, and mounted beside the other doors."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from flask import Flask
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.middleware.proxy_fix import ProxyFix

from supplier_api.audit import Audit
from supplier_api.auth.accounts import LOCAL, Accounts, Person, Role
from supplier_api.auth.signing_keys import session_secret
from supplier_api.console.access import LOOPBACK, Access
from supplier_api.console.app import MOUNT, create_console
from supplier_api.console.context import ConsoleContext
from supplier_api.console.pages import Page
from supplier_api.problems.rule_evaluation import RuleEvaluator
from supplier_api.problems.services import Services
from supplier_api.settings import Settings

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

ANYBODY = Person(LOCAL, Role.ADMIN)


def mount_console(
    app: Flask,
    settings: Settings,
    services: Services,
    rule_evaluator: RuleEvaluator,
    audit: Audit,
    first: Sequence[Page] = (),
) -> None:
    """Answer what is asked under MOUNT by the console, whose first pages are `first`."""
    own = settings.console.listen
    host = own.host if own else settings.server.host
    open_to_all = settings.in_sandbox and host in LOOPBACK
    accounts = Accounts(services.store, services.machine, audit)
    context = ConsoleContext(
        settings=settings,
        services=services,
        rule_evaluator=rule_evaluator,
        audit=audit,
        access=Access(accounts, ANYBODY if open_to_all else None, settings.console.url),
        secret=session_secret(services.store, services.machine),
    )
    console = create_console(context, first)
    app.extensions["console"] = console
    mounted: WSGIApplication = console
    if proxies := settings.console.proxies:
        mounted = ProxyFix(console, x_for=proxies, x_proto=proxies)
    app.wsgi_app = DispatcherMiddleware(app.wsgi_app, {MOUNT: mounted})  # type: ignore[method-assign]
