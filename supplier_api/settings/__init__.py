"""What can be set, where each value came from, and what is refused.

The configuration files come first, then the environment; see `supplier_api.settings.load`.
"""

from supplier_api.settings.addresses import is_loopback
from supplier_api.settings.layers import SettingsError, SettingsFinding
from supplier_api.settings.load import (
    Resolved,
    load_settings,
    named_adapters,
    resolve_settings,
)
from supplier_api.settings.model import (
    AccessSettings,
    AdapterOptions,
    BackOfficeSettings,
    ClientSettings,
    DatabaseSettings,
    DeliverySettings,
    GatewaySettings,
    InventorySettings,
    LifecycleSettings,
    LogSettings,
    PartySettings,
    RulesSettings,
    SandboxSettings,
    ServerSettings,
    Settings,
)

__all__ = [
    "AccessSettings",
    "AdapterOptions",
    "BackOfficeSettings",
    "ClientSettings",
    "DatabaseSettings",
    "DeliverySettings",
    "GatewaySettings",
    "InventorySettings",
    "LifecycleSettings",
    "LogSettings",
    "PartySettings",
    "Resolved",
    "RulesSettings",
    "SandboxSettings",
    "ServerSettings",
    "Settings",
    "SettingsError",
    "SettingsFinding",
    "is_loopback",
    "load_settings",
    "named_adapters",
    "resolve_settings",
]
