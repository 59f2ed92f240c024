"""HTTP for testers: the switches that only the sandbox profile has.

Each concern has its file with a blueprint; they are listed here.
"""

from copy import deepcopy

from flask import Flask
from flask_smorest import Api

from supplier_api.http.openapi import OAUTH2
from supplier_api.sandbox.admin import clock, destinations, faults, journal, scenarios, state
from supplier_api.sandbox.admin.access import SCOPE
from supplier_api.sandbox.admin.parts import EXTENSION, AdminParts

BLUEPRINTS = (
    scenarios.scenarios,
    clock.clock,
    clock.fresh_start,
    destinations.destinations,
    faults.faults,
    state.idle,
    state.problems,
    journal.journal,
)

__all__ = ["AdminParts", "register"]


def register(app: Flask, api: Api, parts: AdminParts) -> None:
    """Add /admin to the application that `api` describes."""
    app.extensions[EXTENSION] = parts
    _describe_scope(api)
    for blueprint in BLUEPRINTS:
        api.register_blueprint(blueprint)


def _describe_scope(api: Api) -> None:
    """Offer the scope `admin` in the description's own token form."""
    schemes = api.spec.components.security_schemes
    oauth2 = deepcopy(schemes[OAUTH2])
    oauth2["flows"]["clientCredentials"]["scopes"][SCOPE] = "Switches for testers"
    schemes[OAUTH2] = oauth2
