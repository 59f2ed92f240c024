"""How calls to the gateway leave the house."""

from supplier_api.delivery.sessions import Sessions
from supplier_api.http_client.connections import Limits
from supplier_api.settings import Settings


def build_sessions(settings: Settings) -> Sessions:
    """Return sessions for calls to the gateway, on the road that the settings describe."""
    gateway = settings.gateway
    return Sessions(
        connect_timeout=gateway.connect_timeout,
        ca_file=gateway.ca_file,
        proxy=gateway.proxy,
        no_proxy=gateway.no_proxy,
        limits=Limits(gateway.connection_idle, gateway.connection_age),
    )
