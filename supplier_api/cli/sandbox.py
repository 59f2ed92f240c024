"""`supplier-api sandbox`: the gateway to try suppliers against, and a tenant's calls to it."""

from urllib.parse import urljoin

import click

from supplier_api import health
from supplier_api.cli import example, local
from supplier_api.cli.errors import CommandRefused
from supplier_api.cli.sandbox_calls import COMMANDS, sandbox_settings
from supplier_api.clock import SystemMachineClock
from supplier_api.ids import SystemIdSource
from supplier_api.logging import configure_logging
from supplier_api.sandbox.gateway import (
    AdminAccount,
    DatabaseUnusable,
    SandboxConfig,
    SupplierAccount,
    TenantAccount,
    create_app,
    serve,
)
from supplier_api.settings import PartySettings, Settings
from supplier_api.settings.listen import ListenAddress
from supplier_api.settings.model import SupplierPartySettings
from supplier_api.settings.secrets import KNOWN_SECRETS

ADMIN_SCOPE = "admin"


@click.group(
    invoke_without_command=True,
    epilog=example("supplier-api sandbox", "supplier-api sandbox raise --watch"),
)
@click.pass_context
def sandbox(context: click.Context) -> None:
    """Serve the sandbox gateway until Ctrl-C, or be a tenant of one that is served."""
    if context.invoked_subcommand is not None:
        return
    settings = sandbox_settings()
    configure_logging(settings.log.level, settings.log.format)
    address = ListenAddress(settings.sandbox.host, settings.sandbox.port)
    local.check_free(address, ("sandbox", "port"))
    try:
        app = create_app(sandbox_config(settings), SystemMachineClock(), SystemIdSource())
        with health.registered(settings.data_dir, "sandbox", [local.ready_url(settings.sandbox)]):
            serve(app, local.ip_address_of(settings.sandbox.host), settings.sandbox.port)
    except DatabaseUnusable as error:
        raise CommandRefused(str(error)) from None


for command in COMMANDS:
    sandbox.add_command(command)


def sandbox_config(settings: Settings) -> SandboxConfig:
    """Return what the gateway needs of the settings.

    Testers of our own supplier have the same client here.
    """
    known = settings.sandbox
    return SandboxConfig(
        database_url=known.database,
        tenants=tuple(
            TenantAccount(
                name, *_credentials(party), url=party.url.rstrip("/") if party.url else None
            )
            for name, party in known.tenants.items()
        ),
        suppliers=tuple(
            _supplier(name, party, settings) for name, party in known.suppliers.items()
        ),
        admins=tuple(
            AdminAccount(name, name, client.secret.get_secret_value())
            for name, client in settings.access.clients.items()
            if ADMIN_SCOPE in client.scopes
        ),
        max_body=settings.server.max_body,
        docs=settings.server.docs,
        known_secrets=KNOWN_SECRETS,
        adopt=known.adopt,
    )


def _supplier(name: str, party: SupplierPartySettings, settings: Settings) -> SupplierAccount:
    """Return a supplier; where nothing is said of it, it is our own.

    A token endpoint stands beside a URL's path, not below it.
    """
    client_id, client_secret = _credentials(party)
    url = (party.url or settings.sandbox.supplier_url).rstrip("/")
    ours = settings.access.clients["gateway"].secret
    return SupplierAccount(
        name=name,
        client_id=client_id,
        client_secret=client_secret,
        url=url,
        token_url=party.token_url or urljoin(url, "/oauth2/token"),
        gateway_client_id=party.gateway_client_id or "gateway",
        gateway_client_secret=(party.gateway_client_secret or ours).get_secret_value(),
        ours=party.url is None,
    )


def _credentials(party: PartySettings) -> tuple[str, str]:
    return party.client_id, party.client_secret.get_secret_value()
