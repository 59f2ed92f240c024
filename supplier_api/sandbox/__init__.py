"""A gateway to talk to: everything a supplier or a tenant needs to try the other side.

An application of its own with a SQLite file of its own. Of the supplier it knows only the wire.

    app = create_app(config, machine_clock, chance)
    app.extensions["sandbox"].start()
"""

from supplier_api.sandbox.assembly import Gateway
from supplier_api.sandbox.config import Admin, SandboxConfig, Supplier, Tenant
from supplier_api.sandbox.postman import Postman
from supplier_api.sandbox.sender import Sender
from supplier_api.sandbox.web import create_app

__all__ = [
    "Admin",
    "Gateway",
    "Postman",
    "SandboxConfig",
    "Sender",
    "Supplier",
    "Tenant",
    "create_app",
]
