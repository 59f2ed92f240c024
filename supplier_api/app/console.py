"""The console: built with what its pages need, and mounted beside the other doors."""

from collections.abc import Sequence
from functools import cache

from flask import Flask
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from supplier_api.audit import Audit
from supplier_api.auth.accounts import LOCAL, Accounts, Person, Role
from supplier_api.auth.signing_keys import session_secret
from supplier_api.backoffice.port import BackOffice
from supplier_api.console.access import LOOPBACK, Access
from supplier_api.console.app import MOUNT, create_console
from supplier_api.console.context import ConsoleContext
from supplier_api.console.pages import Page
from supplier_api.problems.rule_evaluation import RuleEvaluator
from supplier_api.problems.services import Services
from supplier_api.settings import Settings

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

    @cache
    def back_office() -> BackOffice:
        # It loads what calls others, which most pages do not need.
        from supplier_api.app.destinations import load_back_office

        return load_back_office(settings, services.store)

    open_to_all = settings.in_sandbox and settings.server.host in LOOPBACK
    context = ConsoleContext(
        settings=settings,
        services=services,
        rule_evaluator=rule_evaluator,
        audit=audit,
        back_office=back_office,
        access=Access(
            Accounts(services.store, services.machine, audit), ANYBODY if open_to_all else None
        ),
        secret=session_secret(services.store, services.machine),
    )
    console = create_console(context, first)
    app.extensions["console"] = console
    app.wsgi_app = DispatcherMiddleware(app.wsgi_app, {MOUNT: console})  # type: ignore[method-assign]
