"""HTTP as the gateway calls it: four calls, a token endpoint, and a description of them all.

Each concern has its file: the order of the doors in `door`, what is read of a request in `reading`,
errors in `errors`, what OpenAPI says in `description`.
"""

from supplier_api.http.gateway.dependencies import Dependencies, Desk
from supplier_api.http.gateway.register import register

__all__ = ["Dependencies", "Desk", "register"]
