"""`supplier-api inventory`: what the inventory says of a service, as the rules would be told."""

import time

import click

from supplier_api.cli import example
from supplier_api.cli.errors import CommandRefused
from supplier_api.cli.options import with_json
from supplier_api.cli.output import columns, print_either
from supplier_api.rules.inventory import load_inventory
from supplier_api.rules.stored_facts import service_document
from supplier_api.settings import load_settings


@click.group(epilog=example("supplier-api inventory find SI0000000000001"))
def inventory() -> None:
    """Look at the services."""


@inventory.command(epilog=example("supplier-api inventory find SI0000000000008 --tenant TENANT2"))
@click.argument("service_id", metavar="SERVICE")
@click.option("--tenant", default="TENANT1", show_default=True, help="Who asks.")
@with_json
def find(service_id: str, tenant: str, as_json: bool) -> None:
    """Ask the configured inventory for SERVICE, as a request of the tenant would.

    It has half the answer budget. One that another tenant owns is not there.
    """
    settings = load_settings()
    seconds = settings.server.answer_budget / 2
    begun = time.monotonic()
    try:
        found = load_inventory(settings.inventory).ask(tenant, service_id, seconds)
    except TimeoutError:
        raise CommandRefused(f"{settings.inventory.adapter}: no answer in {seconds:g} s") from None
    except Exception as error:
        why = f"raised {type(error).__name__}: {error}"
        raise CommandRefused(f"{settings.inventory.adapter}: {why}") from error
    took = time.monotonic() - begun
    if found is None:
        raise CommandRefused(f"the inventory has no service {service_id} for {tenant}")
    document = service_document(found)
    rows = [(name, _shown(value)) for name, value in document.items()]
    lines = [*columns(rows), f"answered by {settings.inventory.adapter} in {took * 1000:.0f} ms"]
    print_either(document, lines, as_json=as_json)


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple | list):
        return ", ".join(map(str, value))
    return "-" if value is None else str(value)
