"""HTTP for testers: the switches that only the sandbox profile has.

Each concern has its file with a function `routes(parts) -> Blueprint`; they are listed here.
"""

from collections.abc import Callable

from flask_smorest import Api, Blueprint

from supplier_api.sandbox.admin import (
    clock,
    destinations,
    faults,
    idle,
    journal,
    problems,
    reset,
    scenarios,
)
from supplier_api.sandbox.admin.access import Door
from supplier_api.sandbox.admin.dependencies import AdminParts
from supplier_api.sandbox.admin.description import describe_scope
from supplier_api.sandbox.admin.query_params import check_parameters

ROUTES: tuple[Callable[[AdminParts], Blueprint], ...] = (
    scenarios.routes,
    clock.routes,
    reset.routes,
    destinations.routes,
    faults.routes,
    idle.routes,
    problems.routes,
    journal.routes,
)
FLUSH = 2.0  # seconds for what was recorded to be stored


__all__ = ["AdminParts", "register"]


def register(api: Api, parts: AdminParts) -> None:
    """Add the testers' door to the application that `api` describes."""
    door = Door(parts)

    def write_journal() -> None:
        # What a tester does comes behind the calls that were made before.
        parts.recorder.flush(FLUSH)

    describe_scope(api)
    for routes in ROUTES:
        blueprint = routes(parts)
        blueprint.before_request(door.check)
        blueprint.before_request(check_parameters)
        blueprint.before_request(write_journal)
        api.register_blueprint(blueprint)
