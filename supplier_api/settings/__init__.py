"""What can be set, where each value came from, and what is refused.

The configuration files come first, then the environment; see `supplier_api.settings.load`.
"""

from supplier_api.settings.addresses import is_loopback
from supplier_api.settings.errors import Finding, SettingsError
from supplier_api.settings.load import Resolved, load_settings, resolve_settings
from supplier_api.settings.model import (
    Access,
    BackOffice,
    Client,
    Database,
    Delivery,
    Gateway,
    Inventory,
    Lifecycle,
    Log,
    Party,
    Rules,
    Sandbox,
    Server,
    Settings,
)

__all__ = [
    "Access",
    "BackOffice",
    "Client",
    "Database",
    "Delivery",
    "Finding",
    "Gateway",
    "Inventory",
    "Lifecycle",
    "Log",
    "Party",
    "Resolved",
    "Rules",
    "Sandbox",
    "Server",
    "Settings",
    "SettingsError",
    "is_loopback",
    "load_settings",
    "resolve_settings",
]
