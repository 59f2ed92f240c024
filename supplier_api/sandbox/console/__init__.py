"""The console's page for testers: one problem travelling, drawn; clock, faults and journal."""

from flask import Blueprint

from supplier_api.console.pages import Page
from supplier_api.sandbox.admin import AdminParts
from supplier_api.sandbox.console import clock, faults, journal, raising, watch
from supplier_api.sandbox.console.bench import install

VIEWS = (watch, raising, clock, faults, journal)


def sandbox_page(parts: AdminParts) -> Page:
    """Return the page, which works with the same parts as the testers' door /admin."""
    blueprint = Blueprint("sandbox", __name__, url_prefix="/sandbox", template_folder="templates")
    blueprint.record(lambda state: install(state.app.extensions, parts))
    for each in VIEWS:
        each.add_to(blueprint)
    return Page(blueprint, "sandbox.show", "Sandbox")
