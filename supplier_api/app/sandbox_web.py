"""Adds the test bench to a web server. Imported in the sandbox profile alone."""

from flask import Flask

from supplier_api.app import sandbox
from supplier_api.app.sessions import answer_terms, build_sessions
from supplier_api.audit import Audit
from supplier_api.auth import AccessTokens
from supplier_api.http.api_docs import TryClient
from supplier_api.http.gateway.errors import SupplierApi
from supplier_api.http.gateway.tokens import TOKEN_PATH
from supplier_api.problems.services import Services
from supplier_api.sandbox import admin
from supplier_api.sandbox.clock_sync import try_token
from supplier_api.sandbox.fault_injection.wsgi import inject_answer_faults
from supplier_api.sandbox.journal.capture import keep_requests, record_calls
from supplier_api.sandbox.scenarios.request_headers import EXTENSION as REQUEST_EXTENSION
from supplier_api.sandbox.tenant_destinations import address_of
from supplier_api.sandbox.virtual_clock import VirtualClock
from supplier_api.settings import Settings
from supplier_api.settings.secrets import KNOWN_SECRETS

__all__ = ["REQUEST_EXTENSION", "add_journal", "add_to_gateway", "admin_parts", "try_clients"]


def add_to_gateway(app: Flask, api: SupplierApi, parts: admin.AdminParts) -> None:
    """Add the testers' door, the faults of answers and the journal to the gateway's application."""
    admin.register(app, api, parts)
    keep_requests(app)
    inject_answer_faults(app, parts)
    _record(app, parts)


def add_journal(app: Flask, parts: admin.AdminParts) -> None:
    """Add the journal alone to the application of another door."""
    keep_requests(app)
    _record(app, parts)


def _record(app: Flask, parts: admin.AdminParts) -> None:
    record_calls(app, parts.recorder, parts.services.machine)
    app.extensions["recorder"] = parts.recorder


def try_clients(settings: Settings) -> list[TryClient]:
    """Return the clients that the page /docs calls as: those whose secrets everybody knows."""
    return [
        TryClient(path, name, secret, TOKEN_PATH)
        for path, name in (("/admin/", "admin"), ("/back-office/", "back-office"), ("/", "gateway"))
        if (client := settings.access.clients.get(name))
        if (secret := client.secret.get_secret_value()) in KNOWN_SECRETS
    ]


def admin_parts(
    settings: Settings, services: Services, tokens: AccessTokens, audit: Audit
) -> admin.AdminParts:
    """Return what the testers' door and the journal work with."""
    sessions, clock_sync = build_sessions(settings), sandbox.clock_sync(settings, services)
    return admin.AdminParts(
        services=services,
        settings=settings,
        tokens=tokens,
        audit=audit,
        virtual_clock=VirtualClock(services, clock_sync),
        clock_sync=clock_sync,
        recorder=sandbox.recorder(settings, services),
        try_token=lambda destination: try_token(
            address_of(destination, answer_terms(settings)), sessions, services.machine
        ),
    )
