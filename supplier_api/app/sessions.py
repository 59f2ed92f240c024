"""The sessions for calls to the gateway, and how its answers are read."""

from supplier_api.delivery.answers import AnswerTerms
from supplier_api.http_client.connections import ConnectionLimits
from supplier_api.http_client.sessions import Sessions
from supplier_api.settings import Settings


def answer_terms(settings: Settings) -> AnswerTerms:
    """Return what the answers of gateways are read by."""
    gateway = settings.gateway
    return AnswerTerms(gateway.already_received, frozenset(gateway.accept))


def build_sessions(settings: Settings) -> Sessions:
    """Return sessions for calls to the gateway, by the proxy and the authorities that are set."""
    gateway = settings.gateway
    return Sessions(
        connect_timeout=gateway.connect_timeout,
        ca_file=gateway.ca_file,
        proxy=gateway.proxy,
        no_proxy=gateway.no_proxy,
        limits=ConnectionLimits(gateway.connection_idle, gateway.connection_age),
    )
