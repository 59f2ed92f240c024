"""A gateway to talk to: everything a supplier or a tenant needs to try the other side.

An application of its own with a SQLite file of its own. Of the supplier it knows only the wire.

    app = create_app(config, machine_clock, id_source)
    app.extensions["sandbox"].start()
"""

from supplier_api.sandbox.gateway.assembly import SandboxGateway, serve
from supplier_api.sandbox.gateway.config import (
    AdminAccount,
    SandboxConfig,
    SupplierAccount,
    TenantAccount,
)
from supplier_api.sandbox.gateway.database import DatabaseUnusable
from supplier_api.sandbox.gateway.sender import Sender
from supplier_api.sandbox.gateway.web import create_app
from supplier_api.sandbox.gateway.webhook_sender import WebhookSender

__all__ = [
    "AdminAccount",
    "DatabaseUnusable",
    "SandboxConfig",
    "SandboxGateway",
    "Sender",
    "SupplierAccount",
    "TenantAccount",
    "WebhookSender",
    "create_app",
    "serve",
]
