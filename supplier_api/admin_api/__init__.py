"""HTTP for testers: the switches that only the sandbox profile has.

Each concern has its file with a function `routes(parts) -> Blueprint`; they are listed here.
"""

from collections.abc import Callable

from flask_smorest import Api, Blueprint

from supplier_api.admin_api import clock, destinations, faults, idle, problems, reset, scenarios
from supplier_api.admin_api.access import Door
from supplier_api.admin_api.description import describe_scope
from supplier_api.admin_api.parts import AdminParts

ROUTES: tuple[Callable[[AdminParts], Blueprint], ...] = (
    scenarios.routes,
    clock.routes,
    reset.routes,
    destinations.routes,
    faults.routes,
    idle.routes,
    problems.routes,
)

__all__ = ["AdminParts", "register"]


def register(api: Api, parts: AdminParts) -> None:
    """Add the testers' door to the application that `api` describes."""
    door = Door(parts)
    describe_scope(api)
    for routes in ROUTES:
        blueprint = routes(parts)
        blueprint.before_request(door.check)
        api.register_blueprint(blueprint)
