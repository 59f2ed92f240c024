"""`supplier-api serve`: the web server."""

import gc
import signal
from collections.abc import Sequence

import click
from flask import Flask

from supplier_api import health
from supplier_api.app.web import build_heartbeat, build_server, create_apps
from supplier_api.audit import Audit
from supplier_api.auth.accounts import Accounts, By
from supplier_api.cli import example, local
from supplier_api.cli.errors import CommandRefused
from supplier_api.http.server import HttpServer
from supplier_api.http.serving import serve as serve_http
from supplier_api.logging import configure_logging, get_logger
from supplier_api.problems.services import Services
from supplier_api.settings import Settings, load_settings
from supplier_api.settings.addresses import console_is_open
from supplier_api.settings.doors import SETTINGS, Door, Listener, listeners
from supplier_api.settings.schema import variable

LAST_SIGN = 0.5  # seconds for the last sign of life

log = get_logger(__name__)


@click.command(epilog=example("supplier-api serve", "supplier-api serve --door gateway"))
@click.option(
    "--door",
    "doors",
    type=click.Choice([str(door) for door in Door]),
    multiple=True,
    help="Serve this door alone; may be repeated. [default: all that are configured]",
)
def serve(doors: Sequence[str]) -> None:
    """Serve the supplier's API until Ctrl-C.

    Each door that has a listener of its own has threads of its own.
    """
    # Nothing that is imported or built is garbage.
    gc.disable()
    settings = load_settings()
    configure_logging(settings.log.level, settings.log.format)
    found = _listeners(settings, [Door(door) for door in doors])
    # What is loaded at the start is new anyway.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    apps = create_apps(settings, [listener.doors for listener in found])
    servers = [_server(app, settings, listener) for app, listener in zip(apps, found, strict=True)]
    upkeep, audit = apps[0].extensions["upkeep"], apps[0].extensions["audit"]
    signal.signal(signal.SIGHUP, upkeep.reload)
    heartbeat = build_heartbeat(apps[0], settings)

    def ready() -> None:
        audit.start()
        upkeep.start()
        heartbeat.start()
        for listener in found:
            host, port = listener.address.host, listener.address.port
            log.info("serving", host=host, port=port, doors=", ".join(listener.doors))
        _say_how_to_sign_in(settings, apps[0].extensions["services"], audit, found)
        # What is there now stays, and need not be looked at again and again.
        gc.freeze()
        gc.enable()

    urls = [local.ready_url(listener.address) for listener in found]
    with health.registered(settings.data_dir, "serve", urls):
        serve_http(servers, ready)
    audit.stop()
    heartbeat.stop(LAST_SIGN)
    apps[0].extensions["services"].store.end_notices()


def _listeners(settings: Settings, doors: Sequence[Door]) -> list[Listener]:
    """Return where these doors are, or all that are configured.

    Raises CommandRefused for a door that is off, and for a port that is taken.
    """
    found = listeners(settings, doors or tuple(Door))
    served = {door for listener in found for door in listener.doors}
    for door in doors:
        if door not in served:
            raise CommandRefused(f"the door {door} is off; set {variable(SETTINGS[door])}")
    for listener in found:
        local.check_free(listener.address, listener.setting)
    return found


def _say_how_to_sign_in(
    settings: Settings, services: Services, audit: Audit, found: Sequence[Listener]
) -> None:
    """Print a link in a sandbox that others can call: it has no accounts yet."""
    served = any(Door.CONSOLE in listener.doors for listener in found)
    if not served or not settings.in_sandbox or console_is_open(settings):
        return
    from supplier_api.app.console import new_sign_in_link  # noqa: PLC0415 - as the console itself

    accounts = Accounts(services.store, services.machine, audit)
    by = By("serve", "the console of a sandbox begins")
    click.echo(f"console    {new_sign_in_link(settings, accounts, by)}   signs in once", err=True)


def _server(app: Flask, settings: Settings, listener: Listener) -> HttpServer:
    try:
        return build_server(app, settings, listener)
    except OSError as error:
        host, port = listener.address.host, listener.address.port
        raise CommandRefused(f"cannot listen on {host}, port {port}: {error}") from None
