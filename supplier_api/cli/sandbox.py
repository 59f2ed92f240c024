"""`supplier-api sandbox`: the gateway to try the supplier against."""

from urllib.parse import urljoin

import click

from supplier_api.chance import SystemChance
from supplier_api.cli import Refused
from supplier_api.clock import SystemMachineClock
from supplier_api.observability import configure_logging
from supplier_api.sandbox import SandboxConfig, SchemaMismatch, Supplier, Tenant, create_app
from supplier_api.sandbox.server import serve
from supplier_api.settings import Settings, load_settings


@click.command()
def sandbox() -> None:
    """Serve the sandbox gateway until Ctrl-C."""
    settings = load_settings()
    configure_logging(settings.log.level, settings.log.format)
    try:
        app = create_app(sandbox_config(settings), SystemMachineClock(), SystemChance())
        serve(app, settings.sandbox.host, settings.sandbox.port)
    except (SchemaMismatch, OSError) as error:
        raise Refused(str(error)) from None


def sandbox_config(settings: Settings) -> SandboxConfig:
    """Return what the gateway needs of the settings.

    Every supplier is called at the one URL; its token endpoint stands beside the prefix, not below.
    """
    known = settings.sandbox
    ours = settings.access.clients["gateway"]
    return SandboxConfig(
        database_url=known.database,
        tenants=tuple(
            Tenant(name, party.client_id, party.client_secret.get_secret_value())
            for name, party in known.tenants.items()
        ),
        suppliers=tuple(
            Supplier(
                name=name,
                client_id=party.client_id,
                client_secret=party.client_secret.get_secret_value(),
                url=known.supplier_url,
                token_url=urljoin(known.supplier_url, "/oauth2/token"),
                gateway_client_id="gateway",
                gateway_client_secret=ours.secret.get_secret_value(),
            )
            for name, party in known.suppliers.items()
        ),
        max_body=settings.server.max_body,
    )
